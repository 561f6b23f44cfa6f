use serde_json::json;

use super::*;
use crate::event::Event;
use crate::key::VerifyKeys;
use crate::pipeline::ReceivedEvent;

fn server() -> ServerName {
    ServerName::parse("example.org").unwrap()
}

fn key() -> SigningKey {
    SigningKey::from_seed("ed25519:1", &[7; 32]).unwrap()
}

fn template(version: RoomVersion, content: Value) -> Template {
    let id = |n: u8| EventId::parse(format!("$e{n}:example.org")).unwrap();
    Template {
        room_id: Some(
            RoomId::parse(if version == RoomVersion::V12 {
                "!abc"
            } else {
                "!abc:example.org"
            })
            .unwrap(),
        ),
        sender: UserId::parse("@alice:example.org").unwrap(),
        kind: "m.room.message".into(),
        state_key: None,
        content: content.as_object().unwrap().clone(),
        prev_events: vec![id(1)],
        auth_events: vec![id(2), id(3)],
        depth: 7,
        origin_server_ts: 1_700_000_000_000,
        redacts: None,
    }
}

/// What is built here is what another server accepts, and reads the same.
#[test]
fn built_events_are_received_whole() {
    let mut keys = VerifyKeys::new();
    keys.insert(&server(), "ed25519:1", key().public_key(i64::MAX));
    for version in RoomVersion::ALL {
        let template = template(version, json!({"body": "hi \u{1F600}\n", "n": 5}));
        let built = template.build(version, &server(), &key()).unwrap();
        let received = ReceivedEvent::parse(built.event().json().as_bytes(), version).unwrap();
        assert!(!received.was_redacted(), "{version}");
        let checked = received.verify(&keys).unwrap().unwrap();
        assert_eq!(checked.event(), built.event(), "{version}");
        let event = built.event();
        let stored = Event::from_stored(event.json(), event.event_id().clone(), version).unwrap();
        assert_eq!(
            (stored.depth(), stored.prev_events(), stored.auth_events().len()),
            (7, event.prev_events(), 2)
        );
        assert_eq!(stored.event_id().domain().is_some(), version <= RoomVersion::V2);
    }
}

#[test]
fn a_create_event_of_version_12_names_its_room() {
    let create = Template {
        room_id: None,
        kind: "m.room.create".into(),
        state_key: Some(String::new()),
        prev_events: vec![],
        auth_events: vec![],
        ..template(RoomVersion::V12, json!({"room_version": "12"}))
    };
    let built = create.clone().build(RoomVersion::V12, &server(), &key()).unwrap();
    let room_id = room_id_of_create(&built);
    assert_eq!(
        room_id.as_str().get(1..),
        built.event().event_id().as_str().get(1..)
    );
    assert_eq!(built.event().room_id_field(), None);
    let refused = create.build(RoomVersion::V11, &server(), &key());
    assert_eq!(refused.err(), Some(FormatError::Missing { field: "room_id" }));
}

#[test]
fn sizes_end_where_the_spec_says() {
    let with_body = |length: usize| {
        template(RoomVersion::V12, json!({"body": "x".repeat(length)})).build(
            RoomVersion::V12,
            &server(),
            &key(),
        )
    };
    let overhead = with_body(0).unwrap().event().json().len();
    let most = crate::limits::MAX_EVENT_BYTES - overhead;
    assert_eq!(with_body(most).unwrap().event().json().len(), 65_536);
    let refused = with_body(most + 1).unwrap_err();
    assert_eq!(refused, FormatError::TooLarge { bytes: 65_537 });
    assert!(refused.is_too_large());
}

#[test]
fn long_types_and_state_keys() {
    let named = |version, kind: String| {
        Template {
            kind,
            ..template(version, json!({}))
        }
        .build(version, &server(), &key())
    };
    assert!(named(RoomVersion::V12, "t".repeat(255)).is_ok());
    let refused = named(RoomVersion::V12, "t".repeat(256)).unwrap_err();
    assert_eq!(refused, FormatError::FieldTooLong { field: "type" });
    assert!(refused.is_too_large());
    assert!(
        named(RoomVersion::V10, "é".repeat(255)).is_ok(),
        "code points count before version 11"
    );
    assert!(named(RoomVersion::V11, "é".repeat(128)).is_err());
}

#[test]
fn numbers_that_canonical_json_has_not() {
    for version in RoomVersion::ALL {
        let built = template(version, json!({"n": 1.5})).build(version, &server(), &key());
        assert_eq!(built.is_ok(), version < RoomVersion::V6, "{version}");
    }
}

#[test]
fn depth_is_clamped() {
    for (version, most) in [(RoomVersion::V5, i64::MAX), (RoomVersion::V6, (1 << 53) - 1)] {
        let built = Template {
            depth: i64::MAX,
            ..template(version, json!({}))
        }
        .build(version, &server(), &key());
        assert_eq!(built.unwrap().event().depth(), most);
    }
}

#[test]
fn redactions_name_their_target_where_the_version_wants_it() {
    let target = EventId::parse("$target:example.org").unwrap();
    for version in RoomVersion::ALL {
        let redaction = Template {
            kind: "m.room.redaction".into(),
            redacts: Some(target.clone()),
            ..template(version, json!({}))
        };
        let built = redaction.build(version, &server(), &key()).unwrap();
        assert_eq!(built.event().redacts(), Some(&target));
        assert_eq!(
            built.event().content().contains_key("redacts"),
            version >= RoomVersion::V11
        );
    }
}

#[test]
fn co_signing_keeps_the_id() {
    let built = template(RoomVersion::V12, json!({}))
        .build(RoomVersion::V12, &server(), &key())
        .unwrap();
    let other = ServerName::parse("other.example:8448").unwrap();
    let other_key = SigningKey::from_seed("ed25519:b", &[9; 32]).unwrap();
    let both = built.co_sign(&other, &other_key).unwrap();
    assert_eq!(both.event().event_id(), built.event().event_id());
    let signed: Value = serde_json::from_str(both.event().json()).unwrap();
    assert_eq!(signed["signatures"].as_object().unwrap().len(), 2);
    assert_eq!(signed["signatures"]["example.org"].as_object().unwrap().len(), 1);
    let again = both
        .co_sign(&server(), &SigningKey::from_seed("ed25519:2", &[1; 32]).unwrap())
        .unwrap();
    let signed: Value = serde_json::from_str(again.event().json()).unwrap();
    assert_eq!(signed["signatures"]["example.org"].as_object().unwrap().len(), 2);
}
