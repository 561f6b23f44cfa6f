//! Canonical JSON, redaction, hashes, ids and signatures, against ruma's.

use std::collections::BTreeMap;

use ruma::canonical_json::redact as ruma_redact;
use ruma::serde::Base64;
use ruma::signatures::{PublicKeyMap, Verified, content_hash, reference_hash, verify_event};
use ruma::{CanonicalJsonObject, CanonicalJsonValue};
use selvage_event::{
    Event, EventId, ReceivedEvent, RoomId, RoomVersion, ServerName, SigningKey, Template, UserId, VerifyKeys,
    canonical, hash, redact,
};
use serde_json::{Map, Value, json};

use super::pdu::ruma_rules;
use super::rng::Rng;

/// Events tried for each room version.
const TRIES: u64 = 300;

/// Types that redaction treats in their own way, and others.
const KINDS: [&str; 10] = [
    "m.room.member",
    "m.room.create",
    "m.room.join_rules",
    "m.room.power_levels",
    "m.room.aliases",
    "m.room.history_visibility",
    "m.room.redaction",
    "m.room.message",
    "m.room.third_party_invite",
    "x\"\\\u{7}é",
];

/// Keys that redaction keeps in some type or version, and others.
const KEYS: [&str; 20] = [
    "membership",
    "join_authorised",
    "creator",
    "join_rule",
    "allow",
    "ban",
    "events",
    "events_default",
    "invite",
    "kick",
    "redact",
    "state_default",
    "users",
    "users_default",
    "aliases",
    "history_visibility",
    "redacts",
    "body",
    "notifications",
    "\u{1F600}\n",
];

fn value(rng: &mut Rng, depth: usize) -> Value {
    match rng.below(if depth == 0 { 5 } else { 7 }) {
        0 => Value::Null,
        1 => json!(rng.one_in(2)),
        2 => json!(rng.next() as i64 >> (11 + rng.below(40))),
        3 => json!(["", "a", "\"\\/\u{0}\u{1f}\u{7f}", "日本\u{10ffff}", "@a:b"][rng.below(5)]),
        4 => json!("x".repeat(rng.below(40))),
        5 => (0..rng.below(4)).map(|_| value(rng, depth - 1)).collect(),
        _ => Value::Object(
            (0..rng.below(4))
                .map(|_| (rng.pick(&KEYS).to_string(), value(rng, depth - 1)))
                .collect(),
        ),
    }
}

fn content(rng: &mut Rng) -> Map<String, Value> {
    let mut content: Map<String, Value> = (0..rng.below(8))
        .map(|_| (rng.pick(&KEYS).to_string(), value(rng, 3)))
        .collect();
    if rng.one_in(4) {
        // An object, or ruma keeps what Synapse and we drop.
        content.insert(
            "third_party_invite".into(),
            json!({"signed": value(rng, 2), "display_name": "x"}),
        );
    }
    content
}

fn canonical_of(object: &Map<String, Value>) -> CanonicalJsonObject {
    match CanonicalJsonValue::try_from(Value::Object(object.clone())).unwrap() {
        CanonicalJsonValue::Object(object) => object,
        _ => unreachable!(),
    }
}

fn server() -> ServerName {
    ServerName::parse("example.org:8448").unwrap()
}

fn key() -> SigningKey {
    SigningKey::from_seed("ed25519:k1", &[42; 32]).unwrap()
}

