//! Restricted rooms and knocking, for users of this server (spec: client-server-api §restricted-rooms, §knocking-on-rooms).

use selvage_event::RoomVersion;
use selvage_protocol::room::{AllowedRooms, ChangeMembership, MembershipAction, SendReply};
use selvage_sim::asks::{self, errcode};
use serde_json::{Value, json};

use crate::fixture::{ALICE, BOB, Fixture};

fn allow() -> Value {
    json!([
        { "type": "m.room_membership", "room_id": "!one:test" },
        { "type": "org.example.other", "room_id": "!two:test" },
        { "type": "m.room_membership" },
        { "type": "m.room_membership", "room_id": "!three:test" },
    ])
}

fn room(version: RoomVersion, rule: &str) -> Fixture {
    let mut fixture = Fixture::of_version_named(version, "invite", "shared");
    let content = json!({ "join_rule": rule, "allow": allow() });
    fixture.put(ALICE, "m.room.join_rules", "", &content).unwrap();
    fixture
}

fn join(
    fixture: &mut Fixture,
    user: &str,
    is_in_allowed_room: bool,
) -> Result<SendReply, selvage_object::Failure> {
    let ask = ChangeMembership {
        is_in_allowed_room,
        ..asks::membership(user, MembershipAction::Join, user)
    };
    fixture.server.ask(&fixture.room, ask)
}

fn allowed(fixture: &mut Fixture, user: &str) -> Vec<String> {
    let ask = AllowedRooms {
        user_id: user.to_owned(),
    };
    fixture.server.ask(&fixture.room, ask).unwrap()
}

/// Which versions know the rule; in others it is a rule that lets nobody in.
fn knows(version: RoomVersion, rule: &str) -> bool {
    match rule {
        "restricted" => version >= RoomVersion::V8,
        "knock_restricted" => version >= RoomVersion::V10,
        _ => version >= RoomVersion::V7,
    }
}

#[test]
fn members_of_allowed_rooms_join() {
    for version in RoomVersion::ALL {
        for rule in ["restricted", "knock_restricted"] {
            let mut fixture = room(version, rule);
            let known = knows(version, rule);
            let rooms: &[&str] = if known { &["!one:test", "!three:test"] } else { &[] };
            assert_eq!(allowed(&mut fixture, BOB), rooms, "version {version} {rule}");
            assert!(allowed(&mut fixture, ALICE).is_empty(), "who is in needs nothing");
            let before = (fixture.events(), fixture.states());
            let answer = errcode(join(&mut fixture, BOB, false));
            assert_eq!(answer, "M_FORBIDDEN", "version {version} {rule}");
            assert_eq!((fixture.events(), fixture.states()), before);
            if !known {
                assert_eq!(
                    errcode(join(&mut fixture, BOB, true)),
                    "M_FORBIDDEN",
                    "version {version} {rule}"
                );
                continue;
            }
            join(&mut fixture, BOB, true).unwrap();
            let content = fixture.state(ALICE, "m.room.member", BOB).unwrap();
            assert_eq!(content["join_authorised_via_users_server"], ALICE);
        }
    }
}

#[test]
fn an_invite_or_a_ban_comes_before_the_rule() {
    let mut fixture = room(RoomVersion::V11, "restricted");
    fixture.change(ALICE, MembershipAction::Invite, BOB).unwrap();
    assert!(allowed(&mut fixture, BOB).is_empty());
    join(&mut fixture, BOB, false).unwrap();
    let content = fixture.state(ALICE, "m.room.member", BOB).unwrap();
    assert!(content.get("join_authorised_via_users_server").is_none());
    fixture.change(ALICE, MembershipAction::Ban, BOB).unwrap();
    assert!(allowed(&mut fixture, BOB).is_empty());
    assert_eq!(
        errcode(join(&mut fixture, BOB, true)),
        "M_FORBIDDEN",
        "whatever room the banned are in"
    );
}

#[test]
fn knocks_by_version_and_rule() {
    for version in RoomVersion::ALL {
        for rule in ["knock", "knock_restricted", "invite", "public", "restricted"] {
            let mut fixture = room(version, rule);
            let knock = asks::membership(BOB, MembershipAction::Knock, BOB);
            let answer = fixture.server.ask(&fixture.room, knock);
            let takes = rule.starts_with("knock") && knows(version, rule);
            assert_eq!(answer.is_ok(), takes, "version {version} {rule}: {answer:?}");
            let expected = if takes { "knock" } else { "none" };
            assert_eq!(fixture.membership(BOB), expected, "version {version} {rule}");
            if takes {
                assert_eq!(
                    errcode(fixture.say(BOB, "let me in")),
                    "M_FORBIDDEN",
                    "not in yet"
                );
                fixture.change(ALICE, MembershipAction::Invite, BOB).unwrap();
                fixture.change(BOB, MembershipAction::Join, BOB).unwrap();
            }
        }
    }
}
