//! Checks 1 to 3: format, signatures, hash.

use base64::Engine as _;

use super::*;
use crate::build::co_signed;
use crate::canonical::members::{with_member, without};
use crate::hash::content_hash_of_text;
use crate::key::encoding::STANDARD;

fn message(version: RoomVersion) -> Value {
    json_of(&build(
        version,
        template("@u:b", "m.room.message", None, json!({"body": "hi"})),
    ))
}

#[test]
fn a_good_event_passes() {
    for version in RoomVersion::ALL {
        let checked = verify(version, &message(version)).unwrap();
        assert!(!checked.was_redacted());
        assert_eq!(checked.event().content()["body"], "hi");
    }
}

#[test]
fn no_signature_and_signatures_of_others() {
    for version in RoomVersion::ALL {
        let mut event = message(version);
        let signature = event["signatures"]["b"].clone();
        event["signatures"] = json!({});
        assert_eq!(
            verify(version, &event).unwrap_err(),
            SignatureError::Missing { server: server("b") }
        );
        event["signatures"] = json!({"a": signature});
        assert_eq!(
            verify(version, &event).unwrap_err(),
            SignatureError::Missing { server: server("b") }
        );
        event["signatures"] = json!({"b": {"ed25519:k": key("a").sign_bytes(b"x")}});
        assert!(matches!(
            verify(version, &event).unwrap_err(),
            SignatureError::Wrong { .. }
        ));
        event["signatures"] = json!({"b": {"ed25519:other": "AAAA"}});
        let error = verify(version, &event).unwrap_err();
        assert_eq!(
            error,
            SignatureError::NoUsableKey {
                server: server("b"),
                key_ids: vec!["ed25519:other".into()]
            }
        );
    }
}

/// A signature must cover the redacted form; one over the whole event is none.
#[test]
fn a_signature_over_the_unredacted_form() {
    for version in RoomVersion::ALL {
        let mut event = message(version);
        let mut whole = event.as_object().unwrap().clone();
        whole.remove("signatures");
        key("b").sign_json(&server("b"), &mut whole).unwrap();
        event["signatures"] = whole["signatures"].clone();
        assert!(
            matches!(verify(version, &event).unwrap_err(), SignatureError::Wrong { .. }),
            "{version}"
        );
    }
}

/// spec: `rooms/v5 §Signing key validity period`
#[test]
fn keys_that_expired() {
    for version in RoomVersion::ALL {
        let with = |valid_until_ts: i64| {
            let mut keys = VerifyKeys::new();
            let key = PublicKey::from_base64(&key("b").public_key_base64(), valid_until_ts).unwrap();
            keys.insert(&server("b"), "ed25519:k", key);
            // In versions 1 and 2 the id's domain is the sender's here, so one signature is enough.
            receive(version, &message(version))
                .unwrap()
                .verify(&keys)
                .unwrap()
        };
        assert!(with(1_000).is_ok(), "{version}: valid at the time");
        let expired = with(999).err();
        let unusable = SignatureError::NoUsableKey {
            server: server("b"),
            key_ids: vec!["ed25519:k".into()],
        };
        assert_eq!(
            expired,
            (version >= RoomVersion::V5).then_some(unusable),
            "{version}"
        );
    }
}

/// Versions 1 and 2 also need the signature of the server in the event id.
#[test]
fn the_servers_of_event_ids() {
    for version in [RoomVersion::V1, RoomVersion::V2] {
        let built = template("@u:b", "m.room.message", None, json!({}))
            .build(version, &server("c"), &key("c"))
            .unwrap();
        let mut event = json_of(&built);
        assert_eq!(receive(version, &event).unwrap().needed_keys().len(), 2);
        assert_eq!(
            verify(version, &event).unwrap_err(),
            SignatureError::Missing { server: server("b") }
        );
        let both = built.co_sign(&server("b"), &key("b")).unwrap();
        assert!(verify(version, &json_of(&both)).is_ok());
        event = json_of(&both);
        event["signatures"].as_object_mut().unwrap().remove("c");
        assert_eq!(
            verify(version, &event).unwrap_err(),
            SignatureError::Missing { server: server("c") }
        );
    }
}

