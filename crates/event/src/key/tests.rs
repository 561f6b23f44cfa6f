use serde_json::{Value, json};

use super::*;
use crate::Map;
use crate::canonical::Mode;

/// The key of `appendices §Cryptographic Test Vectors`.
fn key() -> SigningKey {
    let seed = encoding::STANDARD
        .decode("YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1")
        .unwrap();
    SigningKey::from_seed("ed25519:1", &seed.try_into().unwrap()).unwrap()
}

fn domain() -> ServerName {
    ServerName::parse("domain").unwrap()
}

fn object(value: Value) -> Map {
    value.as_object().unwrap().clone()
}

fn check_signed(value: Value, signature: &str) {
    let mut signed = object(value);
    key().sign_json(&domain(), &mut signed).unwrap();
    assert_eq!(signed["signatures"]["domain"]["ed25519:1"], signature);
    let mut keys = VerifyKeys::new();
    keys.insert(&domain(), "ed25519:1", key().public_key(0));
    assert_eq!(verify_json(&signed, &domain(), &keys), Ok(Ok(())));
}

/// spec: `appendices §JSON Signing`
#[test]
fn spec_vectors_of_signed_json() {
    check_signed(
        json!({}),
        "K8280/U9SSy9IVtjBuVeLr+HpOB4BQFWbg+UZaADMtTdGYI7Geitb76LTrr5QV/7Xg4ahLwYGYZzuHGZKM5ZAQ",
    );
    let signature = "KqmLSbO39/Bzb0QIYE82zqLwsA+PDzYIpIRA2sRQ4sL53+sN6/fpNSoqE7BP7vBZhG6kYdD13EIMJpvhJI+6Bw";
    check_signed(json!({"one": 1, "two": "Two"}), signature);
    check_signed(json!({"one": 1, "two": "Two", "unsigned": {"n": 1.5}}), signature);
}

/// spec: `appendices §Event Signing`. The vectors are of the days of room version 1 and lack fields that events must
/// have, so they go through the hashing and signing functions and not through the pipeline.
#[test]
fn spec_vectors_of_signed_events() {
    let minimal = json!({"room_id": "!x:domain", "sender": "@a:domain", "origin": "domain",
        "origin_server_ts": 1_000_000, "signatures": {}, "hashes": {}, "type": "X", "content": {},
        "prev_events": [], "auth_events": [], "depth": 3, "unsigned": {"age_ts": 1_000_000}});
    check_event(
        minimal,
        "5jM4wQpv6lnBo7CLIghJuHdW+s2CMBJPUOGOC89ncos",
        "KxwGjPSDEtvnFgU00fwFz+l6d2pJM6XBIaMEn81SXPTRl16AqLAYqfIReFGZlHi5KLjAWbOoMszkwsQma+lYAg",
    );
    let message = json!({"content": {"body": "Here is the message content"}, "event_id": "$0:domain",
        "origin": "domain", "origin_server_ts": 1_000_000, "type": "m.room.message", "room_id": "!r:domain",
        "sender": "@u:domain", "signatures": {}, "unsigned": {"age_ts": 1_000_000}});
    check_event(
        message,
        "onLKD1bGljeBWQhWZ1kaP9SorVmRQNdN5aM2JYU2n/g",
        "Wm+VzmOUOz08Ds+0NTWb1d4CZrVsJSikkeRxh6aCcUwu6pNC78FunoD7KNWzqFn241eYHYMGCA5McEiVPdhzBA",
    );
}

fn check_event(event: Value, hash: &str, signature: &str) {
    let mut event = object(event);
    let version = crate::RoomVersion::V1;
    let computed = crate::hash::content_hash(version, &event).unwrap();
    assert_eq!(encoding::STANDARD.encode(computed), hash);
    event.insert("hashes".into(), json!({"sha256": hash}));
    let text = crate::canonical::object_to_canonical(&event, Mode::Lenient, 100).unwrap();
    let signed = crate::build::co_signed(version.rules(), &text, &domain(), &key());
    let signed: Value = serde_json::from_str(&signed).unwrap();
    assert_eq!(signed["signatures"]["domain"]["ed25519:1"], signature);
}

