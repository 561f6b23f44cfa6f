//! Joining rooms of other servers. spec: `server-server-api §joining-rooms`

use serde_json::json;

use crate::{A, B, C, Three, count};

/// spec: `rooms`, of every version
#[test]
fn a_room_of_another_server_is_joined_and_spoken_in() {
    for version in ["1", "2", "3", "5", "6", "8", "10", "11", "12"] {
        let three = Three::new();
        let room = three.public_room(version);
        three.alice.say(&room, "before");
        let joined = three.bob.join(&room, &[A]).ok();
        assert_eq!(joined["room_id"], room.as_str());
        three.alice.say(&room, "hello Bob");
        three.bob.say(&room, "hello Alice");
        for user in [&three.alice, &three.bob] {
            assert_eq!(user.membership(&room, &three.bob), "join", "version {version}");
            assert_eq!(user.membership(&room, &three.alice), "join");
            assert_eq!(
                user.texts(&room),
                ["before", "hello Bob", "hello Alice"],
                "version {version}"
            );
        }
        let name = three.bob.state(&room, "m.room.name", "").ok();
        assert_eq!(name["name"], "Tea");
    }
}

#[test]
fn who_joins_through_one_server_is_known_to_all() {
    let three = Three::new();
    let room = three.public_room("11");
    three.bob.join(&room, &[A]).ok();
    three.carol.join(&room, &[B]).ok();
    for user in three.everybody() {
        assert_eq!(user.membership(&room, &three.carol), "join");
    }
    three.carol.say(&room, "from Carol");
    three.bob.say(&room, "from Bob");
    three.alice.say(&room, "from Alice");
    for user in three.everybody() {
        assert_eq!(user.texts(&room), ["from Carol", "from Bob", "from Alice"]);
    }
}

/// What the room's server says is what the client is told.
#[test]
fn a_join_that_the_room_forbids_is_refused() {
    let three = Three::new();
    let room = three.alice.create_room(&json!({ "preset": "private_chat" }));
    three.bob.join(&room, &[A]).refused(403, "M_FORBIDDEN");
    assert_eq!(three.alice.membership(&room, &three.bob), "none");
    assert!(three.bob.sync()["rooms"]["join"].get(&room).is_none());
}

#[test]
fn a_room_that_nobody_has_is_not_joined() {
    let three = Three::new();
    three
        .bob
        .join("!nothing:a.test", &[A])
        .refused(404, "M_NOT_FOUND");
    three.bob.join("!nothing:b.test", &[]).refused(403, "M_FORBIDDEN");
    three.network.away(A, true);
    three.bob.join("!nothing:a.test", &[A]).refused(502, "M_UNKNOWN");
}

/// A room with much state comes in many pieces.
#[test]
fn a_large_room_is_joined() {
    let three = Three::new();
    let room = three.public_room("12");
    for number in 0..450 {
        let content = json!({ "number": number, "filler": "x".repeat(1_000) });
        three
            .alice
            .set_state(&room, "org.test", &number.to_string(), &content)
            .ok();
    }
    three.bob.join(&room, &[A]).ok();
    for number in [0, 200, 449] {
        let state = three.bob.state(&room, "org.test", &number.to_string()).ok();
        assert_eq!(state["number"], number);
    }
    three.bob.say(&room, "all here");
    assert_eq!(three.alice.texts(&room), ["all here"]);
}

/// The alias's server knows the room and who is in it. spec: `server-server-api §get_matrixfederationv1querydirectory`
#[test]
fn a_room_is_joined_by_an_alias_of_another_server() {
    let three = Three::new();
    let room = three.public_room("12");
    let target = json!({ "room_id": room, "servers": [A] }).to_string();
    three.network.tamper(move |exchanged, status, body| {
        if exchanged.what.contains("query/directory") && exchanged.to == C {
            return (200, target.clone().into_bytes());
        }
        (status, body)
    });
    let joined = three.bob.join("#tea:c.test", &[]).ok();
    assert_eq!(joined["room_id"], room.as_str());
    assert_eq!(three.alice.membership(&room, &three.bob), "join");
    three.bob.join("#nothing:a.test", &[]).refused(404, "M_NOT_FOUND");
    three.bob.join("#nothing:b.test", &[]).refused(404, "M_NOT_FOUND");
}

/// Servers are tried in turn.
#[test]
fn another_server_lets_in_when_the_first_does_not_answer() {
    let three = Three::new();
    let room = three.public_room("12");
    three.bob.join(&room, &[A]).ok();
    // The keys of the room's first server are known from elsewhere.
    three.carol.join(&three.public_room("11"), &[A]).ok();
    three.network.split(A, C, true);
    three.carol.join(&room, &["nowhere.test", A, B]).ok();
    assert_eq!(three.bob.membership(&room, &three.carol), "join");
}

