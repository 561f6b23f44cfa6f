//! spec: client-server-api §transaction-identifiers.

use selvage_sim::asks::{self, message};
use serde_json::json;

use crate::fixture::{ALICE, BOB, Fixture, refused};

const HOUR_MS: u64 = 60 * 60 * 1_000;

#[test]
fn one_transaction_sends_one_event() {
    let mut fixture = Fixture::peopled("invite", "shared");
    let send = message(BOB, "txn", "hello");
    let first = fixture.server.ask(&fixture.room, send.clone()).unwrap();
    let events = fixture.events();
    let cases = [
        ("the same again", send.clone(), true),
        ("another body", message(BOB, "txn", "other"), true),
        ("another id", message(BOB, "txn2", "hello"), false),
        ("another user", message(ALICE, "txn", "hello"), false),
        (
            "another device",
            selvage_protocol::room::Send {
                device_id: "TABLET".to_owned(),
                ..send.clone()
            },
            false,
        ),
        (
            "another type",
            selvage_protocol::room::Send {
                kind: "m.other".to_owned(),
                ..send.clone()
            },
            false,
        ),
        (
            "no transaction",
            selvage_protocol::room::Send {
                txn_id: None,
                ..send.clone()
            },
            false,
        ),
    ];
    let mut sent = events;
    for (what, send, same) in cases {
        let reply = fixture.server.ask(&fixture.room, send).unwrap();
        sent += u64::from(!same);
        assert_eq!(reply == first, same, "{what}");
        assert_eq!(fixture.events(), sent, "{what}");
    }
    fixture.server.restart();
    assert_eq!(fixture.server.ask(&fixture.room, send).unwrap(), first);
    assert_eq!(fixture.events(), sent);
}

#[test]
fn a_transaction_that_was_refused_may_be_tried_again() {
    let mut fixture = Fixture::alone("public", "shared");
    refused(&mut fixture, "M_FORBIDDEN", "an outsider", |fixture| {
        fixture.say(BOB, "hello")
    });
    fixture.enter(BOB);
    fixture.said(BOB, "hello");
}

#[test]
fn one_who_was_kicked_still_learns_what_became_of_a_transaction() {
    let mut fixture = Fixture::peopled("invite", "shared");
    let id = fixture.said(BOB, "hello");
    fixture
        .change(ALICE, selvage_protocol::room::MembershipAction::Kick, BOB)
        .unwrap();
    assert_eq!(fixture.said(BOB, "hello"), id);
    refused(&mut fixture, "M_FORBIDDEN", "a new message", |fixture| {
        fixture.say(BOB, "more")
    });
}

#[test]
fn transactions_are_forgotten_after_a_day_and_not_before() {
    for (hours, remembered) in [(23, true), (25, true), (49, false)] {
        let mut fixture = Fixture::peopled("invite", "shared");
        let shard = fixture.server.shard_of(&fixture.room);
        // The timer runs from an earlier message on.
        fixture.said(BOB, "earlier");
        fixture.server.tick(HOUR_MS / 2);
        let id = fixture.said(BOB, "hello");
        for _ in 0..hours {
            fixture.server.tick(HOUR_MS);
            fixture.server.ring(&shard);
            fixture.server.settle();
        }
        assert_eq!(
            fixture.said(BOB, "hello") == id,
            remembered,
            "after {hours} hours"
        );
    }
}

#[test]
fn the_timer_stops_when_there_is_nothing_to_forget() {
    let mut fixture = Fixture::peopled("invite", "shared");
    let shard = fixture.server.shard_of(&fixture.room);
    fixture.said(BOB, "hello");
    let timers = |fixture: &Fixture| fixture.server.rows(&shard, "SELECT due FROM timers", &[]).len();
    assert_eq!(timers(&fixture), 1);
    for expected in [1, 0] {
        fixture.server.tick(24 * HOUR_MS);
        fixture.server.ring(&shard);
        fixture.server.settle();
        assert_eq!(timers(&fixture), expected);
    }
    fixture.said(BOB, "again");
    assert_eq!(timers(&fixture), 1);
}

#[test]
fn the_sending_device_alone_sees_the_transaction_id() {
    let mut fixture = Fixture::peopled("invite", "shared");
    let id = fixture.said(BOB, "hello");
    let seen = |fixture: &mut Fixture, user| {
        fixture.event(user, &id).unwrap()["unsigned"]
            .get("transaction_id")
            .cloned()
    };
    assert_eq!(seen(&mut fixture, BOB), Some(json!("hello")));
    assert_eq!(seen(&mut fixture, ALICE), None);
    let ask = selvage_protocol::room::GetEvent {
        viewer: selvage_protocol::room::Viewer {
            user_id: BOB.to_owned(),
            device_id: "TABLET".to_owned(),
        },
        event_id: id.clone(),
    };
    let event = asks::parsed(&fixture.server.ask(&fixture.room, ask).unwrap().event);
    assert_eq!(event["unsigned"].get("transaction_id"), None);
}

#[test]
fn a_transaction_id_has_at_most_255_bytes() {
    let mut fixture = Fixture::peopled("invite", "shared");
    fixture.said(BOB, &"x".repeat(255));
    refused(&mut fixture, "M_INVALID_PARAM", "256 bytes", |fixture| {
        fixture.say(BOB, &"x".repeat(256))
    });
}
