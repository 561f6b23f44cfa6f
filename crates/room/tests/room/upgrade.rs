//! What a room's replacement takes over (spec: client-server-api §room-upgrades).

use std::collections::BTreeMap;

use selvage_protocol::room::{MembershipAction, PrepareUpgrade, PrepareUpgradeReply};
use selvage_sim::asks::{self, errcode, parsed};
use serde_json::{Value, json};

use crate::fixture::{ALICE, BOB, CAROL, Fixture, MOD};

fn prepare(fixture: &mut Fixture, sender: &str) -> Result<PrepareUpgradeReply, selvage_object::Failure> {
    let ask = PrepareUpgrade {
        sender: sender.to_owned(),
    };
    fixture.server.ask(&fixture.room, ask)
}

#[test]
fn an_upgrade_takes_over_what_the_spec_says() {
    for version in ["10", "11", "12"] {
        let mut fixture = Fixture::of_version(version, "invite", "joined");
        fixture.enter(BOB);
        for (kind, key, content) in [
            ("m.room.name", "", json!({ "name": "old" })),
            (
                "m.room.server_acl",
                "",
                json!({ "allow": ["*"], "deny": ["evil.test"] }),
            ),
            ("m.room.pinned_events", "", json!({ "pinned": [] })),
            ("m.space.child", "!child:test", json!({ "via": ["test"] })),
            ("m.space.child", "!gone:test", json!({})),
            ("org.example", "", json!({ "not": "taken over" })),
        ] {
            fixture.put(ALICE, kind, key, &content).unwrap();
        }
        fixture.change(ALICE, MembershipAction::Ban, CAROL).unwrap();
        let last = fixture.said(ALICE, "last");
        let reply = prepare(&mut fixture, ALICE).unwrap();
        assert_eq!((reply.version.as_str(), reply.last_event_id), (version, last));
        assert_eq!(reply.creators, [ALICE]);
        assert_eq!(parsed(&reply.create)["room_version"], version);
        assert!(reply.power_levels.is_some());
        let state: BTreeMap<(String, String), Value> = reply
            .state
            .iter()
            .map(|state| {
                let key = (state.kind.clone(), state.state_key.clone());
                (key, Value::Object(parsed(&state.content)))
            })
            .collect();
        let keys: Vec<(&str, &str)> = state
            .keys()
            .map(|(kind, key)| (kind.as_str(), key.as_str()))
            .collect();
        assert_eq!(
            keys,
            [
                ("m.room.history_visibility", ""),
                ("m.room.join_rules", ""),
                ("m.room.member", CAROL),
                ("m.room.name", ""),
                ("m.room.server_acl", ""),
                ("m.space.child", "!child:test"),
            ],
            "version {version}: bans, and no other members"
        );
        assert_eq!(
            state[&("m.room.member".to_owned(), CAROL.to_owned())]["membership"],
            "ban"
        );
    }
}

/// What was redacted in the old room does not come back in the new one.
#[test]
fn what_was_redacted_is_not_taken_over() {
    let mut fixture = Fixture::alone("invite", "shared");
    let ban = selvage_protocol::room::ChangeMembership {
        reason: Some("a slur".to_owned()),
        ..asks::membership(ALICE, MembershipAction::Ban, BOB)
    };
    let ban = asks::event_id(fixture.server.ask(&fixture.room, ban));
    let child = json!({ "via": ["a-slur.test"] });
    let child = asks::event_id(fixture.put(ALICE, "m.space.child", "!x:test", &child));
    for (number, event) in [ban, child].iter().enumerate() {
        let redaction = asks::redaction(ALICE, &number.to_string(), event);
        asks::event_id(fixture.server.ask(&fixture.room, redaction));
    }
    let reply = prepare(&mut fixture, ALICE).unwrap();
    let content: String = reply.state.iter().map(|state| state.content.get()).collect();
    assert!(!content.contains("slur"), "{content}");
    assert!(content.contains("\"ban\""), "though the ban stays");
}

#[test]
fn only_those_who_may_end_the_room_upgrade_it() {
    let mut fixture = Fixture::peopled("public", "shared");
    assert_eq!(
        errcode(prepare(&mut fixture, BOB)),
        "M_FORBIDDEN",
        "a member without power"
    );
    assert_eq!(
        errcode(prepare(&mut fixture, CAROL)),
        "M_FORBIDDEN",
        "an outsider"
    );
    prepare(&mut fixture, MOD).unwrap();
    fixture.change(MOD, MembershipAction::Leave, MOD).unwrap();
    assert_eq!(
        errcode(prepare(&mut fixture, MOD)),
        "M_FORBIDDEN",
        "power that outlives membership"
    );
}
