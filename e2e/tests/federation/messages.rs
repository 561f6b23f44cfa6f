//! What people say to each other across servers. spec: server-server-api §transactions

use std::collections::BTreeSet;

use selvage_e2e::api::{Account, room_path, unique};
use selvage_e2e::federation::Homeserver;
use serde_json::{Value, json};

use crate::room::{Shared, forbidden, until};
use crate::watcher::{Watcher, bodies_of};

cases!(
    messages_go_both_ways_in_order,
    edits_reactions_and_redactions_arrive,
    what_may_not_be_redacted_stays,
);

/// How many messages each of the two sends.
const EACH: usize = 25;

fn messages_go_both_ways_in_order(near: &Homeserver, far: &Homeserver) {
    let room = Shared::new(near, far);
    let mut clients = room.people().map(Watcher::new);
    let said: Vec<Vec<String>> = std::thread::scope(|scope| {
        let talks = room
            .people()
            .map(|person| scope.spawn(|| talk(person, &room.room_id)));
        talks.map(|talk| talk.join().expect("a talk")).into()
    });
    let all: BTreeSet<String> = said.iter().flatten().cloned().collect();
    for client in &mut clients {
        client.until_heard(&room.room_id, &all);
        for (person, said) in room.people().into_iter().zip(&said) {
            let heard = bodies_of(client.timeline(&room.room_id), &person.user_id);
            assert_eq!(&heard, said, "in the order in which {} said it", person.user_id);
        }
    }
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    room.both_have(&all);
}

fn talk(person: &Account, room_id: &str) -> Vec<String> {
    let said = (0..EACH).map(|number| format!("{number} of {}", person.localpart()));
    said.inspect(|text| {
        person.say(room_id, text).ok();
    })
    .collect()
}

fn event(person: &Account, room_id: &str, event_id: &str) -> selvage_e2e::Reply {
    person.get(&room_path(
        room_id,
        &format!("event/{}", selvage_e2e::api::percent(event_id)),
    ))
}

fn redact(person: &Account, room_id: &str, event_id: &str) -> selvage_e2e::Reply {
    let event_id = selvage_e2e::api::percent(event_id);
    let path = room_path(room_id, &format!("redact/{event_id}/{}", unique("txn")));
    person.put(&path, &json!({"reason": "because"}))
}

fn send(person: &Account, room_id: &str, event_type: &str, content: &Value) -> String {
    let path = room_path(room_id, &format!("send/{event_type}/{}", unique("txn")));
    let reply = person.put(&path, content);
    assert_eq!(reply.status, 200, "{reply}");
    reply.string("/event_id")
}

/// spec: client-server-api §forwarding-relationships… of events, §redactions
fn edits_reactions_and_redactions_arrive(near: &Homeserver, far: &Homeserver) {
    let room = Shared::new(near, far);
    let (alice, bob, room_id) = (&room.alice, &room.bob, &room.room_id);
    let first = alice.say(room_id, "frist").string("/event_id");
    let edit = json!({
        "msgtype": "m.text", "body": "* first", "m.new_content": {"msgtype": "m.text", "body": "first"},
        "m.relates_to": {"rel_type": "m.replace", "event_id": first},
    });
    let edit_id = send(alice, room_id, "m.room.message", &edit);
    let reaction = json!({"m.relates_to": {"rel_type": "m.annotation", "event_id": first, "key": "👍"}});
    until(
        "bob has the message",
        || event(bob, room_id, &first),
        |reply| reply.status == 200,
    );
    let reaction_id = send(bob, room_id, "m.reaction", &reaction);
    for person in [alice, bob] {
        for (event_id, content) in [(&edit_id, &edit), (&reaction_id, &reaction)] {
            let arrived = until(
                "it arrived",
                || event(person, room_id, event_id),
                |reply| reply.status == 200,
            );
            assert_eq!(&arrived.json["content"], content);
        }
    }
    // Each their own, and Alice, who has the power, another's.
    let second = bob.say(room_id, "second").string("/event_id");
    let third = bob.say(room_id, "third").string("/event_id");
    redact(bob, room_id, &second).ok();
    until(
        "alice has the third",
        || event(alice, room_id, &third),
        |reply| reply.status == 200,
    );
    redact(alice, room_id, &third).ok();
    redact(bob, room_id, &reaction_id).ok();
    for person in [alice, bob] {
        for event_id in [&second, &third, &reaction_id] {
            until(
                "it is redacted",
                || event(person, room_id, event_id),
                |reply| {
                    reply.json["content"] == json!({})
                        && !reply.json["unsigned"]["redacted_because"].is_null()
                },
            );
        }
    }
    room.agree(|_| true);
}

/// Who has not the power cannot redact what another said: not where the message is, and not where he is.
fn what_may_not_be_redacted_stays(near: &Homeserver, far: &Homeserver) {
    let room = Shared::new(near, far);
    let (alice, bob, room_id) = (&room.alice, &room.bob, &room.room_id);
    let said = alice.say(room_id, "stays").string("/event_id");
    until(
        "bob has the message",
        || event(bob, room_id, &said),
        |reply| reply.status == 200,
    );
    forbidden(&redact(bob, room_id, &said));
    bob.say(room_id, "after the attempt").ok();
    room.both_have(&["stays", "after the attempt"]);
}
