//! What hostile users try: each is refused and leaves the room as it was (spec: rooms/v11 §authorization-rules).

use selvage_protocol::room::MembershipAction::{Ban, Invite, Join, Kick, Leave};
use selvage_sim::asks;
use serde_json::{Value, json};

use crate::fixture::{ALICE, Act, BOB, CAROL, Fixture, MOD, refused};

fn forbidden(what: &str, prepare: impl FnOnce(&mut Fixture), attack: impl FnOnce(&mut Fixture) -> bool) {
    let mut fixture = Fixture::peopled("invite", "shared");
    prepare(&mut fixture);
    refused(&mut fixture, "M_FORBIDDEN", what, |fixture| {
        if attack(fixture) {
            return Ok(());
        }
        Err(selvage_object::Refusal::new("M_FORBIDDEN", "as it has to be").into())
    });
}

#[test]
fn those_who_are_not_in_the_room_do_nothing_in_it() {
    let gone: [(&str, Act); 4] = [
        ("kicked", |fixture| {
            drop(fixture.change(ALICE, Kick, BOB).unwrap())
        }),
        ("banned", |fixture| drop(fixture.change(ALICE, Ban, BOB).unwrap())),
        ("gone", |fixture| drop(fixture.change(BOB, Leave, BOB).unwrap())),
        ("invited", |fixture| {
            fixture.change(ALICE, Kick, BOB).unwrap();
            fixture.change(ALICE, Invite, BOB).unwrap();
        }),
    ];
    for (how, prepare) in gone {
        forbidden(&format!("{how} speaks"), prepare, |fixture| {
            fixture.say(BOB, "still here").is_ok()
        });
        forbidden(&format!("{how} invites"), prepare, |fixture| {
            fixture.change(BOB, Invite, CAROL).is_ok()
        });
        forbidden(&format!("{how} bans"), prepare, |fixture| {
            fixture.change(BOB, Ban, MOD).is_ok()
        });
        forbidden(&format!("{how} sets state"), prepare, |fixture| {
            fixture
                .put(BOB, "m.room.topic", "", &json!({ "topic": "mine" }))
                .is_ok()
        });
        forbidden(&format!("{how} reads on"), prepare, |fixture| {
            let receipt = asks::receipt(BOB, "m.read", "$nothing");
            fixture.server.ask(&fixture.room, receipt).is_ok()
        });
    }
}

#[test]
fn power_that_outlives_membership_is_no_power() {
    let mut fixture = Fixture::peopled("public", "shared");
    fixture.power(BOB, 100);
    fixture.change(BOB, Leave, BOB).unwrap();
    refused(&mut fixture, "M_FORBIDDEN", "a ban", |fixture| {
        fixture.change(BOB, Ban, MOD)
    });
    refused(&mut fixture, "M_FORBIDDEN", "a topic", |fixture| {
        fixture.put(BOB, "m.room.topic", "", &json!({ "topic": "mine" }))
    });
}

#[test]
fn nobody_comes_in_who_may_not() {
    let banned = |fixture: &mut Fixture| drop(fixture.change(ALICE, Ban, BOB).unwrap());
    let member = |membership: &str| json!({ "membership": membership });
    forbidden("a banned user joins", banned, |fixture| {
        fixture.change(BOB, Join, BOB).is_ok()
    });
    forbidden("a banned user is invited", banned, |fixture| {
        fixture.change(ALICE, Invite, BOB).is_ok()
    });
    forbidden(
        "an outsider joins a closed room",
        |_| {},
        |fixture| fixture.change(CAROL, Join, CAROL).is_ok(),
    );
    forbidden(
        "an outsider invites herself",
        |_| {},
        |fixture| fixture.change(CAROL, Invite, CAROL).is_ok(),
    );
    forbidden(
        "a join for somebody else",
        |_| {},
        |fixture| fixture.change(BOB, Join, CAROL).is_ok(),
    );
    forbidden(
        "a join for somebody else, as state",
        |_| {},
        |fixture| {
            fixture
                .put(ALICE, "m.room.member", CAROL, &member("join"))
                .is_ok()
        },
    );
    forbidden(
        "an outsider joins, as state",
        |_| {},
        |fixture| {
            fixture
                .put(CAROL, "m.room.member", CAROL, &member("join"))
                .is_ok()
        },
    );
    forbidden(
        "a forged authoriser",
        |_| {},
        |fixture| {
            let content = json!({ "membership": "join", "join_authorised_via_users_server": ALICE });
            fixture.put(CAROL, "m.room.member", CAROL, &content).is_ok()
        },
    );
    forbidden(
        "a member event without membership",
        |_| {},
        |fixture| fixture.put(ALICE, "m.room.member", CAROL, &json!({})).is_ok(),
    );
    forbidden(
        "a member event that is no state",
        |_| {},
        |fixture| {
            let send = asks::event(BOB, Some("1"), "m.room.member", None, &member("join"));
            fixture.server.ask(&fixture.room, send).is_ok()
        },
    );
}

