//! spec: client-server-api §room-membership, rooms/v11 §authorization-rules: each action from each membership, by each
//! power.

use selvage_protocol::room::MembershipAction::{self, Ban, Invite, Join, Kick, Knock, Leave, Unban};
use serde_json::json;

use crate::fixture::{ALICE, BOB, CAROL, Fixture, MOD};

/// Who is acted upon.
const TARGET: &str = CAROL;
/// A user who is not in the room.
const OUTSIDER: &str = "@outsider:test";
const PRIORS: [&str; 6] = ["none", "invite", "join", "leave", "ban", "knock"];

/// A room in which the target has this membership.
fn with_prior(join_rule: &str, prior: &str) -> Fixture {
    let mut fixture = Fixture::peopled("knock", "shared");
    let steps: &[(&str, MembershipAction)] = match prior {
        "invite" => &[(ALICE, Invite)],
        "join" => &[(ALICE, Invite), (TARGET, Join)],
        "leave" => &[(ALICE, Invite), (TARGET, Join), (TARGET, Leave)],
        "ban" => &[(ALICE, Ban)],
        "knock" => &[(TARGET, Knock)],
        _ => &[],
    };
    for (by, action) in steps {
        fixture.change(by, *action, TARGET).unwrap();
    }
    if join_rule != "knock" {
        fixture
            .put(ALICE, "m.room.join_rules", "", &json!({ "join_rule": join_rule }))
            .unwrap();
    }
    assert_eq!(fixture.membership(TARGET), prior);
    fixture
}

/// `new` for a new event, `same` for one that was there, `no` for a refusal that changed nothing.
fn outcome(join_rule: &str, prior: &str, by: &str, action: MembershipAction, after: &str) -> &'static str {
    let mut fixture = with_prior(join_rule, prior);
    let before = fixture.events();
    let answer = fixture.change(by, action, TARGET);
    let new = fixture.events() - before;
    let what = format!("{action:?} by {by} of one with {prior}");
    match answer {
        Ok(_) => {
            assert_eq!(fixture.membership(TARGET), after, "{what}");
            if new == 1 { "new" } else { "same" }
        }
        Err(failure) => {
            assert!(
                failure.to_string().starts_with("M_FORBIDDEN"),
                "{what}: {failure}"
            );
            assert_eq!((new, fixture.membership(TARGET).as_str()), (0, prior), "{what}");
            "no"
        }
    }
}

/// Checks an action from each membership, in the order of [`PRIORS`].
fn check(join_rule: &str, by: &str, action: MembershipAction, after: &str, expected: [&str; 6]) {
    let found = PRIORS.map(|prior| outcome(join_rule, prior, by, action, after));
    assert_eq!(found, expected, "{action:?} by {by}, join rule {join_rule}");
}

#[test]
fn joining() {
    check(
        "public",
        TARGET,
        Join,
        "join",
        ["new", "new", "same", "new", "no", "new"],
    );
    check(
        "invite",
        TARGET,
        Join,
        "join",
        ["no", "new", "same", "no", "no", "no"],
    );
    check(
        "knock",
        TARGET,
        Join,
        "join",
        ["no", "new", "same", "no", "no", "no"],
    );
}

#[test]
fn knocking() {
    check(
        "knock",
        TARGET,
        Knock,
        "knock",
        ["new", "no", "no", "new", "no", "new"],
    );
    check("public", TARGET, Knock, "knock", ["no"; 6]);
    check("invite", TARGET, Knock, "knock", ["no"; 6]);
}

#[test]
fn leaving() {
    check(
        "knock",
        TARGET,
        Leave,
        "leave",
        ["no", "new", "new", "same", "no", "new"],
    );
}

#[test]
fn inviting() {
    for by in [ALICE, MOD, BOB] {
        check(
            "knock",
            by,
            Invite,
            "invite",
            ["new", "new", "no", "new", "no", "new"],
        );
    }
    check("public", OUTSIDER, Invite, "invite", ["no"; 6]);
}

#[test]
fn kicking() {
    for by in [ALICE, MOD] {
        check(
            "knock",
            by,
            Kick,
            "leave",
            ["no", "new", "new", "no", "no", "new"],
        );
    }
    for by in [BOB, OUTSIDER] {
        check("knock", by, Kick, "leave", ["no"; 6]);
    }
}

#[test]
fn banning() {
    for by in [ALICE, MOD] {
        check("knock", by, Ban, "ban", ["new"; 6]);
    }
    for by in [BOB, OUTSIDER] {
        check("knock", by, Ban, "ban", ["no"; 6]);
    }
}

#[test]
fn unbanning() {
    for by in [ALICE, MOD] {
        check("knock", by, Unban, "leave", ["no", "no", "no", "no", "new", "no"]);
    }
    for by in [BOB, OUTSIDER, TARGET] {
        check("knock", by, Unban, "leave", ["no"; 6]);
    }
}

#[test]
fn nobody_moves_those_of_the_same_power_or_above() {
    for (by, target) in [(MOD, MOD), (MOD, ALICE), (ALICE, ALICE), (BOB, BOB)] {
        let mut fixture = Fixture::peopled("invite", "shared");
        assert!(fixture.change(by, Ban, target).is_err(), "{by} bans {target}");
        assert_eq!(fixture.membership(target), "join");
    }
    let mut fixture = Fixture::peopled("invite", "shared");
    assert!(fixture.change(MOD, Kick, ALICE).is_err());
    assert_eq!(fixture.membership(ALICE), "join");
}

#[test]
fn reasons_profiles_and_direct_chats_stand_in_the_event() {
    let mut fixture = Fixture::alone("invite", "shared");
    let mut invite = selvage_sim::asks::membership(ALICE, Invite, BOB);
    invite.reason = Some("tea".to_owned());
    invite.is_direct = true;
    invite.profile.displayname = Some("Bob".to_owned());
    fixture.server.ask(&fixture.room, invite).unwrap();
    let content = fixture.state(ALICE, "m.room.member", BOB).unwrap();
    assert_eq!(
        content,
        json!({ "membership": "invite", "reason": "tea", "is_direct": true, "displayname": "Bob" })
    );
}

#[test]
fn an_ended_account_leaves_once() {
    let mut fixture = Fixture::peopled("invite", "shared");
    let ended = selvage_protocol::room::AccountEnded {
        user_id: BOB.to_owned(),
    };
    let before = fixture.events();
    for _ in 0..2 {
        fixture.server.ask(&fixture.room, ended.clone()).unwrap();
        assert_eq!(
            (fixture.events(), fixture.membership(BOB)),
            (before + 1, "leave".to_owned())
        );
    }
    for (prior, after, new) in [
        ("none", "none", 0),
        ("invite", "leave", 1),
        ("ban", "ban", 0),
        ("knock", "leave", 1),
    ] {
        let mut fixture = with_prior("knock", prior);
        let before = fixture.events();
        let ended = selvage_protocol::room::AccountEnded {
            user_id: TARGET.to_owned(),
        };
        fixture.server.ask(&fixture.room, ended).unwrap();
        assert_eq!(
            (fixture.membership(TARGET).as_str(), fixture.events()),
            (after, before + new),
            "{prior}"
        );
    }
}
