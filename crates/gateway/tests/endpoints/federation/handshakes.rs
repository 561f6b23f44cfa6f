//! spec: `server-server-api §joining-rooms`, `§leaving-rooms`, `§knocking-upon-a-room`; attack 11.

use serde_json::{Value, json};

use super::peer::{Made, Peer, Scene, signed};
use crate::client::Client;

const EVE: &str = "@eve:peer.test";
const VERSIONS: [&str; 2] = ["11", "12"];

#[test]
fn a_user_of_another_server_joins_leaves_and_joins_again() {
    for version in ["10", "11", "12"] {
        let scene = Scene::of(json!({ "preset": "public_chat", "room_version": version }));
        let peer = &scene.peer;
        let made = peer.make("join", &scene.room_id, EVE, &[version]).ok();
        assert_eq!(made["room_version"], version);
        let join = peer.sign_made(&made);
        let answer = peer.submit("v2/send_join", &scene.room_id, &join).ok();
        assert_eq!(answer["origin"], "example.org");
        assert_eq!(answer["members_omitted"], false);
        let kinds = |list: &str| {
            let events = answer[list].as_array().unwrap().iter();
            events
                .map(|event| event["type"].as_str().unwrap())
                .collect::<Vec<_>>()
        };
        let creates = kinds("state")
            .iter()
            .filter(|kind| **kind == "m.room.create")
            .count();
        assert_eq!(creates, 1, "version {version}");
        // In version 12 no event cites the create event.
        let cites_create = kinds("auth_chain").contains(&"m.room.create");
        assert_eq!(cites_create, version != "12", "version {version}");
        assert_eq!(answer["event"], join.json, "version {version}");
        assert_eq!(scene.membership(EVE), "join");
        peer.submit("v2/send_join", &scene.room_id, &join).ok();
        let leave = peer.sign_made(&peer.make("leave", &scene.room_id, EVE, &[]).ok());
        assert_eq!(
            peer.submit("v2/send_leave", &scene.room_id, &leave).ok(),
            json!({})
        );
        assert_eq!(scene.membership(EVE), "leave");
        let again = peer.sign_made(&peer.make("join", &scene.room_id, EVE, &[version]).ok());
        let answer = peer.submit("v1/send_join", &scene.room_id, &again).ok();
        assert_eq!((&answer[0], &answer[1]["event"]), (&json!(200), &again.json));
        let leave = peer.sign_made(&peer.make("leave", &scene.room_id, EVE, &[]).ok());
        assert_eq!(
            peer.submit("v1/send_leave", &scene.room_id, &leave).ok(),
            json!([200, {}])
        );
    }
}

/// J1
#[test]
fn nothing_is_made_for_others_or_of_rooms_that_are_not_here() {
    let scene = Scene::new();
    let peer = &scene.peer;
    for what in ["join", "leave", "knock"] {
        let of_other = peer.make(what, &scene.room_id, "@eve:third.test", &VERSIONS);
        of_other.refused(403, "M_FORBIDDEN");
        peer.make(what, &scene.room_id, "@alice:example.org", &VERSIONS)
            .refused(403, "M_FORBIDDEN");
        peer.make(what, "!unknown:example.org", EVE, &VERSIONS)
            .refused(404, "M_NOT_FOUND");
    }
    let other_versions = peer.make("join", &scene.room_id, EVE, &["1", "12"]);
    other_versions.refused(400, "M_INCOMPATIBLE_ROOM_VERSION");
    assert_eq!(other_versions.json["room_version"], "11");
    peer.make("join", &scene.room_id, EVE, &[])
        .refused(400, "M_INCOMPATIBLE_ROOM_VERSION");
    scene
        .alice
        .post(&scene.alice.in_room(&scene.room_id, "leave"), json!({}))
        .ok();
    peer.make("join", &scene.room_id, EVE, &VERSIONS)
        .refused(404, "M_NOT_FOUND");
}

/// J3, attack 6
#[test]
fn whom_the_room_does_not_let_in_gets_nothing_to_sign() {
    let private = Scene::of(json!({ "preset": "private_chat", "room_version": "11" }));
    private
        .peer
        .make("join", &private.room_id, EVE, &VERSIONS)
        .refused(403, "M_FORBIDDEN");
    private
        .peer
        .make("knock", &private.room_id, EVE, &VERSIONS)
        .refused(403, "M_FORBIDDEN");
    let scene = Scene::new();
    scene.peer.joins(&scene.room_id, EVE);
    scene
        .alice
        .post(
            &scene.alice.in_room(&scene.room_id, "ban"),
            json!({ "user_id": EVE }),
        )
        .ok();
    for what in ["join", "leave", "knock"] {
        scene
            .peer
            .make(what, &scene.room_id, EVE, &VERSIONS)
            .refused(403, "M_FORBIDDEN");
    }
}