#[test]
fn nobody_raises_power_above_their_own() {
    let levels = |users: Value| json!({ "users": users });
    let cases = [
        (
            "a member gives himself power",
            BOB,
            levels(json!({ ALICE: 100, MOD: 50, BOB: 100 })),
        ),
        (
            "a moderator becomes admin",
            MOD,
            levels(json!({ ALICE: 100, MOD: 100 })),
        ),
        (
            "a moderator makes an admin",
            MOD,
            levels(json!({ ALICE: 100, MOD: 50, BOB: 51 })),
        ),
        (
            "a moderator demotes the admin",
            MOD,
            levels(json!({ ALICE: 0, MOD: 50 })),
        ),
        ("a moderator removes the admin", MOD, levels(json!({ MOD: 50 }))),
        (
            "a moderator raises the ban level",
            MOD,
            json!({ "users": { ALICE: 100, MOD: 50 }, "ban": 51 }),
        ),
        (
            "a moderator raises an event's level",
            MOD,
            json!({ "users": { ALICE: 100, MOD: 50 }, "events": { "m.x": 51 } }),
        ),
        ("an outsider", CAROL, levels(json!({ CAROL: 100 }))),
        (
            "levels that are texts",
            ALICE,
            json!({ "users": { ALICE: "100" } }),
        ),
        ("levels of no users", ALICE, json!({ "users": { "alice": 100 } })),
    ];
    for (what, by, content) in cases {
        forbidden(
            what,
            |_| {},
            |fixture| fixture.put(by, "m.room.power_levels", "", &content).is_ok(),
        );
    }
    let mut fixture = Fixture::peopled("invite", "shared");
    fixture
        .put(
            MOD,
            "m.room.power_levels",
            "",
            &json!({ "users": { ALICE: 100, MOD: 50, BOB: 50 } }),
        )
        .unwrap();
    refused(&mut fixture, "M_FORBIDDEN", "a peer is demoted", |fixture| {
        fixture.put(
            MOD,
            "m.room.power_levels",
            "",
            &json!({ "users": { ALICE: 100, MOD: 50, BOB: 0 } }),
        )
    });
}

#[test]
fn creators_of_version_12_stand_above_the_levels() {
    let mut fixture = Fixture::of_version("12", "public", "shared");
    fixture.change(MOD, Join, MOD).unwrap();
    let above = json!({ "users": { MOD: 9_007_199_254_740_991_i64 } });
    fixture.put(ALICE, "m.room.power_levels", "", &above).unwrap();
    for (what, by, content) in [
        ("the creator is listed", ALICE, json!({ "users": { ALICE: 100 } })),
        (
            "the creator is listed by another",
            MOD,
            json!({ "users": { ALICE: 0, MOD: 100 } }),
        ),
    ] {
        refused(&mut fixture, "M_FORBIDDEN", what, |fixture| {
            fixture.put(by, "m.room.power_levels", "", &content)
        });
    }
    refused(&mut fixture, "M_FORBIDDEN", "the creator is banned", |fixture| {
        fixture.change(MOD, Ban, ALICE)
    });
    fixture.change(ALICE, Ban, MOD).unwrap();
}

#[test]
fn state_needs_power() {
    for kind in [
        "m.room.name",
        "m.room.join_rules",
        "m.room.history_visibility",
        "m.room.tombstone",
        "m.room.server_acl",
    ] {
        forbidden(
            kind,
            |_| {},
            |fixture| fixture.put(BOB, kind, "", &json!({ "x": "y" })).is_ok(),
        );
    }
    // A state key that is a user id belongs to that user.
    forbidden(
        "another's own state",
        |_| {},
        |fixture| fixture.put(ALICE, "m.x", BOB, &json!({})).is_ok(),
    );
}

#[test]
fn there_is_one_create_event() {
    for (by, key) in [
        (ALICE, Some("")),
        (ALICE, Some("x")),
        (ALICE, None),
        (BOB, Some("")),
    ] {
        forbidden(
            "a second create",
            |_| {},
            |fixture| {
                let send = asks::event(by, None, "m.room.create", key, &json!({ "room_version": "11" }));
                fixture.server.ask(&fixture.room, send).is_ok()
            },
        );
    }
}

#[test]
fn events_and_messages_have_their_levels() {
    let mut fixture = Fixture::peopled("invite", "shared");
    let content = json!({
        "users": { ALICE: 100, MOD: 50 }, "events_default": 25, "events": { "m.reaction": 0 }, "invite": 50
    });
    fixture.put(ALICE, "m.room.power_levels", "", &content).unwrap();
    refused(&mut fixture, "M_FORBIDDEN", "a message", |fixture| {
        fixture.say(BOB, "hello")
    });
    refused(&mut fixture, "M_FORBIDDEN", "an invite", |fixture| {
        fixture.change(BOB, Invite, CAROL)
    });
    let reaction = asks::event(BOB, Some("1"), "m.reaction", None, &json!({}));
    fixture.server.ask(&fixture.room, reaction).unwrap();
    fixture.said(MOD, "hello");
    fixture.change(MOD, Invite, CAROL).unwrap();
}
