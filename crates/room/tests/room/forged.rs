//! Events that are not what they pose as: attacks 1 to 3 of those that homeservers have fallen for, and bytes that are no event.
//! Each comes to nothing, says why, and leaves the room as it was (spec:
//! server-server-api §checks-performed-on-receipt-of-a-pdu).

use selvage_event::{Event, Map, RoomVersion, ServerName, SigningKey, Template, UserId};
use selvage_protocol::Json;
use selvage_protocol::federation::{Outcome, Receive, ServerKey};
use selvage_sim::asks;
use selvage_sim::remote::raw;
use serde_json::{Value, json};

use crate::fixture::ALICE;
use crate::foreign::{EVIL, Foreign, ann, eve, levels, moderator, user};

/// Versions of each event format, each way to name redactions, and each form of room id.
pub(crate) const VERSIONS: [RoomVersion; 5] = [
    RoomVersion::V1,
    RoomVersion::V3,
    RoomVersion::V6,
    RoomVersion::V11,
    RoomVersion::V12,
];

pub(crate) fn object(event: &Event) -> Map {
    serde_json::from_str(event.json()).expect("an object")
}

pub(crate) fn json_of(object: Map) -> Json {
    asks::raw(&Value::Object(object))
}

/// An event with something changed after it was signed.
pub(crate) fn changed(event: &Event, change: impl FnOnce(&mut Map)) -> Json {
    let mut object = object(event);
    change(&mut object);
    json_of(object)
}

impl Foreign {
    /// What somebody would send next: nothing has come of it yet.
    pub(crate) fn would(&self, sender: &UserId, kind: &str, key: Option<&str>, content: Value) -> Event {
        self.remote.sign(self.remote.template(sender, kind, key, content))
    }

    pub(crate) fn would_say(&self, sender: &UserId) -> Event {
        self.would(
            sender,
            "m.room.message",
            None,
            json!({ "body": "hello", "msgtype": "m.text" }),
        )
    }

    /// What somebody would send with a template of their own.
    pub(crate) fn would_with(
        &self,
        sender: &UserId,
        key: Option<&str>,
        change: impl FnOnce(&mut Template),
    ) -> Event {
        let kind = if key.is_some() {
            "m.room.topic"
        } else {
            "m.room.message"
        };
        let mut template = self.remote.template(sender, kind, key, json!({}));
        change(&mut template);
        self.remote.sign(template)
    }
}

#[test]
fn attack_1_signatures() {
    for version in VERSIONS {
        let mut room = Foreign::new(version);
        let event = room.would_say(&eve());
        let unsigned = changed(&event, |event| drop(event.insert("signatures".into(), json!({}))));
        room.refuses_json("no signature", unsigned, Outcome::Dropped, "evil.test");
        let by_another = changed(&event, |event| {
            let signature = event["signatures"][EVIL].clone();
            event["signatures"] = json!({ "third.test": signature });
        });
        room.refuses_json(
            "signed by another server",
            by_another,
            Outcome::Dropped,
            "evil.test",
        );
        let forged = changed(&event, |event| {
            let signature = "A".repeat(86);
            event["signatures"][EVIL]["ed25519:remote"] = Value::from(signature);
        });
        room.refuses_json("a forged signature", forged, Outcome::Dropped, "evil.test");
        room.accept(&[&event]);
    }
}

/// A signature of a key that is not the one which the server published under that name.
#[test]
fn attack_1_the_wrong_key() {
    let mut room = Foreign::new(RoomVersion::V11);
    let template = room.remote.template(&eve(), "m.room.message", None, json!({}));
    let other = SigningKey::from_seed("ed25519:remote", &[9; 32]).unwrap();
    let evil = ServerName::parse(EVIL).unwrap();
    let event = template.build(RoomVersion::V11, &evil, &other).unwrap();
    room.refuses("the wrong key", event.event(), Outcome::Dropped, "evil.test");
}

/// From version 5 on, a key signs nothing after its validity has ended (spec: rooms/v5 §Signing key validity period).
#[test]
fn attack_1_an_expired_key() {
    for version in RoomVersion::ALL {
        let mut room = Foreign::new(version);
        let event = room.would_say(&eve());
        let expired = ServerKey {
            valid_until_ts: event.origin_server_ts() - 1,
            ..room.remote.key_of(EVIL)
        };
        let receive = Receive {
            origin: EVIL.to_owned(),
            events: vec![raw(&event)],
            keys: vec![expired],
            history_before: None,
        };
        let before = room.seen();
        let verdict = room.server.ask(&room.room, receive).unwrap().verdicts.remove(0);
        let expected = if version < RoomVersion::V5 {
            Outcome::Accepted
        } else {
            Outcome::Dropped
        };
        assert_eq!(verdict.outcome, expected, "version {version}");
        assert_eq!(
            room.seen() == before,
            expected == Outcome::Dropped,
            "version {version}"
        );
    }
}

