//! What was said before a server came. spec: server-server-api §backfilling-and-retrieving-missing-events

use selvage_e2e::federation::Homeserver;
use serde_json::json;

use crate::room::{agree, join_via};
use crate::watcher::{bodies, once_each};

cases!(
    a_long_history_is_paged_through,
    history_from_before_a_join_stays_hidden
);

/// More than one request of either server brings.
const LONG: usize = 230;

fn a_long_history_is_paged_through(near: &Homeserver, far: &Homeserver) {
    let alice = near.api().register("alice");
    let bob = far.api().register("bob");
    let room_id = alice.create_room(&json!({"preset": "public_chat"}));
    let said: Vec<String> = (0..LONG).map(|number| format!("message {number}")).collect();
    for (number, text) in said.iter().enumerate() {
        alice.say(&room_id, text).ok();
        if number % 50 == 0 {
            let topic = json!({"topic": format!("topic {number}")});
            alice.set_state(&room_id, "m.room.topic", "", &topic).ok();
        }
    }
    join_via(&bob, &room_id, near).ok();
    agree(&room_id, &[&alice, &bob], |state| {
        state.membership(&bob.user_id) == "join"
    });
    let history = bob.history(&room_id);
    assert_eq!(bodies(&history), said);
    once_each(&history);
    assert_eq!(history.first().expect("events")["type"], json!("m.room.create"));
    // And once more, from what the far server has stored now.
    assert_eq!(ids(&bob.history(&room_id)), ids(&history));
    let mut nears: Vec<String> = ids(&alice.history(&room_id));
    let mut fars = ids(&history);
    nears.sort();
    fars.sort();
    assert_eq!(fars, nears);
}

fn ids(events: &[serde_json::Value]) -> Vec<String> {
    events.iter().map(|event| event["event_id"].to_string()).collect()
}

/// spec: client-server-api §room-history-visibility
fn history_from_before_a_join_stays_hidden(near: &Homeserver, far: &Homeserver) {
    let alice = near.api().register("alice");
    let bob = far.api().register("bob");
    let visibility = json!({"type": "m.room.history_visibility", "state_key": "",
        "content": {"history_visibility": "joined"}});
    let room_id = alice.create_room(&json!({"preset": "public_chat", "initial_state": [visibility]}));
    for number in 0..5 {
        alice.say(&room_id, &format!("before {number}")).ok();
    }
    join_via(&bob, &room_id, near).ok();
    agree(&room_id, &[&alice, &bob], |state| {
        state.membership(&bob.user_id) == "join"
    });
    alice.say(&room_id, "after").ok();
    crate::room::all_have(&room_id, &[&bob], &crate::room::texts(["after"]));
    assert_eq!(bodies(&bob.history(&room_id)), ["after"]);
}