/// D4
#[test]
fn a_server_that_may_not_take_part_does_not_join() {
    let scene = Scene::new();
    let join = scene
        .peer
        .sign_made(&scene.peer.make("join", &scene.room_id, EVE, &VERSIONS).ok());
    scene.deny(&["peer.test"]);
    for what in ["join", "leave", "knock"] {
        scene
            .peer
            .make(what, &scene.room_id, EVE, &VERSIONS)
            .refused(403, "M_FORBIDDEN");
    }
    for endpoint in [
        "v1/send_join",
        "v2/send_join",
        "v1/send_leave",
        "v2/send_leave",
        "v1/send_knock",
    ] {
        scene
            .peer
            .submit(endpoint, &scene.room_id, &join)
            .refused(403, "M_FORBIDDEN");
    }
    assert_eq!(scene.membership(EVE), "");
}

/// D8
#[test]
fn nobody_shuts_their_own_server_out() {
    let scene = Scene::new();
    let path = scene.alice.in_room(&scene.room_id, "state/m.room.server_acl/");
    for acl in [
        json!({ "allow": ["*"], "deny": ["example.*"] }),
        json!({ "allow": ["peer.test"] }),
    ] {
        scene.alice.put(&path, acl).refused(400, "M_INVALID_PARAM");
    }
    scene.peer.joins(&scene.room_id, EVE);
}

/// J5: what is sent is the signed membership that the path names, of the server's own user.
#[test]
fn only_the_membership_itself_is_taken() {
    let scene = Scene::new();
    let peer = &scene.peer;
    let made = peer.make("join", &scene.room_id, EVE, &VERSIONS).ok();
    let join = peer.sign_made(&made);
    let with = |change: &dyn Fn(&mut Value)| {
        let mut event = made["event"].clone();
        change(&mut event);
        peer.build(&event, "11")
    };
    let unsigned = Made {
        json: {
            let mut event = join.json.clone();
            event["signatures"] = json!({});
            event
        },
        ..join.clone()
    };
    let third = Peer::new(&scene.alice, "third.test");
    let cases = [
        ("unsigned", unsigned),
        ("signed by another", third.build(&made["event"], "11")),
        (
            "of another's user",
            with(&|event| {
                event["sender"] = json!("@eve:third.test");
                event["state_key"] = json!("@eve:third.test");
            }),
        ),
        (
            "of a user here",
            with(&|event| {
                event["sender"] = json!("@alice:example.org");
                event["state_key"] = json!("@alice:example.org");
            }),
        ),
        (
            "for somebody else",
            with(&|event| event["state_key"] = json!("@mallory:peer.test")),
        ),
        (
            "another membership",
            with(&|event| event["content"]["membership"] = json!("leave")),
        ),
        (
            "no membership",
            with(&|event| event["type"] = json!("m.room.topic")),
        ),
        (
            "of another room",
            with(&|event| event["room_id"] = json!("!other:example.org")),
        ),
        (
            "of unknown events",
            with(&|event| event["prev_events"] = json!(["$unknown"])),
        ),
        (
            "no event",
            Made {
                json: json!({ "type": "m.room.member" }),
                ..join.clone()
            },
        ),
    ];
    for (what, event) in &cases {
        for endpoint in ["v2/send_join", "v1/send_join"] {
            let reply = peer.submit(endpoint, &scene.room_id, event);
            assert!([400, 403].contains(&reply.status), "{what}: {reply}");
        }
    }
    let elsewhere = scene
        .alice
        .create_room(json!({ "preset": "public_chat", "room_version": "11" }));
    peer.submit("v2/send_join", &elsewhere, &join)
        .refused(400, "M_INVALID_PARAM");
    let renamed = Made {
        id: "$other".to_owned(),
        ..join.clone()
    };
    peer.submit("v2/send_join", &scene.room_id, &renamed)
        .refused(400, "M_INVALID_PARAM");
    for endpoint in ["v2/send_leave", "v1/send_leave", "v1/send_knock"] {
        peer.submit(endpoint, &scene.room_id, &join)
            .refused(400, "M_INVALID_PARAM");
    }
    third
        .submit("v2/send_join", &scene.room_id, &join)
        .refused(403, "M_FORBIDDEN");
    assert_eq!(scene.membership(EVE), "");
    peer.submit("v2/send_join", &scene.room_id, &join).ok();
}

/// J7: a join that is refused by the room as it is now is refused, though it was allowed when it was made.
#[test]
fn a_join_that_comes_too_late_is_refused() {
    let scene = Scene::new();
    let join = scene
        .peer
        .sign_made(&scene.peer.make("join", &scene.room_id, EVE, &VERSIONS).ok());
    scene
        .alice
        .post(
            &scene.alice.in_room(&scene.room_id, "ban"),
            json!({ "user_id": EVE }),
        )
        .ok();
    scene
        .peer
        .submit("v2/send_join", &scene.room_id, &join)
        .refused(403, "M_FORBIDDEN");
    assert_eq!(scene.membership(EVE), "ban");
}

