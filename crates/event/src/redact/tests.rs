use serde_json::{Value, json};

use super::*;

/// Everything that some version keeps, and what none does.
fn event(kind: &str) -> Map {
    let content = json!({
        "membership": "join", "join_authorised_via_users_server": "@a:b",
        "third_party_invite": {"signed": {"token": "t"}, "display_name": "x"},
        "creator": "@a:b", "room_version": "11", "join_rule": "public", "allow": [], "ban": 1, "events": {},
        "events_default": 1, "invite": 1, "kick": 1, "redact": 1, "state_default": 1, "users": {}, "users_default": 1,
        "notifications": {}, "aliases": [], "history_visibility": "shared", "redacts": "$x", "body": "hi",
    });
    let mut event = json!({
        "event_id": "$e:a", "room_id": "!r:a", "sender": "@a:b", "state_key": "", "content": content,
        "hashes": {"sha256": "x"}, "signatures": {"a": {}}, "depth": 1, "prev_events": [], "prev_state": [],
        "auth_events": [], "origin": "a", "origin_server_ts": 1, "membership": "join", "unsigned": {"age": 1},
        "redacts": "$x", "other": 1,
    });
    event["type"] = json!(kind);
    event.as_object().unwrap().clone()
}

fn kept(version: RoomVersion, kind: &str) -> Vec<String> {
    redact(version, &event(kind))["content"]
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect()
}

/// spec: `rooms/v1 §Redactions` to `rooms/v11 §Redactions`
#[test]
fn contents() {
    let levels = [
        "ban",
        "events",
        "events_default",
        "kick",
        "redact",
        "state_default",
        "users",
        "users_default",
    ];
    for version in RoomVersion::ALL {
        let check = |kind: &str, first: &[&str], more: &[(RoomVersion, &str)]| {
            let mut expected: Vec<_> = first.iter().map(|key| (*key).to_owned()).collect();
            let since = more.iter().filter(|(since, _)| version >= *since);
            expected.extend(since.map(|(_, key)| (*key).to_owned()));
            expected.sort();
            assert_eq!(kept(version, kind), expected, "{version} {kind}");
        };
        let authoriser = (RoomVersion::V9, "join_authorised_via_users_server");
        check(
            "m.room.member",
            &["membership"],
            &[authoriser, (RoomVersion::V11, "third_party_invite")],
        );
        check("m.room.join_rules", &["join_rule"], &[(RoomVersion::V8, "allow")]);
        check("m.room.power_levels", &levels, &[(RoomVersion::V11, "invite")]);
        check("m.room.history_visibility", &["history_visibility"], &[]);
        check("m.room.redaction", &[], &[(RoomVersion::V11, "redacts")]);
        check(
            "m.room.aliases",
            if version <= RoomVersion::V5 {
                &["aliases"]
            } else {
                &[]
            },
            &[],
        );
        check("m.room.message", &[], &[]);
        let create = kept(version, "m.room.create");
        let all = event("m.room.create")["content"].as_object().unwrap().len();
        assert_eq!(
            create.len(),
            if version >= RoomVersion::V11 { all } else { 1 },
            "{version}"
        );
        assert!(create.contains(&"creator".to_owned()));
    }
}

#[test]
fn of_a_third_party_invite_only_what_is_signed() {
    let invite = redact(RoomVersion::V11, &event("m.room.member"))["content"]["third_party_invite"].clone();
    assert_eq!(invite, json!({"signed": {"token": "t"}}));
    for (invite, expected) in [(json!({"x": 1}), Some(json!({}))), (json!("text"), None)] {
        let mut event = event("m.room.member");
        event["content"]["third_party_invite"] = invite;
        let redacted = redact(RoomVersion::V11, &event);
        assert_eq!(redacted["content"].get("third_party_invite"), expected.as_ref());
    }
}

#[test]
fn top_level() {
    for version in RoomVersion::ALL {
        let redacted = redact(version, &event("m.room.message"));
        for key in ["origin", "membership", "prev_state"] {
            assert_eq!(
                redacted.contains_key(key),
                version <= RoomVersion::V10,
                "{version} {key}"
            );
        }
        for key in ["unsigned", "redacts", "other"] {
            assert!(!redacted.contains_key(key), "{version} {key}");
        }
        for key in KEPT {
            assert!(redacted.contains_key(key), "{version} {key}");
        }
    }
}

/// A redacted event is redacted: doing it again changes nothing.
#[test]
fn once_is_enough() {
    for version in RoomVersion::ALL {
        for kind in [
            "m.room.member",
            "m.room.create",
            "m.room.power_levels",
            "m.room.message",
        ] {
            let once = redact(version, &event(kind));
            assert_eq!(redact(version, &once), once, "{version} {kind}");
        }
    }
}

#[test]
fn what_is_malformed_is_no_trouble() {
    let event = |value: Value| value.as_object().unwrap().clone();
    assert_eq!(redact(RoomVersion::V12, &Map::new()), Map::new());
    let odd = event(json!({"type": 5, "content": {"a": 1}}));
    assert_eq!(
        redact(RoomVersion::V12, &odd),
        event(json!({"type": 5, "content": {}}))
    );
    let float = event(json!({"type": "x", "content": {"a": 1.5}}));
    assert_eq!(redact(RoomVersion::V12, &float), Map::new());
    assert_eq!(
        redact(RoomVersion::V5, &float),
        event(json!({"type": "x", "content": {}}))
    );
}
