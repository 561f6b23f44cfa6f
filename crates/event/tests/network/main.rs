//! Events of the public network, made by other homeservers over ten years (Synapse and its successors in matrix.org, maunium.net,
//! envs.net and others; Continuwuity), with the keys that these servers published: they keep their ids, their hashes fit, their
//! signatures verify, and none of that survives a change.

// Clippy knows only functions marked as tests for tests, not those they call.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use selvage_event::{CheckedEvent, PublicKey, ReceivedEvent, RoomVersion, ServerName, VerifyKeys};
use serde_json::Value;

/// One event of `events.json`.
struct Sent {
    what: String,
    version: RoomVersion,
    event_id: String,
    /// Whether it was redacted before it was written down, so that its hash no longer fits.
    redacted: bool,
    keys: VerifyKeys,
    event: String,
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().expect("a text").to_owned()
}

fn all() -> Vec<Sent> {
    let file: Value = serde_json::from_str(include_str!("events.json")).expect("JSON");
    let sent = |entry: &Value| {
        let mut keys = VerifyKeys::new();
        for key in entry["keys"].as_array().expect("keys") {
            let public = PublicKey::from_base64(&text(key, "key"), i64::MAX).expect("a key");
            let server = ServerName::parse(text(key, "server")).expect("a server");
            keys.insert(&server, &text(key, "key_id"), public);
        }
        Sent {
            what: text(entry, "what"),
            version: text(entry, "version").parse().expect("a room version"),
            event_id: text(entry, "event_id"),
            redacted: entry["redacted"].as_bool().expect("a flag"),
            keys,
            event: text(entry, "event"),
        }
    };
    file.as_array().expect("a list").iter().map(sent).collect()
}

fn checked(sent: &Sent, event: &str) -> Option<CheckedEvent> {
    let received = ReceivedEvent::parse(event.as_bytes(), sent.version).ok()?;
    received.verify(&sent.keys).expect("infallible").ok()
}

/// spec: `server-server-api §Validating hashes and signatures on received events`, `rooms/v… §Event IDs`
#[test]
fn events_of_other_servers_are_what_they_were() {
    let all = all();
    assert!(all.len() >= 17);
    for sent in &all {
        let checked = checked(sent, &sent.event).unwrap_or_else(|| panic!("{} is not verified", sent.what));
        assert_eq!(
            checked.event().event_id().as_str(),
            sent.event_id,
            "{}",
            sent.what
        );
        assert_eq!(checked.was_redacted(), sent.redacted, "{}", sent.what);
        if sent.version == RoomVersion::V12 && checked.event().kind() == "m.room.create" {
            let room_id = checked.event().room_id();
            assert_eq!(room_id.as_str()[1..], sent.event_id[1..], "{}", sent.what);
        }
    }
}

/// What redaction keeps is signed: a change of it makes another event, which nobody has signed.
#[test]
fn what_is_signed_cannot_be_changed() {
    for sent in all() {
        let depth: Value = serde_json::from_str(&sent.event).unwrap();
        let (before, after) = (
            depth["depth"].to_string(),
            (depth["depth"].as_i64().unwrap() + 1).to_string(),
        );
        for gap in [" ", ""] {
            let from = format!("\"depth\":{gap}{before}");
            let changed = sent.event.replace(&from, &format!("\"depth\":{after}"));
            if changed != sent.event {
                assert!(checked(&sent, &changed).is_none(), "{}", sent.what);
            }
        }
    }
}

/// What redaction removes is hashed: a change of it leaves the same event, redacted.
#[test]
fn what_is_hashed_cannot_be_changed() {
    let mut changed_some = 0;
    for sent in all() {
        let changed = sent
            .event
            .replace("\"meow\"", "\"woof\"")
            .replace("\"tulir\"", "\"somebody\"");
        if changed == sent.event {
            continue;
        }
        changed_some += 1;
        let checked = checked(&sent, &changed).expect("the signature is good");
        assert!(checked.was_redacted(), "{}", sent.what);
        assert_eq!(
            checked.event().event_id().as_str(),
            sent.event_id,
            "{}",
            sent.what
        );
        assert!(!checked.event().json().contains("woof") && !checked.event().json().contains("somebody"));
    }
    assert!(changed_some >= 5);
}
