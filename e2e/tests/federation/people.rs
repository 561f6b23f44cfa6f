//! What servers tell each other beside events. spec: server-server-api §querying-for-information, §edus

use selvage_e2e::api::{percent, room_path};
use selvage_e2e::federation::Homeserver;
use serde_json::{Value, json};

use crate::room::{Shared, until};
use crate::watcher::Watcher;

cases!(
    profiles_are_shown_and_followed,
    typing_is_shown,
    receipts_are_shown
);

fn profile_path(user_id: &str) -> String {
    format!("/_matrix/client/v3/profile/{}", percent(user_id))
}

fn profiles_are_shown_and_followed(near: &Homeserver, far: &Homeserver) {
    let room = Shared::new(near, far);
    let (alice, bob) = (&room.alice, &room.bob);
    for (person, other, name) in [(alice, bob, "Alice Liddell"), (bob, alice, "Боб")] {
        let path = profile_path(&person.user_id);
        person
            .put(&format!("{path}/displayname"), &json!({"displayname": name}))
            .ok();
        let shown = until(
            "the name is shown",
            || other.get(&path),
            |reply| reply.json["displayname"] == json!(name),
        );
        assert_eq!(shown.status, 200);
    }
    room.agree(|state| {
        state.content("m.room.member", &alice.user_id)["displayname"] == json!("Alice Liddell")
            && state.content("m.room.member", &bob.user_id)["displayname"] == json!("Боб")
    });
    let nobody = format!("@nobody:{}", near.name());
    bob.get(&profile_path(&nobody)).refused(404, "M_NOT_FOUND");
}

/// The ephemeral events of a room of this type in a sync answer.
fn ephemeral<'a>(sync: &'a Value, room_id: &str, event_type: &str) -> Vec<&'a Value> {
    let events = sync["rooms"]["join"][room_id]["ephemeral"]["events"].as_array();
    let events = events.into_iter().flatten();
    events
        .filter(|event| event["type"] == event_type)
        .map(|event| &event["content"])
        .collect()
}

/// spec: client-server-api §typing-notifications
fn typing_is_shown(near: &Homeserver, far: &Homeserver) {
    let room = Shared::new(near, far);
    let room_id = &room.room_id;
    for (person, other) in [(&room.alice, &room.bob), (&room.bob, &room.alice)] {
        let mut client = Watcher::new(other);
        let path = room_path(room_id, &format!("typing/{}", percent(&person.user_id)));
        let are = |sync: &Value, users: &Value| {
            let told = ephemeral(sync, room_id, "m.typing");
            told.last().is_some_and(|content| &content["user_ids"] == users)
        };
        person
            .put(&path, &json!({"typing": true, "timeout": 30_000}))
            .ok();
        client.until_told("somebody types", |sync| are(sync, &json!([person.user_id])));
        person.put(&path, &json!({"typing": false})).ok();
        client.until_told("nobody types", |sync| are(sync, &json!([])));
    }
}

/// spec: client-server-api §receipts
fn receipts_are_shown(near: &Homeserver, far: &Homeserver) {
    let room = Shared::new(near, far);
    let room_id = &room.room_id;
    for (person, other) in [(&room.alice, &room.bob), (&room.bob, &room.alice)] {
        let said = other.say(room_id, "read me").string("/event_id");
        let mut client = Watcher::new(other);
        let event = room_path(room_id, &format!("event/{}", percent(&said)));
        until("it arrived", || person.get(&event), |reply| reply.status == 200);
        let path = room_path(room_id, &format!("receipt/m.read/{}", percent(&said)));
        person.post(&path, &json!({})).ok();
        client.until_told("it was read", |sync| {
            let receipts = ephemeral(sync, room_id, "m.receipt");
            receipts
                .iter()
                .any(|content| content[&said]["m.read"].get(&person.user_id).is_some())
        });
    }
}
