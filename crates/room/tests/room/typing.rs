//! spec: client-server-api §typing-notifications.

use selvage_object::Failure;
use selvage_protocol::room::SetTyping;
use selvage_sim::sync::SyncReply;

use crate::fixture::{ALICE, Act, BOB, CAROL, Fixture, MOD, refused};

fn set(fixture: &mut Fixture, user: &str, timeout_ms: Option<u64>) -> Result<(), Failure> {
    let ask = SetTyping {
        user_id: user.to_owned(),
        timeout_ms,
    };
    fixture.server.ask(&fixture.room, ask)
}

fn typing(fixture: &Fixture, sync: &SyncReply) -> Option<Vec<String>> {
    sync.room(fixture.room_id())?.typing.clone()
}

#[test]
fn typing_is_hinted_and_written_nowhere() {
    let mut fixture = Fixture::peopled("invite", "shared");
    let before = fixture.sync(ALICE, None);
    for shard in fixture.server.shards() {
        fixture.server.take_written(&shard);
    }
    set(&mut fixture, BOB, Some(30_000)).unwrap();
    set(&mut fixture, MOD, Some(30_000)).unwrap();
    let sync = fixture.sync(ALICE, Some(&before));
    assert_eq!(
        typing(&fixture, &sync),
        Some(vec![BOB.to_owned(), MOD.to_owned()])
    );
    assert!(sync.slices.is_empty(), "the room is not even asked");
    for shard in fixture.server.shards() {
        assert!(fixture.server.take_written(&shard).is_empty());
    }
    assert!(
        fixture.sync(ALICE, Some(&sync)).changes.rooms.is_empty(),
        "it comes once"
    );
}

#[test]
fn typing_ends_by_word_by_message_and_by_time() {
    let ends: [(&str, Act); 3] = [
        ("word", |fixture| set(fixture, BOB, None).unwrap()),
        ("message", |fixture| drop(fixture.said(BOB, "done"))),
        ("time", |fixture| fixture.server.tick(5_000)),
    ];
    for (how, end) in ends {
        let mut fixture = Fixture::peopled("invite", "shared");
        set(&mut fixture, BOB, Some(5_000)).unwrap();
        let sync = fixture.sync(ALICE, None);
        assert_eq!(typing(&fixture, &sync), Some(vec![BOB.to_owned()]));
        end(&mut fixture);
        let sync = fixture.sync(ALICE, Some(&sync));
        assert_eq!(typing(&fixture, &sync), Some(Vec::new()), "{how}");
        let sync = fixture.sync(ALICE, Some(&sync));
        assert_eq!(typing(&fixture, &sync), None, "{how}");
    }
}

#[test]
fn nobody_types_for_more_than_two_minutes() {
    let mut fixture = Fixture::peopled("invite", "shared");
    set(&mut fixture, BOB, Some(u64::MAX)).unwrap();
    for (ms, types) in [(119_999, true), (1, false)] {
        fixture.server.tick(ms);
        let sync = fixture.sync(ALICE, None);
        assert_eq!(typing(&fixture, &sync).is_some(), types);
    }
}

#[test]
fn outsiders_do_not_type_and_do_not_see_it() {
    let mut fixture = Fixture::peopled("invite", "shared");
    refused(&mut fixture, "M_FORBIDDEN", "an outsider", |fixture| {
        set(fixture, CAROL, Some(1_000))
    });
    set(&mut fixture, BOB, Some(1_000)).unwrap();
    assert!(fixture.sync(CAROL, None).changes.rooms.is_empty());
}

#[test]
fn lost_hints_and_restarts_leave_nothing_stuck() {
    let mut fixture = Fixture::peopled("invite", "shared");
    set(&mut fixture, BOB, Some(30_000)).unwrap();
    fixture.server.restart();
    let sync = fixture.sync(ALICE, None);
    assert_eq!(typing(&fixture, &sync), None);
    set(&mut fixture, BOB, Some(30_000)).unwrap();
    let sync = fixture.sync(ALICE, Some(&sync));
    assert_eq!(typing(&fixture, &sync), Some(vec![BOB.to_owned()]));
}