/// Nobody tells this server what its own keys are.
#[test]
fn attack_1_a_key_of_this_server() {
    let mut room = Foreign::new(RoomVersion::V11);
    let event = room.would_say(&user(ALICE));
    let receive = Receive {
        origin: EVIL.to_owned(),
        events: vec![raw(&event)],
        keys: vec![room.remote.key_of("test")],
        history_before: None,
    };
    let before = room.seen();
    let verdict = room.server.ask(&room.room, receive).unwrap().verdicts.remove(0);
    assert_eq!(verdict.outcome, Outcome::Dropped, "{verdict:?}");
    assert_eq!(room.seen(), before);
}

/// A signature covers the redacted form, and one over the whole is none (spec: server-server-api §signing-events).
#[test]
fn attack_1_signed_unredacted() {
    let mut room = Foreign::new(RoomVersion::V11);
    let event = room.would_say(&eve());
    let evil = ServerName::parse(EVIL).unwrap();
    let key = SigningKey::from_seed("ed25519:remote", &[7; 32]).unwrap();
    let mut whole = object(&event);
    whole.remove("signatures");
    key.sign_json(&evil, &mut whole).unwrap();
    room.refuses_json("signed unredacted", json_of(whole), Outcome::Dropped, "evil.test");
}

#[test]
fn attack_2_hashes() {
    for version in VERSIONS {
        let mut room = Foreign::new(version);
        let event = room.would_say(&eve());
        let without = changed(&event, |event| drop(event.remove("hashes")));
        room.refuses_json("no hash", without, Outcome::Dropped, "hashes");
        // A wrong hash leaves the redacted form, which is what the signature covers.
        let edited = changed(&event, |event| event["content"]["body"] = json!("something else"));
        let reply = room.receive_json(EVIL, vec![edited]);
        assert_eq!(reply.verdicts[0].outcome, Outcome::Accepted, "version {version}");
        let kept = room.event(event.event_id().as_str());
        assert_eq!(kept.content(), &Map::new(), "version {version}");
        assert_eq!(
            room.take(&event).outcome,
            Outcome::Known,
            "version {version}: the first form counts"
        );
    }
}

/// A redacted membership is not allowed by what its content had said.
#[test]
fn attack_2_a_wrong_hash_gains_nothing() {
    let mut room = Foreign::new(RoomVersion::V11);
    let power = levels(&room.remote, &json!({ "users": { eve().as_str(): 100 } }));
    let event = room.would(
        &moderator(),
        "m.room.power_levels",
        Some(""),
        levels(&room.remote, &json!({})),
    );
    let edited = changed(&event, |event| event["content"] = power);
    room.refuses_json("levels that were edited", edited, Outcome::Dropped, "remote.test");
}

#[test]
fn attack_3_senders_and_rooms() {
    for version in VERSIONS {
        let mut room = Foreign::new(version);
        let of_local = room.would_say(&user(ALICE));
        room.refuses("a sender of this server", &of_local, Outcome::Dropped, "test");
        let other = format!("!elsewhere:{EVIL}").parse().unwrap();
        let elsewhere = room.would_with(&eve(), None, |template| template.room_id = Some(other));
        room.refuses("another room", &elsewhere, Outcome::Dropped, "another room");
        let without = room.would_with(&eve(), None, |_| {});
        let without = changed(&without, |event| drop(event.remove("room_id")));
        room.refuses_json("no room", without, Outcome::Dropped, "room_id");
    }
}

/// In a server of a third party's name nothing is sent without that server's signature.
#[test]
fn attack_3_a_sender_of_a_third_server() {
    let mut room = Foreign::new(RoomVersion::V11);
    let template = room.remote.template(&ann(), "m.room.message", None, json!({}));
    let key = SigningKey::from_seed("ed25519:remote", &[7; 32]).unwrap();
    let evil = ServerName::parse(EVIL).unwrap();
    let event = template.build(RoomVersion::V11, &evil, &key).unwrap();
    room.refuses(
        "signed by the sender of the transaction",
        event.event(),
        Outcome::Dropped,
        "remote.test",
    );
}

/// From version 3 on an event's id is its hash, and what the body says counts for nothing.
#[test]
fn attack_3_an_event_id_in_the_body() {
    let mut room = Foreign::new(RoomVersion::V11);
    let known = room.message(&ann(), "known");
    room.accept(&[&known]);
    let event = room.would_say(&eve());
    let posing = changed(&event, |event| {
        event.insert("event_id".into(), Value::from(known.event_id().as_str()));
    });
    let reply = room.receive_json(EVIL, vec![posing]);
    let verdict = &reply.verdicts[0];
    assert_ne!(verdict.event_id.as_deref(), Some(known.event_id().as_str()));
    assert_eq!(room.event(known.event_id().as_str()).content(), known.content());
}