/// The user is in a room whose members the other room lets in, and a server of the room says so with its signature.
/// spec: `server-server-api §restricted-rooms`
#[test]
fn a_restricted_room_is_joined_by_members_of_the_other() {
    let three = Three::new();
    let lobby = three.public_room("11");
    let restricted = json!({ "type": "m.room.join_rules", "state_key": "", "content": {
        "join_rule": "restricted", "allow": [{ "type": "m.room_membership", "room_id": lobby }],
    } });
    let room = three
        .alice
        .create_room(&json!({ "room_version": "11", "initial_state": [restricted] }));
    three.bob.join(&room, &[A]).refused(403, "M_FORBIDDEN");
    three.bob.join(&lobby, &[A]).ok();
    three.bob.join(&room, &[A]).ok();
    three.carol.join(&lobby, &[A]).ok();
    three.carol.join(&room, &[A]).ok();
    for user in three.everybody() {
        assert_eq!(user.membership(&room, &three.bob), "join");
        assert_eq!(user.membership(&room, &three.carol), "join");
    }
}

/// Wherever a join stops, there is none; and it can be begun again.
#[test]
fn a_join_may_die_at_any_step() {
    let mut deaths = 0;
    for steps in 0.. {
        let three = Three::new();
        let room = three.public_room("10");
        three.alice.say(&room, "tea?");
        three.bob.house().die_after(Some(steps));
        let first = three.bob.join(&room, &[A]);
        let died = three.bob.house().has_died();
        three.bob.house().die_after(None);
        if died {
            deaths += 1;
            let joined = three.bob.sync()["rooms"]["join"].clone();
            if first.status == 0 && joined.get(&room).is_none() {
                three.bob.say_refused(&room);
            }
            // A server whose keys could not be had is asked for them again after a while.
            three.network.pass(600_000);
        }
        three.bob.join(&room, &[A]).ok();
        three.bob.say(&room, "yes");
        for user in [&three.alice, &three.bob] {
            assert_eq!(user.texts(&room), ["tea?", "yes"], "died after {steps} steps");
        }
        if !died {
            break;
        }
    }
    assert!(deaths >= 8, "{deaths} steps");
}

/// Of two users of a server the first brings the room, and the second finds it there.
#[test]
fn the_second_user_of_a_server_joins_here() {
    let three = Three::new();
    let room = three.public_room("11");
    let dave = three.network.user("dave", B);
    three.bob.join(&room, &[A]).ok();
    three.network.take_exchanged();
    dave.join(&room, &[A]).ok();
    assert_eq!(count(&three.network.take_exchanged(), "send_join"), 0);
    assert_eq!(three.alice.membership(&room, &dave), "join");
    three.bob.act("leave", &room, None).ok();
    three.alice.say(&room, "still two of us");
    assert_eq!(dave.texts(&room), ["still two of us"]);
    assert_eq!(three.alice.membership(&room, &three.bob), "leave");
}

/// What is redacted on one server is so on all. spec: `rooms/v11 §Redactions`
#[test]
fn redactions_and_profiles_reach_all_servers() {
    let three = Three::new();
    let room = three.shared_room();
    let said = three.bob.say(&room, "oops");
    let in_room = format!("rooms/{}", room.replace('!', "%21").replace(':', "%3A"));
    let path = format!("{in_room}/redact/{}/r", said.replace('$', "%24"));
    three.alice.put(&path, &json!({ "reason": "language" })).ok();
    let profile = format!(
        "profile/{}/displayname",
        three.carol.user_id.replace('@', "%40").replace(':', "%3A")
    );
    three.carol.put(&profile, &json!({ "displayname": "Caro" })).ok();
    for user in three.everybody() {
        assert_eq!(user.texts(&room), Vec::<String>::new(), "{}", user.user_id);
        let member = user.state(&room, "m.room.member", &three.carol.user_id).ok();
        assert_eq!(member["displayname"], "Caro", "{}", user.user_id);
    }
}

/// Who left and comes back finds the room as it is now, and not as it was.
#[test]
fn a_room_that_was_left_is_joined_anew() {
    let three = Three::new();
    let room = three.public_room("11");
    three.bob.join(&room, &[A]).ok();
    three.alice.say(&room, "one");
    three.bob.act("leave", &room, None).ok();
    assert_eq!(three.alice.membership(&room, &three.bob), "leave");
    three.alice.say(&room, "two");
    three
        .alice
        .set_state(&room, "m.room.name", "", &json!({ "name": "Coffee" }))
        .ok();
    three.network.take_exchanged();
    three.bob.join(&room, &[A]).ok();
    assert_eq!(count(&three.network.take_exchanged(), "send_join"), 1);
    assert_eq!(three.bob.state(&room, "m.room.name", "").ok()["name"], "Coffee");
    three.alice.say(&room, "three");
    three.bob.say(&room, "four");
    for user in [&three.alice, &three.bob] {
        assert_eq!(user.texts(&room), ["one", "two", "three", "four"]);
    }
}
