//! Rooms that let in the members of another room. spec: server-server-api §restricted-rooms

use selvage_e2e::federation::Homeserver;
use serde_json::json;

use crate::room::{Shared, agree, all_have, forbidden, join_via, texts};

cases!(members_of_the_other_room_are_let_in);

/// The versions that have them, `knock_restricted` included from 10 on.
const VERSIONS: [&str; 3] = ["8", "10", "12"];

fn members_of_the_other_room_are_let_in(near: &Homeserver, far: &Homeserver) {
    let club = Shared::new(near, far);
    let eve = far.api().register("eve");
    for version in VERSIONS {
        let rule = json!({
            "join_rule": if version == "8" { "restricted" } else { "knock_restricted" },
            "allow": [{"type": "m.room_membership", "room_id": club.room_id}],
        });
        let rules = json!({"type": "m.room.join_rules", "state_key": "", "content": rule});
        let room = json!({"preset": "private_chat", "room_version": version, "initial_state": [rules]});
        let room_id = club.alice.create_room(&room);
        forbidden(&join_via(&eve, &room_id, near));
        join_via(&club.bob, &room_id, near).ok();
        let state = agree(&room_id, &club.people(), |state| {
            state.membership(&club.bob.user_id) == "join"
        });
        let authoriser =
            &state.content("m.room.member", &club.bob.user_id)["join_authorised_via_users_server"];
        assert_eq!(authoriser, &json!(club.alice.user_id), "version {version}");
        // The far server knows the room now, and still asks one that may let in.
        forbidden(&join_via(&eve, &room_id, near));
        club.bob.say(&room_id, "in the club").ok();
        all_have(&room_id, &club.people(), &texts(["in the club"]));
    }
}