/// The state of a large room comes in pieces.
#[test]
fn a_join_is_answered_with_all_of_the_state() {
    let scene = Scene::new();
    for n in 0..150 {
        let path = scene
            .alice
            .in_room(&scene.room_id, &format!("state/org.test/{n}"));
        scene.alice.put(&path, json!({ "n": n })).ok();
    }
    let room = scene.peer.joins(&scene.room_id, EVE);
    let of_test = room.state.iter().filter(|event| event["type"] == "org.test");
    let mut numbers: Vec<i64> = of_test
        .map(|event| event["content"]["n"].as_i64().unwrap())
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..150).collect::<Vec<_>>());
}

/// J2, J6, spec: `server-server-api §restricted-rooms`
#[test]
fn restricted_rooms_let_members_of_others_in() {
    let alice = Client::new().register("alice");
    let inner = alice.create_room(json!({ "preset": "public_chat", "room_version": "11" }));
    let rules = |rooms: &[&str]| {
        let allow = rooms
            .iter()
            .map(|room| json!({ "type": "m.room_membership", "room_id": room }));
        json!({ "join_rule": "restricted", "allow": allow.collect::<Vec<_>>() })
    };
    let state = |rules: Value| json!([{ "type": "m.room.join_rules", "state_key": "", "content": rules }]);
    let room_of =
        |rules: Value| alice.create_room(json!({ "room_version": "11", "initial_state": state(rules) }));
    let peer = Peer::new(&alice, "peer.test");
    let (known, unknown) = (
        room_of(rules(&[&inner])),
        room_of(rules(&["!elsewhere:third.test", &inner])),
    );
    peer.make("join", &known, EVE, &VERSIONS)
        .refused(403, "M_FORBIDDEN");
    peer.make("join", &unknown, EVE, &VERSIONS)
        .refused(400, "M_UNABLE_TO_AUTHORISE_JOIN");
    // A forged authoriser lets nobody in.
    let open = alice.create_room(json!({ "preset": "public_chat", "room_version": "11" }));
    let mut template = peer.make("join", &open, EVE, &VERSIONS).ok()["event"].clone();
    template["room_id"] = json!(known);
    template["content"]["join_authorised_via_users_server"] = json!("@alice:example.org");
    let forged = peer.build(&template, "11");
    assert!([400, 403].contains(&peer.submit("v2/send_join", &known, &forged).status));
    peer.joins(&inner, EVE);
    for room_id in [&known, &unknown] {
        let made = peer.make("join", room_id, EVE, &VERSIONS).ok();
        let via = &made["event"]["content"]["join_authorised_via_users_server"];
        assert_eq!(via, "@alice:example.org");
        let join = peer.sign_made(&made);
        let answer = peer.submit("v2/send_join", room_id, &join).ok();
        let signatures = answer["event"]["signatures"].as_object().unwrap();
        assert!(signatures.contains_key("example.org") && signatures.contains_key("peer.test"));
    }
    // Who leaves the other room in between is not let in.
    let late = room_of(rules(&[&inner]));
    let join = peer.sign_made(&peer.make("join", &late, EVE, &VERSIONS).ok());
    alice
        .post(&alice.in_room(&inner, "kick"), json!({ "user_id": EVE }))
        .ok();
    peer.submit("v2/send_join", &late, &join)
        .refused(403, "M_FORBIDDEN");
}

/// J8, M10
#[test]
fn a_user_of_another_server_knocks() {
    let scene = Scene::of(json!({ "room_version": "11", "name": "Room" }));
    scene.state("m.room.join_rules", json!({ "join_rule": "knock" }));
    let made = scene.peer.make("knock", &scene.room_id, EVE, &VERSIONS).ok();
    let knock = scene.peer.sign_made(&made);
    let answer = scene.peer.submit("v1/send_knock", &scene.room_id, &knock).ok();
    let shown = answer["knock_room_state"].as_array().unwrap();
    let create = shown
        .iter()
        .find(|event| event["type"] == "m.room.create")
        .unwrap();
    assert!(create["signatures"]["example.org"].is_object(), "whole events");
    assert!(
        shown
            .iter()
            .all(|event| event["type"] != "m.room.history_visibility")
    );
    assert_eq!(scene.membership(EVE), "knock");
}

/// Every answer of a version 2 join is wrapped for version 1, and the signature of a join covers what it was made of.
#[test]
fn a_join_whose_content_was_changed_is_refused() {
    let scene = Scene::new();
    let mut join = scene
        .peer
        .sign_made(&scene.peer.make("join", &scene.room_id, EVE, &VERSIONS).ok());
    join.json["content"]["displayname"] = json!("forged");
    scene
        .peer
        .submit("v2/send_join", &scene.room_id, &join)
        .refused(400, "M_INVALID_PARAM");
    let again = signed(join.json.clone(), "peer.test", &[&scene.peer.key]);
    join.json = again;
    scene
        .peer
        .submit("v2/send_join", &scene.room_id, &join)
        .refused(400, "M_INVALID_PARAM");
    assert_eq!(scene.membership(EVE), "");
}
