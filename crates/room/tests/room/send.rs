//! spec: client-server-api §sending-events-to-a-room.

use selvage_sim::asks::{self, errcode};
use serde_json::json;

use crate::fixture::{ALICE, BOB, CAROL, Fixture, MOD, refused};

#[test]
fn a_message_is_what_was_sent() {
    let mut fixture = Fixture::peopled("invite", "shared");
    let id = fixture.said(BOB, "hello");
    let event = fixture.event(ALICE, &id).unwrap();
    assert_eq!(event["content"], json!({ "body": "hello", "msgtype": "m.text" }));
    assert_eq!(
        (&event["sender"], &event["type"]),
        (&json!(BOB), &json!("m.room.message"))
    );
    assert_eq!(event["room_id"], json!(fixture.room_id()));
    assert_eq!(event["origin_server_ts"], json!(fixture.server.now().0));
    assert_eq!(event["unsigned"], json!({ "age": 0, "membership": "join" }));
    assert!(!event.contains_key("state_key"));
}

#[test]
fn an_event_shows_what_it_replaced_and_its_age() {
    let mut fixture = Fixture::peopled("invite", "shared");
    let first = asks::event_id(fixture.put(ALICE, "m.room.topic", "", &json!({ "topic": "tea" })));
    let second = asks::event_id(fixture.put(MOD, "m.room.topic", "", &json!({ "topic": "cake" })));
    fixture.server.tick(1_234);
    let event = fixture.event(BOB, &second).unwrap();
    assert_eq!(
        event["unsigned"],
        json!({ "age": 1_234, "membership": "join", "prev_content": { "topic": "tea" }, "replaces_state": first })
    );
}

#[test]
fn setting_state_to_what_it_is_returns_the_same_event() {
    let mut fixture = Fixture::peopled("invite", "shared");
    let topic = json!({ "topic": "tea", "more": { "b": 1, "a": [true, null] } });
    let first = fixture.put(MOD, "m.room.topic", "", &topic).unwrap();
    let events = fixture.events();
    assert_eq!(fixture.put(MOD, "m.room.topic", "", &topic).unwrap(), first);
    assert_eq!(fixture.events(), events);
    let cases = [
        (ALICE, "", topic.clone()),
        (MOD, "other", topic.clone()),
        (MOD, "", json!({ "topic": "cake" })),
    ];
    for (by, key, content) in cases {
        assert_ne!(fixture.put(by, "m.room.topic", key, &content).unwrap(), first);
    }
    assert_eq!(fixture.events(), events + 3);
}

#[test]
fn what_is_no_event_is_refused() {
    let mut fixture = Fixture::peopled("invite", "shared");
    let long = "x".repeat(256);
    let cases = [
        (
            "a float",
            "M_BAD_JSON",
            asks::event(BOB, None, "m.x", None, &json!({ "x": 1.5 })),
        ),
        (
            "a float without fraction",
            "M_BAD_JSON",
            asks::event(BOB, None, "m.x", None, &json!({ "x": 1.0 })),
        ),
        (
            "an integer of 2^53",
            "M_BAD_JSON",
            asks::event(BOB, None, "m.x", None, &json!({ "x": 1_u64 << 53 })),
        ),
        (
            "an integer of -2^53",
            "M_BAD_JSON",
            asks::event(BOB, None, "m.x", None, &json!({ "x": -(1_i64 << 53) })),
        ),
        (
            "a list",
            "M_BAD_JSON",
            asks::event(BOB, None, "m.x", None, &json!([1])),
        ),
        (
            "a text",
            "M_BAD_JSON",
            asks::event(BOB, None, "m.x", None, &json!("x")),
        ),
        (
            "a type of 256 bytes",
            "M_TOO_LARGE",
            asks::event(BOB, None, &long, None, &json!({})),
        ),
        (
            "a state key of 256 bytes",
            "M_TOO_LARGE",
            asks::event(ALICE, None, "m.x", Some(&long), &json!({})),
        ),
        (
            "no user id",
            "M_INVALID_PARAM",
            asks::event("bob", None, "m.x", None, &json!({})),
        ),
        (
            "a redaction of nothing",
            "M_MISSING_PARAM",
            asks::event(BOB, None, "m.room.redaction", None, &json!({})),
        ),
    ];
    for (what, code, send) in cases {
        refused(&mut fixture, code, what, |fixture| {
            fixture.server.ask(&fixture.room, send)
        });
    }
}

#[test]
fn limits_include_their_last_value() {
    let mut fixture = Fixture::peopled("invite", "shared");
    let longest = "x".repeat(255);
    for send in [
        asks::event(BOB, None, &longest, None, &json!({})),
        asks::event(ALICE, None, "m.x", Some(&longest), &json!({})),
        asks::event(
            BOB,
            None,
            "m.x",
            None,
            &json!({ "x": (1_u64 << 53) - 1, "y": -((1_i64 << 53) - 1) }),
        ),
    ] {
        fixture.server.ask(&fixture.room, send).unwrap();
    }
}

#[test]
fn an_event_has_at_most_65536_bytes() {
    let mut fixture = Fixture::peopled("invite", "shared");
    let of = |length: usize| asks::event(BOB, None, "m.x", None, &json!({ "x": "y".repeat(length) }));
    // All such events have the same overhead, as long as depth and time have as many digits: find it by halving.
    let (mut fits, mut too_large) = (60_000, 65_536);
    while too_large - fits > 1 {
        let middle = usize::midpoint(fits, too_large);
        let sent = fixture.server.ask(&fixture.room, of(middle));
        if sent.is_ok() {
            fits = middle
        } else {
            too_large = middle
        }
    }
    let shard = fixture.server.shard_of(&fixture.room);
    let sql = "SELECT max(length(json)) FROM room_events";
    assert_eq!(
        fixture.server.rows(&shard, sql, &[])[0].number(0).unwrap(),
        65_536
    );
    refused(&mut fixture, "M_TOO_LARGE", "one byte more", |fixture| {
        fixture.server.ask(&fixture.room, of(too_large))
    });
}

#[test]
fn a_room_that_is_not_here_looks_like_one_that_is_closed() {
    let mut fixture = Fixture::peopled("invite", "shared");
    let closed = fixture.say(CAROL, "hello").unwrap_err();
    let nowhere = selvage_protocol::room_key("!nowhere:test");
    let absent = fixture.server.ask(&nowhere, asks::message(CAROL, "1", "hello"));
    assert_eq!(errcode(absent), "M_FORBIDDEN");
    assert!(closed.to_string().contains("M_FORBIDDEN"));
}