/// In versions 1 and 2 an event says its id; one that is taken stays what it is, and the id's server must have signed.
#[test]
fn attack_3_an_event_id_of_another() {
    for version in [RoomVersion::V1, RoomVersion::V2] {
        let mut room = Foreign::new(version);
        let known = room.message(&eve(), "known");
        room.accept(&[&known]);
        let key = SigningKey::from_seed("ed25519:remote", &[7; 32]).unwrap();
        let evil = ServerName::parse(EVIL).unwrap();
        let mut posing = object(&room.would_say(&eve()));
        posing.remove("signatures");
        posing.insert("event_id".into(), Value::from("$posing:remote.test"));
        // The hash is wrong now, and the signature covers the redacted form.
        let mut redacted = selvage_event::redact(version, &posing);
        redacted.remove("unsigned");
        key.sign_json(&evil, &mut redacted).unwrap();
        posing.insert("signatures".into(), redacted["signatures"].clone());
        room.refuses_json(
            "an id of another server",
            json_of(posing.clone()),
            Outcome::Dropped,
            "remote.test",
        );
        posing.insert("event_id".into(), Value::from(known.event_id().as_str()));
        let before = room.seen();
        let reply = room.receive_json(EVIL, vec![json_of(posing)]);
        assert!(matches!(
            reply.verdicts[0].outcome,
            Outcome::Known | Outcome::Dropped
        ));
        assert_eq!(room.seen(), before);
        assert_eq!(room.event(known.event_id().as_str()).content(), known.content());
    }
}

/// Format and size (attack 20 as far as servers send it): what is no event is not kept.
#[test]
fn malformed_events() {
    let mut room = Foreign::new(RoomVersion::V11);
    let event = room.would_say(&eve());
    let big = "x".repeat(65_536);
    let long = "x".repeat(256);
    let cases: [(&str, &str, Value, &str); 12] = [
        ("a float", "content", json!({ "n": 1.5 }), "integer"),
        (
            "a big integer",
            "content",
            json!({ "n": 9_007_199_254_740_992_i64 }),
            "out of range",
        ),
        ("too large", "content", json!({ "body": big }), "too large"),
        ("a long type", "type", json!(long), "type is too long"),
        (
            "a content that is none",
            "content",
            json!([]),
            "content is of the wrong type",
        ),
        ("a negative depth", "depth", json!(-1), "depth"),
        ("a deep depth", "depth", json!(9_007_199_254_740_992_i64), ""),
        ("a sender that is none", "sender", json!("eve"), "sender"),
        (
            "a time that is none",
            "origin_server_ts",
            json!("now"),
            "origin_server_ts",
        ),
        (
            "21 predecessors",
            "prev_events",
            json!(vec!["$a"; 21]),
            "prev_events",
        ),
        (
            "11 auth events",
            "auth_events",
            json!(vec!["$a"; 11]),
            "auth_events",
        ),
        (
            "pairs as predecessors",
            "prev_events",
            json!([["$a", {}]]),
            "prev_events",
        ),
    ];
    for (what, field, value, why) in cases {
        let bad = changed(&event, |event| event[field] = value);
        room.refuses_json(what, bad, Outcome::Dropped, why);
    }
    let list: Json = serde_json::from_str("[1]").unwrap();
    room.refuses_json("no object", list, Outcome::Dropped, "not a JSON object");
    let surrogate: Json = serde_json::from_str(r#"{"type":"\ud800"}"#).unwrap();
    room.refuses_json("a lone surrogate", surrogate, Outcome::Dropped, "");
}

/// What a server says in `unsigned` beyond the few things it may say is nobody's to see (row E14).
#[test]
fn unsigned_data_is_not_believed() {
    let mut room = Foreign::new(RoomVersion::V11);
    let event = room.would_say(&ann());
    let with = changed(&event, |event| {
        event.insert(
            "unsigned".into(),
            json!({ "transaction_id": "m1", "redacted_because": {}, "m.relations": {}, "membership": "ban", "age": 5 }),
        );
    });
    assert_eq!(
        room.receive_json(EVIL, vec![with]).verdicts[0].outcome,
        Outcome::Accepted
    );
    let ask = selvage_protocol::room::GetEvent {
        viewer: asks::viewer(ALICE),
        event_id: event.event_id().as_str().to_owned(),
    };
    let shown = asks::parsed(&room.server.ask(&room.room, ask).unwrap().event);
    let unsigned = shown["unsigned"].as_object().unwrap();
    assert_eq!(unsigned["membership"], "join");
    let mut keys: Vec<&String> = unsigned.keys().collect();
    keys.sort();
    assert_eq!(keys, ["age", "membership"]);
    assert!(!room.event(event.event_id().as_str()).json().contains("unsigned"));
}