#[test]
fn a_wrong_hash_leaves_the_redacted_form() {
    for version in RoomVersion::ALL {
        let mut event = message(version);
        let id = verify(version, &event).unwrap().event().event_id().clone();
        event["content"]["body"] = json!("forged");
        let checked = verify(version, &event).unwrap();
        assert!(checked.was_redacted());
        assert_eq!(checked.event().content().len(), 0, "{version}");
        assert!(!checked.event().json().contains("forged"));
        assert_eq!(checked.event().event_id(), &id, "the id stays");
    }
}

#[test]
fn no_hash_is_no_event() {
    for version in RoomVersion::ALL {
        let mut event = message(version);
        event["hashes"] = json!({"sha256": "?"});
        assert_eq!(
            receive(version, &event).unwrap_err(),
            FormatError::WrongType {
                field: "hashes.sha256"
            }
        );
        event["hashes"] = json!({"md5": ""});
        assert_eq!(
            receive(version, &event).unwrap_err(),
            FormatError::Missing {
                field: "hashes.sha256"
            }
        );
        event.as_object_mut().unwrap().remove("hashes");
        assert_eq!(
            receive(version, &event).unwrap_err(),
            FormatError::Missing { field: "hashes" }
        );
    }
}

/// A remote `event_id` changes what is hashed, and is never believed, from version 3 on.
#[test]
fn an_event_id_in_the_body() {
    for version in RoomVersion::ALL
        .into_iter()
        .filter(|version| *version >= RoomVersion::V3)
    {
        let mut event = message(version);
        let id = verify(version, &event).unwrap().event().event_id().clone();
        event["event_id"] = json!(id.as_str());
        let received = receive(version, &event).unwrap();
        assert_ne!(received.event().event_id(), &id, "{version}");
        assert!(
            received.verify(&keys()).unwrap().is_err(),
            "{version}: the signature covers it"
        );
    }
}

/// spec: `rooms/v8 §Authorisation rules` 4.2, for joins only.
#[test]
fn restricted_joins_need_the_authorisers_signature() {
    for version in RoomVersion::ALL {
        let restricted = version >= RoomVersion::V8;
        let join = |membership: &str, authoriser: Value| {
            let value = json!({"membership": membership, "join_authorised_via_users_server": authoriser});
            template("@u:b", "m.room.member", Some("@u:b"), value)
        };
        let built = build(version, join("join", json!("@m:c")));
        let missing = SignatureError::Missing { server: server("c") };
        assert_eq!(
            verify(version, &json_of(&built)).err(),
            restricted.then_some(missing),
            "{version}"
        );
        let both = built.co_sign(&server("c"), &key("c")).unwrap();
        assert!(verify(version, &json_of(&both)).is_ok(), "{version}");
        let odd = build(version, join("join", json!(5)));
        assert_eq!(
            receive(version, &json_of(&odd)).err(),
            restricted.then_some(FormatError::Authoriser),
            "{version}"
        );
        for membership in ["leave", "invite", "ban"] {
            assert!(
                verify(
                    version,
                    &json_of(&build(version, join(membership, json!("@m:c"))))
                )
                .is_ok()
            );
        }
        let message = template(
            "@u:b",
            "m.room.message",
            None,
            json!({"join_authorised_via_users_server": "@m:c"}),
        );
        assert!(
            verify(version, &json_of(&build(version, message))).is_ok(),
            "{version}: on a message it is nothing"
        );
    }
}

