use serde_json::json;

use super::*;

fn minimal() -> Map {
    let event = json!({
        "room_id": "!x:domain", "sender": "@a:domain", "origin": "domain", "origin_server_ts": 1_000_000,
        "type": "X", "content": {}, "prev_events": [], "auth_events": [], "depth": 3,
    });
    event.as_object().unwrap().clone()
}

/// The hash in `appendices §Event Signing`.
#[test]
fn content_hash_of_the_spec() {
    let mut event = minimal();
    let expected = "5jM4wQpv6lnBo7CLIghJuHdW+s2CMBJPUOGOC89ncos";
    assert_eq!(
        STANDARD.encode(content_hash(RoomVersion::V1, &event).unwrap()),
        expected
    );
    for ignored in ["hashes", "signatures", "unsigned"] {
        event.insert(ignored.into(), json!({"a": 1}));
    }
    assert_eq!(
        STANDARD.encode(content_hash(RoomVersion::V12, &event).unwrap()),
        expected
    );
    event.insert("more".into(), json!(1));
    assert_ne!(
        STANDARD.encode(content_hash(RoomVersion::V12, &event).unwrap()),
        expected
    );
}

#[test]
fn the_hash_of_nothing_is_that_of_an_empty_object() {
    assert_eq!(
        content_hash(RoomVersion::V12, &Map::new()).unwrap(),
        <Hash>::from(Sha256::digest("{}"))
    );
    let covered = json!({"hashes": {}}).as_object().unwrap().clone();
    assert_eq!(
        content_hash(RoomVersion::V12, &covered).unwrap(),
        <Hash>::from(Sha256::digest("{}"))
    );
}

/// What redaction removes is not in the reference hash; what signatures say neither.
#[test]
fn reference_hash_covers_what_redaction_keeps() {
    let mut event = minimal();
    let hash = |event: &Map| reference_hash(RoomVersion::V11, event).unwrap();
    let before = hash(&event);
    for (key, value) in [
        ("signatures", json!({"a": 1})),
        ("unsigned", json!({"a": 1.5})),
        ("origin", json!("b")),
    ] {
        let mut changed = event.clone();
        changed.insert(key.into(), value);
        if key != "unsigned" {
            assert_eq!(hash(&changed), before, "{key}");
        }
    }
    event["content"]["body"] = json!("x");
    assert_eq!(hash(&event), before);
    event.insert("hashes".into(), json!({"sha256": "x"}));
    assert_ne!(
        hash(&event),
        before,
        "the content hash ties the content to the id"
    );
}

/// spec: `rooms §Event IDs`
#[test]
fn ids_by_version() {
    let id = |version: RoomVersion| event_id(version.rules(), &[0xfb; 32]).map(String::from);
    assert_eq!(id(RoomVersion::V1), None);
    assert_eq!(id(RoomVersion::V2), None);
    assert_eq!(
        id(RoomVersion::V3).unwrap(),
        "$+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/s"
    );
    assert_eq!(
        id(RoomVersion::V4).unwrap(),
        "$-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_s"
    );
    assert_eq!(id(RoomVersion::V12), id(RoomVersion::V4));
}

#[test]
fn strict_versions_have_no_hash_of_floats() {
    let mut event = minimal();
    event["content"]["n"] = json!(1.5);
    assert_eq!(
        content_hash(RoomVersion::V6, &event),
        Err(CanonicalError::NotAnInteger)
    );
    assert_eq!(
        reference_hash(RoomVersion::V6, &event),
        Err(CanonicalError::NotAnInteger)
    );
    assert!(content_hash(RoomVersion::V5, &event).is_ok());
}
