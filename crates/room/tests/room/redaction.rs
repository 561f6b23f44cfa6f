//! spec: client-server-api §redactions.

use selvage_object::Failure;
use selvage_protocol::room::SendReply;
use selvage_sim::asks::{self, errcode, redaction};
use serde_json::json;

use crate::fixture::{ALICE, BOB, CAROL, Fixture, MOD, refused};

fn redact(fixture: &mut Fixture, by: &str, target: &str) -> Result<SendReply, Failure> {
    fixture.server.ask(&fixture.room, redaction(by, target, target))
}

#[test]
fn users_redact_what_is_theirs_and_moderators_anything() {
    let cases = [
        (BOB, BOB, true),
        (BOB, ALICE, false),
        (BOB, MOD, false),
        (MOD, BOB, true),
        (MOD, ALICE, true),
        (ALICE, BOB, true),
        (CAROL, BOB, false),
    ];
    for (by, author, allowed) in cases {
        let mut fixture = Fixture::peopled("invite", "shared");
        let target = fixture.said(author, "secret");
        if !allowed {
            refused(
                &mut fixture,
                "M_FORBIDDEN",
                &format!("{by} redacts {author}"),
                |fixture| redact(fixture, by, &target),
            );
        } else {
            redact(&mut fixture, by, &target).unwrap();
        }
        let event = fixture.event(ALICE, &target).unwrap();
        assert_eq!(event["content"] == json!({}), allowed, "{by} redacts {author}");
        assert_eq!(event["unsigned"].get("redacted_because").is_some(), allowed);
    }
}

#[test]
fn a_redaction_names_its_target_where_the_version_wants_it() {
    for (version, in_content) in [("10", false), ("11", true), ("12", true)] {
        let mut fixture = Fixture::of_version(version, "public", "shared");
        let target = fixture.said(ALICE, "secret");
        let id = asks::event_id(redact(&mut fixture, ALICE, &target));
        let event = fixture.event(ALICE, &id).unwrap();
        assert_eq!(
            event["content"].get("redacts").is_some(),
            in_content,
            "version {version}"
        );
        let shown = fixture.event(ALICE, &target).unwrap();
        assert_eq!(
            shown["unsigned"]["redacted_because"]["event_id"],
            json!(id),
            "version {version}"
        );
    }
}

#[test]
fn what_cannot_be_redacted() {
    let mut fixture = Fixture::peopled("invite", "shared");
    let nothing = format!("${}", "A".repeat(43));
    assert_eq!(errcode(redact(&mut fixture, ALICE, &nothing)), "M_NOT_FOUND");
    assert_eq!(errcode(redact(&mut fixture, ALICE, "no id")), "M_INVALID_PARAM");
}

#[test]
fn the_first_redaction_counts_and_state_stays_in_force() {
    let mut fixture = Fixture::peopled("invite", "shared");
    let target = fixture.said(BOB, "secret");
    let first = asks::event_id(redact(&mut fixture, BOB, &target));
    fixture
        .server
        .ask(&fixture.room, redaction(MOD, "again", &target))
        .unwrap();
    let shown = fixture.event(BOB, &target).unwrap();
    assert_eq!(shown["unsigned"]["redacted_because"]["event_id"], json!(first));
    let ban = asks::event_id(fixture.change(ALICE, selvage_protocol::room::MembershipAction::Ban, BOB));
    redact(&mut fixture, ALICE, &ban).unwrap();
    assert!(
        fixture
            .change(BOB, selvage_protocol::room::MembershipAction::Join, BOB)
            .is_err()
    );
}

#[test]
fn what_was_redacted_is_shown_nowhere() {
    let mut fixture = Fixture::peopled("invite", "shared");
    let name = asks::event_id(fixture.put(ALICE, "m.room.name", "", &json!({ "name": "secret" })));
    redact(&mut fixture, ALICE, &name).unwrap();
    let member = asks::membership(MOD, selvage_protocol::room::MembershipAction::Invite, CAROL);
    fixture.server.ask(&fixture.room, member).unwrap();
    fixture
        .put(ALICE, "m.room.name", "", &json!({ "name": "den" }))
        .unwrap();
    fixture.server.restart();
    for user in [BOB, CAROL] {
        let sync = fixture.sync(user, None);
        let shown = serde_json::to_string(&(&sync.changes, &sync.slices)).unwrap();
        assert!(
            shown.contains("room_version") && !shown.contains("secret"),
            "{user}: {shown}"
        );
    }
}

#[test]
fn a_redacted_profile_does_not_come_with_invites() {
    let mut fixture = Fixture::peopled("invite", "shared");
    let content = json!({ "membership": "join", "displayname": "secret" });
    let member = asks::event_id(fixture.put(MOD, "m.room.member", MOD, &content));
    redact(&mut fixture, MOD, &member).unwrap();
    fixture
        .change(MOD, selvage_protocol::room::MembershipAction::Invite, CAROL)
        .unwrap();
    let shown = serde_json::to_string(&fixture.sync(CAROL, None).changes).unwrap();
    assert!(shown.contains("invite") && !shown.contains("secret"), "{shown}");
}

#[test]
fn a_room_whose_name_was_redacted_is_called_by_its_members() {
    let mut fixture = Fixture::peopled("invite", "shared");
    let name = asks::event_id(fixture.put(ALICE, "m.room.name", "", &json!({ "name": "den" })));
    let heroes = |fixture: &mut Fixture| {
        let sync = fixture.sync(ALICE, None);
        sync.slice(fixture.room_id()).summary.clone().unwrap().heroes
    };
    assert!(heroes(&mut fixture).is_empty());
    redact(&mut fixture, ALICE, &name).unwrap();
    assert_eq!(heroes(&mut fixture), [BOB, MOD]);
}
