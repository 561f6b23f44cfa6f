//! Joining and leaving rooms of the other server. spec: server-server-api §joining-rooms, §leaving-rooms-rejecting-invites

use selvage_e2e::api::room_path;
use selvage_e2e::federation::Homeserver;
use serde_json::json;

use crate::room::{Shared, State, agree, all_have, forbidden, join_via, texts};

cases!(
    a_public_room_is_joined,
    a_second_user_joins_left_and_came_back,
    a_private_room_is_not_joined,
);

fn a_public_room_is_joined(near: &Homeserver, far: &Homeserver) {
    let topic = json!({"type": "m.room.topic", "state_key": "", "content": {"topic": "About"}});
    let own = json!({"type": "org.example.own", "state_key": "ключ/%2F", "content": {"deep": {"number": 7, "text": "ü"}}});
    let room = Shared::with(near, far, &json!({"initial_state": [topic, own]}));
    let state = room.agree(|_| true);
    assert_eq!(state.content("m.room.topic", "")["topic"], json!("About"));
    assert_eq!(
        state.content("org.example.own", "ключ/%2F"),
        &json!({"deep": {"number": 7, "text": "ü"}})
    );
    room.alice.say(&room.room_id, "welcome").ok();
    room.bob.say(&room.room_id, "thank you").ok();
    room.both_have(&["welcome", "thank you"]);
}

fn a_second_user_joins_left_and_came_back(near: &Homeserver, far: &Homeserver) {
    let room = Shared::new(near, far);
    let carol = far.api().register("carol");
    join_via(&carol, &room.room_id, near).ok();
    let everybody = [&room.alice, &room.bob, &carol];
    agree(&room.room_id, &everybody, |state| {
        state.membership(&carol.user_id) == "join"
    });
    room.bob.leave(&room.room_id).ok();
    agree(&room.room_id, &[&room.alice, &carol], |state| {
        state.membership(&room.bob.user_id) == "leave"
    });
    carol.say(&room.room_id, "bob is gone").ok();
    join_via(&room.bob, &room.room_id, near).ok();
    agree(&room.room_id, &everybody, |state| {
        state.membership(&room.bob.user_id) == "join"
    });
    room.bob.say(&room.room_id, "back again").ok();
    all_have(&room.room_id, &everybody, &texts(["bob is gone", "back again"]));
    // All of the far server leave, and come back to a server that missed what happened.
    room.bob.leave(&room.room_id).ok();
    carol.leave(&room.room_id).ok();
    agree(&room.room_id, &[&room.alice], |state| {
        state.membership(&carol.user_id) == "leave" && state.membership(&room.bob.user_id) == "leave"
    });
    room.alice.say(&room.room_id, "alone").ok();
    room.alice
        .set_state(&room.room_id, "m.room.topic", "", &json!({"topic": "alone"}))
        .ok();
    join_via(&room.bob, &room.room_id, near).ok();
    room.agree(|state| {
        state.membership(&room.bob.user_id) == "join"
            && state.content("m.room.topic", "")["topic"] == json!("alone")
    });
    room.bob.say(&room.room_id, "here").ok();
    room.both_have(&["alone", "here"]);
}

/// Someone who was not invited is refused by the server that has the room, and nothing of it is shown.
fn a_private_room_is_not_joined(near: &Homeserver, far: &Homeserver) {
    let alice = near.api().register("alice");
    let bob = far.api().register("bob");
    let room_id = alice.create_room(&json!({"preset": "private_chat", "name": "Private"}));
    let before = State::seen_by(&alice, &room_id);
    forbidden(&join_via(&bob, &room_id, near));
    assert_eq!(State::seen_by(&alice, &room_id), before);
    let seen = bob.get(&room_path(&room_id, "state"));
    assert!(
        matches!(seen.status, 403 | 404),
        "nothing is shown to an outsider: {seen}"
    );
}
