//! Rooms: making them, entering, speaking, reading.

use serde_json::{Value, json};

use crate::client::{Client, percent};

/// Alice's room with Bob in it, and a stranger.
struct Scene {
    alice: Client,
    bob: Client,
    eve: Client,
    room_id: String,
}

fn scene() -> Scene {
    let client = Client::new();
    let (alice, bob, eve) = (
        client.register("alice"),
        client.register("bob"),
        client.register("eve"),
    );
    let room_id = alice.create_room(json!({ "name": "Room", "invite": [bob.user_id] }));
    bob.join(&room_id).ok();
    Scene {
        alice,
        bob,
        eve,
        room_id,
    }
}

fn bodies(events: &Value) -> Vec<&str> {
    let events = events.as_array().unwrap().iter();
    events
        .filter_map(|event| event["content"]["body"].as_str())
        .collect()
}

#[test]
fn rooms_of_every_version_can_be_made() {
    let alice = Client::new().register("alice");
    for version in 1..=12 {
        let room_id =
            alice.create_room(json!({ "room_version": version.to_string(), "preset": "public_chat" }));
        assert_eq!(room_id.contains(':'), version < 12, "{room_id}");
        let create = alice.get(&alice.in_room(&room_id, "state/m.room.create/")).ok();
        assert_eq!(create["room_version"], version.to_string());
        alice.say(&room_id, "1", "hello");
    }
    alice
        .post("createRoom", json!({ "room_version": "13" }))
        .refused(400, "M_UNSUPPORTED_ROOM_VERSION");
}