/// Third-party invites need no signature of the sender's server, unless redaction makes ordinary invites of them.
#[test]
fn third_party_invites() {
    for version in RoomVersion::ALL {
        let third_party = json!({"membership": "invite", "third_party_invite": {"signed": {"token": "t"}}});
        // Sent by the invited user's server, in the name of the inviter.
        let invite = template("@u:b", "m.room.member", Some("@x:c"), third_party);
        let mut event = json_of(&invite.build(version, &server("c"), &key("c")).unwrap());
        assert!(verify(version, &event).is_ok(), "{version}");
        event["content"]["more"] = json!(1);
        let forged = verify(version, &event);
        if version < RoomVersion::V11 {
            assert_eq!(
                forged.unwrap_err(),
                SignatureError::Missing { server: server("b") },
                "{version}"
            );
        } else {
            assert!(
                forged
                    .unwrap()
                    .event()
                    .content()
                    .contains_key("third_party_invite"),
                "{version}"
            );
        }
    }
}

#[test]
fn unsigned_is_cut_to_what_others_may_say() {
    for version in RoomVersion::ALL {
        let unsigned = json!({"age": 5, "transaction_id": "t", "redacted_because": {}, "invite_room_state": [], "n": 1.5});
        let mut event = message(version);
        event["unsigned"] = unsigned.clone();
        let checked = verify(version, &event).unwrap();
        assert_eq!(checked.unsigned(), &content(json!({"age": 5})), "{version}");
        assert!(!checked.event().json().contains("unsigned"));
        let invite = template(
            "@u:b",
            "m.room.member",
            Some("@x:c"),
            json!({"membership": "invite"}),
        );
        let mut event = json_of(&build(version, invite));
        event["unsigned"] = unsigned;
        let kept = content(json!({"age": 5, "invite_room_state": []}));
        assert_eq!(verify(version, &event).unwrap().unsigned(), &kept, "{version}");
        event["unsigned"] = json!(5);
        assert_eq!(verify(version, &event).unwrap().unsigned(), &Map::new());
    }
}

#[test]
fn sizes() {
    for version in [RoomVersion::V5, RoomVersion::V12] {
        let mut event = message(version);
        event["unsigned"] = json!({"age": 1, "junk": "x".repeat(70_000)});
        assert!(verify(version, &event).is_ok(), "unsigned does not count");
        event["more"] = json!("x".repeat(65_536));
        assert!(matches!(
            receive(version, &event),
            Err(FormatError::TooLarge { .. })
        ));
    }
}

/// Numbers beyond canonical JSON: no event from version 6 on; before, hashed and kept digit by digit.
#[test]
fn numbers_of_old_versions() {
    let big = r#"{"f":1.5e+300,"n":123456789012345678901234567890}"#;
    for version in RoomVersion::ALL {
        let text = message(version).to_string();
        let text = with_member(&without(&text, &["hashes", "signatures"]), "content", big);
        let hash = STANDARD.encode(content_hash_of_text(&text));
        let text = with_member(&text, "hashes", &format!(r#"{{"sha256":"{hash}"}}"#));
        let text = co_signed(version.rules(), &text, &server("b"), &key("b"));
        let received = ReceivedEvent::parse(text.replace("1.5e+300", "15E299").as_bytes(), version);
        if version >= RoomVersion::V6 {
            assert!(matches!(received, Err(FormatError::Canonical(_))), "{version}");
        } else {
            let checked = received.unwrap().verify(&keys()).unwrap().unwrap();
            assert!(!checked.was_redacted(), "{version}");
            assert!(checked.event().json().contains(big), "{version}");
        }
    }
}

#[test]
fn bytes_that_are_no_event() {
    for version in RoomVersion::ALL {
        for bytes in [
            &b""[..],
            b"[]",
            b"null",
            b"{",
            b"{}",
            b"\xff",
            b"{\"type\":\"\\ud800\"}",
        ] {
            assert!(
                ReceivedEvent::parse(bytes, version).is_err(),
                "{version} {bytes:?}"
            );
        }
    }
}
