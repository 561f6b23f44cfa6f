use serde_json::{Value, json};

use super::*;

fn usual(version: RoomVersion) -> Value {
    let refs = |ids: &[&str]| {
        let pairs = version.rules().references_are_pairs();
        ids.iter()
            .map(|id| {
                if pairs {
                    json!([id, {"sha256": "x"}])
                } else {
                    json!(id)
                }
            })
            .collect::<Value>()
    };
    json!({
        "event_id": "$own:a", "room_id": "!r:a", "sender": "@a:b", "type": "m.room.member", "state_key": "@a:b",
        "content": {"membership": "join"}, "prev_events": refs(&["$p"]), "auth_events": refs(&["$q", "$r"]),
        "depth": 5, "origin_server_ts": 6, "hashes": {"sha256": ""}, "signatures": {},
    })
}

fn parse(version: RoomVersion, value: &Value) -> Result<Event, FormatError> {
    Event::from_stored(&value.to_string(), EventId::parse("$id:a").unwrap(), version)
}

#[test]
fn fields() {
    for version in RoomVersion::ALL {
        let event = parse(version, &usual(version)).unwrap();
        assert_eq!(
            (event.event_id().as_str(), event.room_id().as_str()),
            ("$id:a", "!r:a")
        );
        assert_eq!(
            (event.sender().as_str(), event.kind(), event.state_key()),
            ("@a:b", "m.room.member", Some("@a:b"))
        );
        assert_eq!((event.depth(), event.origin_server_ts()), (5, 6));
        assert_eq!((event.prev_events().len(), event.auth_events().len()), (1, 2));
        assert_eq!(event.prev_events()[0], "$p");
        assert_eq!(
            (event.membership(), event.redacts()),
            (Some(Membership::Join), None)
        );
        assert!(event.is_state() && event.is_state_of("m.room.member", "@a:b"));
        assert!(!event.is_state_of("m.room.member", ""));
    }
}

#[test]
fn required_fields() {
    for version in RoomVersion::ALL {
        for field in [
            "sender",
            "type",
            "content",
            "prev_events",
            "auth_events",
            "depth",
            "origin_server_ts",
            "hashes",
            "signatures",
            "room_id",
            "event_id",
        ] {
            let mut event = usual(version);
            event.as_object_mut().unwrap().remove(field);
            let expected = match field {
                "event_id" if version > RoomVersion::V2 => None,
                field => Some(FormatError::Missing { field }),
            };
            assert_eq!(parse(version, &event).err(), expected, "{version} {field}");
        }
    }
}

#[test]
fn types_of_fields() {
    for version in RoomVersion::ALL {
        for field in [
            "sender",
            "type",
            "content",
            "prev_events",
            "auth_events",
            "depth",
            "origin_server_ts",
            "hashes",
            "signatures",
            "room_id",
            "state_key",
        ] {
            for value in [json!(null), json!(true), json!(1.5)] {
                let mut event = usual(version);
                event[field] = value;
                assert_eq!(
                    parse(version, &event).err(),
                    Some(FormatError::WrongType { field }),
                    "{version} {field}"
                );
            }
        }
        for (field, value) in [
            ("prev_events", json!([5])),
            ("auth_events", json!([{}])),
            ("hashes", json!({"sha256": 5})),
        ] {
            let mut event = usual(version);
            event[field] = value;
            assert!(parse(version, &event).is_err(), "{version} {field}");
        }
    }
}

/// Pairs in versions 1 and 2, ids from 3 on.
#[test]
fn references_by_version() {
    let mut old = usual(RoomVersion::V1);
    assert!(parse(RoomVersion::V3, &old).is_err());
    old["prev_events"] = json!([["$p"], ["$q", {}, 5]]);
    assert_eq!(parse(RoomVersion::V1, &old).unwrap().prev_events().len(), 2);
    assert!(parse(RoomVersion::V2, &usual(RoomVersion::V3)).is_err());
}

#[test]
fn counts_of_references() {
    let with = |field: &str, count: usize| {
        let mut event = usual(RoomVersion::V12);
        event[field] = (0..count).map(|n| json!(format!("$e{n}"))).collect();
        parse(RoomVersion::V12, &event).err()
    };
    for (field, most) in [("prev_events", 20), ("auth_events", 10)] {
        assert_eq!(with(field, most), None);
        assert!(matches!(with(field, most + 1), Some(FormatError::TooMany { .. })));
    }
}

#[test]
fn depth() {
    for version in RoomVersion::ALL {
        let with = |depth: Value| {
            let mut event = usual(version);
            event["depth"] = depth;
            parse(version, &event).map(|event| event.depth())
        };
        assert_eq!(with(json!(0)), Ok(0));
        assert_eq!(with(json!(-1)), Err(FormatError::Depth));
        assert_eq!(with(json!((1_i64 << 53) - 1)), Ok((1 << 53) - 1));
        let old = version < RoomVersion::V6;
        assert_eq!(with(json!(1_i64 << 53)).is_ok(), old, "{version}");
        assert_eq!(with(json!(i64::MAX)).is_ok(), old, "{version}");
        assert!(with(json!(u64::MAX)).is_err());
    }
}

#[test]
fn identifiers() {
    for (field, value) in [
        ("sender", "a:b"),
        ("sender", "@a"),
        ("room_id", "r"),
        ("room_id", "!"),
    ] {
        let mut event = usual(RoomVersion::V12);
        event[field] = json!(value);
        assert!(
            matches!(
                parse(RoomVersion::V12, &event),
                Err(FormatError::Identifier { .. })
            ),
            "{field} {value}"
        );
    }
    let mut event = usual(RoomVersion::V12);
    event["sender"] = json!(format!("@{}:b", "a".repeat(300)));
    assert!(parse(RoomVersion::V12, &event).unwrap_err().is_too_large());
    let mut event = usual(RoomVersion::V1);
    event["event_id"] = json!("$nodomain");
    assert!(matches!(
        parse(RoomVersion::V1, &event),
        Err(FormatError::Identifier {
            field: "event_id",
            ..
        })
    ));
    event["event_id"] = json!("anything");
    event["prev_events"] = json!([]);
    event["auth_events"] = json!([]);
    assert!(
        parse(RoomVersion::V3, &event).is_ok(),
        "from version 3 on the field is nothing"
    );
}

#[test]
fn memberships() {
    for name in ["join", "invite", "leave", "ban", "knock"] {
        assert_eq!(Membership::from_name(name).unwrap().as_str(), name);
    }
    assert_eq!(Membership::from_name("Join"), None);
    let mut event = usual(RoomVersion::V12);
    event["type"] = json!("m.room.topic");
    assert_eq!(parse(RoomVersion::V12, &event).unwrap().membership(), None);
}

#[test]
fn redacted_form_keeps_the_id() {
    let mut event = usual(RoomVersion::V12);
    event["content"]["displayname"] = json!("Ann");
    event["unsigned"] = json!({"age": 1});
    let event = parse(RoomVersion::V12, &event).unwrap();
    let redacted = event.redacted().unwrap();
    assert_eq!(redacted.event_id(), event.event_id());
    assert_eq!(redacted.content().len(), 1);
    assert!(!redacted.json().contains("unsigned"));
}