#[test]
fn key_ids() {
    for good in ["ed25519:1", "ed25519:a_B9"] {
        assert!(SigningKey::from_seed(good, &[1; 32]).is_ok(), "{good}");
    }
    for bad in [
        "ed25519:",
        "ed25519",
        "ed25519:a-b",
        "ed25519:a b",
        "curve25519:a",
        "ed25519:\"",
        "",
    ] {
        assert_eq!(
            SigningKey::from_seed(bad, &[1; 32]).err(),
            Some(KeyError::KeyId),
            "{bad}"
        );
    }
}

#[test]
fn public_keys_come_with_and_without_padding() {
    let base64 = key().public_key_base64();
    assert!(PublicKey::from_base64(&base64, 0).is_ok());
    assert!(PublicKey::from_base64(&format!("{base64}="), 0).is_ok());
    assert_eq!(PublicKey::from_base64("AAAA", 0).err(), Some(KeyError::PublicKey));
    assert_eq!(PublicKey::from_base64("?", 0).err(), Some(KeyError::PublicKey));
}

/// The public key 0…0 1 is a point of small order: with it, one signature fits many messages.
#[test]
fn small_order_keys_verify_nothing() {
    let mut identity = [0; 32];
    identity[0] = 1;
    let Ok(key) = PublicKey::from_bytes(&identity, 0) else {
        return;
    };
    let mut signature = [0; 64];
    signature[0] = 1;
    assert!(!key.verifies(b"anything", &encoding::STANDARD.encode(signature)));
}

/// spec: `appendices §Checking for a Signature`, and v1.19 on several signatures: unknown keys are passed over, one
/// wrong signature by a known key spoils the rest.
#[test]
fn checking_for_a_signature() {
    let other = SigningKey::from_seed("ed25519:2", &[3; 32]).unwrap();
    let mut keys = VerifyKeys::new();
    let mut signed = object(json!({"a": 1}));
    let missing = SignatureError::Missing { server: domain() };
    assert_eq!(verify_json(&signed, &domain(), &keys), Ok(Err(missing.clone())));
    signed.insert("signatures".into(), json!({"domain": {"rsa:1": "x"}}));
    assert_eq!(verify_json(&signed, &domain(), &keys), Ok(Err(missing)));

    key().sign_json(&domain(), &mut signed).unwrap();
    let unknown = SignatureError::NoUsableKey {
        server: domain(),
        key_ids: vec!["ed25519:1".into()],
    };
    assert_eq!(verify_json(&signed, &domain(), &keys), Ok(Err(unknown)));
    keys.insert(&domain(), "ed25519:2", other.public_key(0));
    other.sign_json(&domain(), &mut signed).unwrap();
    assert_eq!(
        verify_json(&signed, &domain(), &keys),
        Ok(Ok(())),
        "one known key is enough"
    );

    signed["signatures"]["domain"]["ed25519:2"] = json!("AAAA");
    let wrong = SignatureError::Wrong {
        server: domain(),
        key_id: "ed25519:2".into(),
    };
    assert_eq!(verify_json(&signed, &domain(), &keys), Ok(Err(wrong.clone())));
    keys.insert(&domain(), "ed25519:1", key().public_key(0));
    assert_eq!(
        verify_json(&signed, &domain(), &keys),
        Ok(Err(wrong)),
        "a good one does not mend it"
    );
}

#[test]
fn a_changed_object_is_not_signed() {
    let mut keys = VerifyKeys::new();
    keys.insert(&domain(), "ed25519:1", key().public_key(0));
    let mut signed = object(json!({"a": 1}));
    key().sign_json(&domain(), &mut signed).unwrap();
    signed.insert("a".into(), json!(2));
    assert!(verify_json(&signed, &domain(), &keys).unwrap().is_err());
    signed.insert("a".into(), json!(1.5));
    let error = SignatureError::Canonical(CanonicalError::NotAnInteger);
    assert_eq!(verify_json(&signed, &domain(), &keys), Ok(Err(error)));
}

#[test]
fn secrets_are_not_printed() {
    let printed = format!("{:?}", key());
    assert!(
        printed.contains("ed25519:1") && !printed.contains("YJDB") && !printed.contains("96"),
        "{printed}"
    );
}