fn build(version: RoomVersion, rng: &mut Rng) -> Event {
    let ids = |n: usize| {
        (0..n)
            .map(|n| EventId::parse(format!("$some{n}")).unwrap())
            .collect()
    };
    let kind = (*rng.pick(&KINDS)).to_owned();
    let mut content = content(rng);
    if kind == "m.room.member" {
        // Always a membership, without which ruma fails already here; and no third-party invite, whose sender's
        // signature ruma never asks for, while we do where redaction has made an ordinary invite of it.
        content.insert(
            "membership".into(),
            json!(["join", "leave", "ban", "knock"][rng.below(4)]),
        );
    }
    let template = Template {
        room_id: Some(RoomId::parse("!room:example.org").unwrap()),
        sender: UserId::parse("@u:example.org:8448").unwrap(),
        state_key: rng.one_in(2).then(|| "key\u{e9}".to_owned()),
        content,
        prev_events: ids(rng.below(4)),
        auth_events: ids(rng.below(4)),
        depth: i64::try_from(rng.below(1 << 20)).unwrap(),
        origin_server_ts: i64::try_from(rng.below(1 << 40)).unwrap(),
        redacts: (kind == "m.room.redaction").then(|| EventId::parse("$target").unwrap()),
        kind,
    };
    template
        .build(version, &server(), &key())
        .unwrap()
        .event()
        .clone()
}

fn check_event(version: RoomVersion, event: &Event) {
    let rules = ruma_rules(version);
    let object: Map<String, Value> = serde_json::from_str(event.json()).unwrap();
    let theirs = canonical_of(&object);
    assert_eq!(event.json(), serde_json::to_string(&theirs).unwrap());
    assert_eq!(
        event.event_id().as_str(),
        format!("${}", reference_hash(&theirs, &rules).unwrap())
    );
    let ours = hash::content_hash(version, &object).unwrap();
    assert_eq!(content_hash(&theirs).unwrap().as_bytes(), ours.as_slice());
    let redacted = ruma_redact(theirs.clone(), &rules.redaction, None).unwrap();
    assert_eq!(
        redact(version, &object),
        serde_json::to_value(redacted)
            .unwrap()
            .as_object()
            .unwrap()
            .clone()
    );
    assert_eq!(event.redacted().unwrap().event_id(), event.event_id());
    check_verification(version, object);
}

/// Whole, with another content, and with another depth: verified, verified but redacted, refused.
fn check_verification(version: RoomVersion, mut object: Map<String, Value>) {
    assert_eq!(verified(version, &object), Some(true));
    object["content"]["unknown_key"] = json!(1);
    let keeps_all = version >= RoomVersion::V11 && object["type"] == "m.room.create";
    assert_eq!(
        verified(version, &object),
        if keeps_all { None } else { Some(false) }
    );
    object.insert("depth".into(), json!(5_000_000));
    assert_eq!(verified(version, &object), None);
}

/// What both make of an event: `Some(true)` all right, `Some(false)` signatures only, `None` refused.
fn verified(version: RoomVersion, object: &Map<String, Value>) -> Option<bool> {
    let public = key().public_key_base64();
    let theirs: PublicKeyMap = BTreeMap::from([(
        server().to_string(),
        BTreeMap::from([("ed25519:k1".into(), Base64::parse(public).unwrap())]),
    )]);
    let theirs = verify_event(&theirs, &canonical_of(object), &ruma_rules(version));
    let theirs = theirs.ok().map(|verified| verified == Verified::All);
    let mut keys = VerifyKeys::new();
    keys.insert(&server(), "ed25519:k1", key().public_key(i64::MAX));
    let received =
        ReceivedEvent::parse(Value::Object(object.clone()).to_string().as_bytes(), version).unwrap();
    let ours = received
        .verify(&keys)
        .unwrap()
        .ok()
        .map(|checked| !checked.was_redacted());
    assert_eq!(ours, theirs, "{object:?}");
    ours
}

#[test]
fn events_are_the_same_as_rumas() {
    for version in &RoomVersion::ALL[2..] {
        for seed in 0..TRIES {
            check_event(*version, &build(*version, &mut Rng::new(seed)));
        }
    }
}

#[test]
fn canonical_json_is_the_same_as_rumas() {
    for seed in 0..3_000 {
        let mut rng = Rng::new(seed);
        let object = Map::from_iter([
            ("a".to_owned(), value(&mut rng, 5)),
            ("b".to_owned(), value(&mut rng, 5)),
        ]);
        let theirs = serde_json::to_string(&canonical_of(&object)).unwrap();
        assert_eq!(canonical::to_canonical(&object).unwrap(), theirs);
    }
}