#[test]
fn rooms_made_alike_at_once_are_two() {
    let alice = Client::new().register("alice");
    assert_ne!(alice.create_room(json!({})), alice.create_room(json!({})));
    assert_eq!(
        alice.get("joined_rooms").ok()["joined_rooms"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
}

#[test]
fn a_room_that_cannot_be_is_not_half_made() {
    let alice = Client::new().register("alice");
    let wrong = [
        (
            json!({ "initial_state": [{ "type": "x", "content": { "n": 1.5 } }] }),
            400,
        ),
        (
            json!({ "initial_state": [{ "type": "x", "content": "text" }] }),
            400,
        ),
        (
            json!({ "initial_state": [{ "type": "x", "content": { "x": "x".repeat(70_000) } }] }),
            413,
        ),
        (json!({ "invite": ["nobody"] }), 400),
        (json!({ "creation_content": { "n": 1.5 } }), 400),
        (
            json!({ "power_level_content_override": { "users": { alice.user_id.as_str(): 100 } } }),
            400,
        ),
        (json!({ "room_alias_name": "room" }), 400),
        (json!({ "name": "x".repeat(70_000) }), 413),
    ];
    for (body, status) in wrong {
        let reply = alice.post("createRoom", body);
        assert_eq!(reply.status, status, "{reply}");
    }
    assert_eq!(alice.get("joined_rooms").ok(), json!({ "joined_rooms": [] }));
}

#[test]
fn presets_make_what_they_say() {
    let scene = scene();
    let of = |room_id: &str, kind: &str| {
        scene
            .alice
            .get(&scene.alice.in_room(room_id, &format!("state/{kind}/")))
            .ok()
    };
    assert_eq!(of(&scene.room_id, "m.room.join_rules")["join_rule"], "invite");
    assert_eq!(of(&scene.room_id, "m.room.name")["name"], "Room");
    let public = scene
        .alice
        .create_room(json!({ "visibility": "public", "topic": "T" }));
    assert_eq!(of(&public, "m.room.join_rules")["join_rule"], "public");
    assert_eq!(of(&public, "m.room.topic")["topic"], "T");
    scene
        .eve
        .post(&format!("join/{}", percent(&public)), json!({}))
        .ok();
    scene.eve.join(&scene.room_id).refused(403, "M_FORBIDDEN");
}

#[test]
fn a_send_asks_the_user_once_and_the_room_once() {
    let scene = scene();
    scene.alice.house().take_asked();
    scene.alice.say(&scene.room_id, "1", "hello");
    let asked: Vec<(&str, u64)> = scene.alice.house().take_asked().into_iter().collect();
    assert_eq!(asked, [("room", 1), ("user", 1)]);
}

#[test]
fn a_transaction_twice_is_one_event() {
    let scene = scene();
    let first = scene.alice.say(&scene.room_id, "1", "hello");
    assert_eq!(scene.alice.say(&scene.room_id, "1", "hello"), first);
    let page = scene
        .bob
        .get(&scene.bob.in_room(&scene.room_id, "messages?dir=b&limit=100"))
        .ok();
    assert_eq!(bodies(&page["chunk"]), ["hello"]);
}

#[test]
fn events_are_read_singly_and_redacted() {
    let scene = scene();
    let event_id = scene.alice.say(&scene.room_id, "1", "hello");
    let path = scene
        .bob
        .in_room(&scene.room_id, &format!("event/{}", percent(&event_id)));
    assert_eq!(scene.bob.get(&path).ok()["content"]["body"], "hello");
    assert_ne!(scene.eve.get(&path).status, 200);
    let redact = scene
        .alice
        .in_room(&scene.room_id, &format!("redact/{}/2", percent(&event_id)));
    scene.alice.put(&redact, json!({ "reason": "typo" })).ok();
    assert_eq!(scene.bob.get(&path).ok()["content"], json!({}));
}

#[test]
fn what_is_not_there_yet_is_refused_rather_than_done_otherwise() {
    let scene = scene();
    let path = |query: &str| {
        scene
            .alice
            .in_room(&scene.room_id, &format!("send/m.room.message/1?{query}"))
    };
    for query in [
        "org.matrix.msc4140.delay=1000",
        "org.matrix.msc4354.sticky_duration_ms=1",
    ] {
        scene
            .alice
            .put(&path(query), json!({}))
            .refused(400, "M_INVALID_PARAM");
    }
    scene
        .alice
        .post("join/%23room:example.org", json!({}))
        .refused(404, "M_NOT_FOUND");
    let elsewhere = json!({ "user_id": "@bob:elsewhere.org" });
    scene
        .alice
        .post(&scene.alice.in_room(&scene.room_id, "invite"), elsewhere)
        .refused(502, "M_UNKNOWN");
}

#[test]
fn state_is_set_and_read_in_both_forms() {
    let scene = scene();
    let path = |rest: &str| scene.alice.in_room(&scene.room_id, rest);
    let content = json!({ "most": 9_007_199_254_740_991_u64, "key": "a/b" });
    scene
        .alice
        .put(&path("state/org.example/a%2Fb"), content.clone())
        .ok();
    assert_eq!(scene.bob.get(&path("state/org.example/a%2Fb")).ok(), content);
    let event = scene.bob.get(&path("state/org.example/a%2Fb?format=event")).ok();
    assert_eq!(
        (&event["state_key"], &event["content"]),
        (&json!("a/b"), &content)
    );
    scene
        .bob
        .get(&path("state/org.example/"))
        .refused(404, "M_NOT_FOUND");
    scene
        .bob
        .put(&path("state/m.room.name"), json!({ "name": "Mine" }))
        .refused(403, "M_FORBIDDEN");
    scene.eve.get(&path("state")).refused(403, "M_FORBIDDEN");
    let state = scene.bob.get(&path("state")).ok();
    assert!(
        state
            .as_array()
            .unwrap()
            .iter()
            .any(|event| event["type"] == "m.room.create")
    );
    for number in ["1.5", "9007199254740992", "1e3"] {
        let body = format!("{{\"n\":{number}}}");
        let path = format!("/_matrix/client/v3/{}", path("state/org.example/"));
        scene.alice.send("PUT", &path, body).refused(400, "M_BAD_JSON");
    }
}

#[test]
fn memberships_are_not_set_as_state_by_way_of_nonsense() {
    let scene = scene();
    let set = |user: &str, content: Value| {
        let path = scene
            .alice
            .in_room(&scene.room_id, &format!("state/m.room.member/{}", percent(user)));
        scene.alice.put(&path, content)
    };
    set(&scene.alice.user_id, json!({ "membership": "king" })).refused(400, "M_BAD_JSON");
    set(&scene.alice.user_id, json!({})).refused(400, "M_BAD_JSON");
    set("alice", json!({ "membership": "join" })).refused(400, "M_INVALID_PARAM");
    set(&scene.eve.user_id, json!({ "membership": "join" })).refused(403, "M_FORBIDDEN");
    set(
        &scene.alice.user_id,
        json!({ "membership": "join", "displayname": "Here only" }),
    )
    .ok();
}

#[test]
fn memberships_change_by_their_endpoints() {
    let scene = scene();
    let act = |who: &Client, verb: &str, whom: &Client| {
        who.post(
            &who.in_room(&scene.room_id, verb),
            json!({ "user_id": whom.user_id, "reason": "why" }),
        )
    };
    act(&scene.bob, "kick", &scene.alice).refused(403, "M_FORBIDDEN");
    act(&scene.alice, "kick", &scene.bob).ok();
    act(&scene.alice, "ban", &scene.bob).ok();
    scene.bob.join(&scene.room_id).refused(403, "M_FORBIDDEN");
    act(&scene.alice, "unban", &scene.bob).ok();
    scene.alice.invite(&scene.room_id, &scene.bob).ok();
    scene.bob.join(&scene.room_id).ok();
    let forget = scene.bob.in_room(&scene.room_id, "forget");
    assert_eq!(scene.bob.post(&forget, json!({})).status, 400, "while joined");
    scene
        .bob
        .send(
            "POST",
            &format!(
                "/_matrix/client/v3/{}",
                scene.bob.in_room(&scene.room_id, "leave")
            ),
            "",
        )
        .ok();
    scene.bob.post(&forget, json!({})).ok();
    assert_eq!(scene.bob.get("joined_rooms").ok(), json!({ "joined_rooms": [] }));
}

#[test]
fn members_are_listed() {
    let scene = scene();
    let members = |query: &str| {
        let chunk = scene
            .alice
            .get(&scene.alice.in_room(&scene.room_id, &format!("members{query}")))
            .ok();
        chunk["chunk"].as_array().unwrap().len()
    };
    let before = scene.alice.sync("timeout=0")["next_batch"]
        .as_str()
        .unwrap()
        .to_owned();
    scene.alice.invite(&scene.room_id, &scene.eve).ok();
    assert_eq!(
        (
            members(""),
            members("?membership=join"),
            members("?not_membership=join")
        ),
        (3, 2, 1)
    );
    assert_eq!(members(&format!("?at={before}")), 2, "as a sync token saw it");
    let refused = scene
        .alice
        .get(&scene.alice.in_room(&scene.room_id, "members?membership=king"));
    refused.refused(400, "M_INVALID_PARAM");
    let joined = scene
        .alice
        .get(&scene.alice.in_room(&scene.room_id, "joined_members"))
        .ok();
    assert_eq!(joined["joined"].as_object().unwrap().len(), 2);
    scene
        .eve
        .get(&scene.eve.in_room(&scene.room_id, "joined_members"))
        .refused(403, "M_FORBIDDEN");
}

#[test]
fn messages_are_paged_from_tokens_of_both_kinds() {
    let scene = scene();
    for number in 0..5 {
        scene
            .alice
            .say(&scene.room_id, &number.to_string(), &format!("m{number}"));
    }
    let sync = scene.bob.sync("timeout=0");
    let since = sync["next_batch"].as_str().unwrap();
    let page = |query: &str| {
        scene
            .bob
            .get(&scene.bob.in_room(&scene.room_id, &format!("messages?{query}")))
            .ok()
    };
    let first = page(&format!("dir=b&limit=2&from={since}"));
    assert_eq!(bodies(&first["chunk"]), ["m4", "m3"]);
    let second = page(&format!("dir=b&limit=2&from={}", first["end"].as_str().unwrap()));
    assert_eq!(bodies(&second["chunk"]), ["m2", "m1"]);
    let filter = percent(r#"{"types":["m.room.name"]}"#);
    assert_eq!(
        page(&format!("dir=f&limit=100&filter={filter}"))["chunk"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    for query in [
        "dir=x",
        "limit=5",
        "dir=b&limit=-1",
        "dir=b&from=nonsense",
        "dir=b&filter=[",
    ] {
        let reply = scene
            .bob
            .get(&scene.bob.in_room(&scene.room_id, &format!("messages?{query}")));
        assert_eq!(reply.status, 400, "{query}: {reply}");
    }
    scene
        .eve
        .get(&scene.eve.in_room(&scene.room_id, "messages?dir=b"))
        .refused(403, "M_FORBIDDEN");
}

#[test]
fn rate_limits_hold_for_sends() {
    let mut settings = crate::client::settings();
    settings.rate_limits = true;
    let alice = Client::of(settings).register("alice");
    let room_id = alice.create_room(json!({}));
    let path = |number| alice.in_room(&room_id, &format!("send/m.room.message/{number}"));
    let replies = (0..200).map(|number| alice.put(&path(number), json!({ "body": "x" })));
    let refused: Vec<_> = replies.filter(|reply| reply.status != 200).collect();
    assert!(!refused.is_empty() && refused.len() < 200, "{}", refused.len());
    refused
        .iter()
        .for_each(|reply| reply.refused(429, "M_LIMIT_EXCEEDED"));
    assert!(refused[0].headers.contains_key("retry-after"));
}
