//! Asking to be let in. spec: server-server-api §knocking-upon-a-room

use selvage_e2e::api::Account;
use selvage_e2e::federation::Homeserver;
use serde_json::json;

use crate::room::{agree, all_have, entrance, forbidden, texts};
use crate::watcher::Watcher;

cases!(
    who_knocks_is_let_in,
    who_knocks_is_turned_away,
    nobody_knocks_at_a_room_of_invitations,
);

fn room_with(near: &Homeserver, join_rule: &str) -> (Account, String) {
    let alice = near.api().register("alice");
    let rule = json!({"type": "m.room.join_rules", "state_key": "", "content": {"join_rule": join_rule}});
    let room = json!({"preset": "private_chat", "name": "Behind a door", "initial_state": [rule]});
    let room_id = alice.create_room(&room);
    (alice, room_id)
}

/// Bob, after he has knocked, with his client.
fn knocking(near: &Homeserver, far: &Homeserver, alice: &Account, room_id: &str) -> (Account, Watcher) {
    let bob = far.api().register("bob");
    let mut client = Watcher::new(&bob);
    bob.post(&entrance("knock", room_id, near), &json!({"reason": "please"}))
        .ok();
    client.until_told("the knock is his own", |sync| {
        !sync["rooms"]["knock"][room_id].is_null()
    });
    let shown = &client.last["rooms"]["knock"][room_id]["knock_state"]["events"];
    let mut shown_events = shown.as_array().into_iter().flatten();
    assert!(
        shown_events.any(|event| event["type"] == "m.room.name"),
        "{shown}"
    );
    let state = agree(room_id, &[alice], |state| {
        state.membership(&bob.user_id) == "knock"
    });
    assert_eq!(
        state.content("m.room.member", &bob.user_id)["reason"],
        json!("please")
    );
    (bob, client)
}

fn who_knocks_is_let_in(near: &Homeserver, far: &Homeserver) {
    let (alice, room_id) = room_with(near, "knock");
    let (bob, mut client) = knocking(near, far, &alice, &room_id);
    alice.invite(&room_id, &bob.user_id).ok();
    client.until_told("an invitation came", |sync| {
        !sync["rooms"]["invite"][&room_id].is_null()
    });
    bob.join(&room_id).ok();
    agree(&room_id, &[&alice, &bob], |state| {
        state.membership(&bob.user_id) == "join"
    });
    bob.say(&room_id, "inside").ok();
    all_have(&room_id, &[&alice, &bob], &texts(["inside"]));
}

fn who_knocks_is_turned_away(near: &Homeserver, far: &Homeserver) {
    let (alice, room_id) = room_with(near, "knock");
    let (bob, _) = knocking(near, far, &alice, &room_id);
    alice
        .membership(&room_id, "kick", &json!({"user_id": bob.user_id}))
        .ok();
    agree(&room_id, &[&alice], |state| {
        state.membership(&bob.user_id) == "leave"
    });
    forbidden(&crate::room::join_via(&bob, &room_id, near));
}

fn nobody_knocks_at_a_room_of_invitations(near: &Homeserver, far: &Homeserver) {
    let (alice, room_id) = room_with(near, "invite");
    let bob = far.api().register("bob");
    forbidden(&bob.post(&entrance("knock", &room_id, near), &json!({})));
    let state = agree(&room_id, &[&alice], |_| true);
    assert_eq!(state.membership(&bob.user_id), "");
}
