//! Every version of rooms. spec: rooms §complete-list-of-room-versions

use selvage_e2e::Host;
use selvage_e2e::federation::Homeserver;
use serde_json::json;

use crate::room::{Shared, join_via};

cases!(rooms_of_every_version_are_shared);

/// The versions that new rooms can have on either server.
const CREATED: [&str; 7] = ["6", "7", "8", "9", "10", "11", "12"];

/// Those that Selvage takes part in and makes none of.
const OLD: [&str; 5] = ["1", "2", "3", "4", "5"];

fn rooms_of_every_version_are_shared(near: &Homeserver, far: &Homeserver) {
    let old = OLD.iter().filter(|_| near.host() == Host::Synapse);
    for version in CREATED.iter().chain(old) {
        share(near, far, version);
    }
}

/// State, messages, redactions, power and membership, from either side.
fn share(near: &Homeserver, far: &Homeserver, version: &str) {
    println!("version {version}");
    let room = Shared::with(near, far, &json!({"room_version": version}));
    let (alice, bob, room_id) = (&room.alice, &room.bob, &room.room_id);
    room.promote_bob(50);
    bob.set_state(room_id, "m.room.topic", "", &json!({"topic": version}))
        .ok();
    let said = alice.say(room_id, "to be taken back").string("/event_id");
    bob.say(room_id, "stays").ok();
    room.both_have(&["to be taken back", "stays"]);
    let path = format!("redact/{}/1", selvage_e2e::api::percent(&said));
    bob.put(&selvage_e2e::api::room_path(room_id, &path), &json!({}))
        .ok();
    crate::room::until(
        "it is taken back on both sides",
        || {
            alice.get(&selvage_e2e::api::room_path(
                room_id,
                &format!("event/{}", selvage_e2e::api::percent(&said)),
            ))
        },
        |reply| reply.json["content"] == json!({}),
    );
    let carol = near.api().register("carol");
    carol.join(room_id).ok();
    room.agree(|state| state.membership(&carol.user_id) == "join");
    bob.membership(room_id, "ban", &json!({"user_id": carol.user_id}))
        .ok();
    bob.leave(room_id).ok();
    crate::room::agree(room_id, &[alice], |state| {
        state.membership(&carol.user_id) == "ban"
            && state.membership(&bob.user_id) == "leave"
            && state.content("m.room.topic", "")["topic"] == json!(version)
    });
    join_via(bob, room_id, near).ok();
    room.agree(|state| state.membership(&bob.user_id) == "join");
}
