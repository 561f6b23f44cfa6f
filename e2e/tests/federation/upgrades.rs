//! Rooms that are replaced. spec: client-server-api §room-upgrades

use selvage_e2e::api::room_path;
use selvage_e2e::federation::Homeserver;
use serde_json::json;

use crate::room::{Shared, agree, join_via};

cases!(the_far_server_follows_an_upgrade);

fn the_far_server_follows_an_upgrade(near: &Homeserver, far: &Homeserver) {
    let room = Shared::with(near, far, &json!({"room_version": "10", "topic": "moves along"}));
    let upgrade = room.alice.post(
        &room_path(&room.room_id, "upgrade"),
        &json!({"new_version": "12"}),
    );
    let replacement = upgrade.string("/replacement_room");
    room.agree(|state| state.content("m.room.tombstone", "")["replacement_room"] == json!(replacement));
    join_via(&room.bob, &replacement, near).ok();
    let state = agree(&replacement, &room.people(), |state| {
        state.membership(&room.bob.user_id) == "join"
    });
    assert_eq!(
        state.content("m.room.create", "")["predecessor"]["room_id"],
        json!(room.room_id)
    );
    assert_eq!(state.content("m.room.create", "")["room_version"], json!("12"));
    assert_eq!(state.content("m.room.topic", "")["topic"], json!("moves along"));
}
