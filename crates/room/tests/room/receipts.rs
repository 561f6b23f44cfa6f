//! spec: client-server-api §receipts.

use selvage_protocol::room::{MembershipAction, SetReceipt};
use selvage_sim::asks::{parsed, receipt};
use selvage_sim::sync::SyncReply;
use serde_json::{Value, json};

use crate::fixture::{ALICE, BOB, CAROL, Fixture, MOD, refused};

fn set(fixture: &mut Fixture, user: &str, kind: &str, event_id: &str) {
    fixture
        .server
        .ask(&fixture.room, receipt(user, kind, event_id))
        .unwrap();
}

/// The receipts of the one room, of each thread.
fn seen_in_threads(sync: &SyncReply) -> Vec<Value> {
    let receipts = sync.slices.values().flat_map(|slice| &slice.receipts);
    receipts.map(|content| Value::Object(parsed(content))).collect()
}

/// The receipts of the one room, which are all of no thread.
fn seen(sync: &SyncReply) -> Value {
    let mut threads = seen_in_threads(sync);
    assert!(threads.len() <= 1, "{threads:?}");
    threads.pop().unwrap_or(Value::Null)
}

#[test]
fn a_receipt_reaches_everybody_and_never_moves_back() {
    let mut fixture = Fixture::peopled("invite", "shared");
    let ids: Vec<String> = ["1", "2", "3"].map(|body| fixture.said(ALICE, body)).to_vec();
    let before = fixture.sync(MOD, None);
    set(&mut fixture, BOB, "m.read", &ids[1]);
    let ts = fixture.server.now().0;
    let first = fixture.sync(MOD, Some(&before));
    assert_eq!(
        seen(&first),
        json!({ &ids[1]: { "m.read": { BOB: { "ts": ts } } } })
    );
    assert!(first.timeline(fixture.room_id()).is_empty());
    fixture.server.tick(10);
    for id in [&ids[0], &ids[1]] {
        set(&mut fixture, BOB, "m.read", id);
        assert!(
            fixture.sync(MOD, Some(&first)).room(fixture.room_id()).is_none(),
            "nothing moved"
        );
    }
    set(&mut fixture, BOB, "m.read", &ids[2]);
    fixture.server.restart();
    set(&mut fixture, BOB, "m.read", &ids[0]);
    let second = fixture.sync(MOD, Some(&first));
    assert_eq!(
        seen(&second),
        json!({ &ids[2]: { "m.read": { BOB: { "ts": ts + 10 } } } })
    );
    assert_eq!(
        seen(&fixture.sync(ALICE, None)),
        seen(&second),
        "an initial sync has the newest"
    );
}

#[test]
fn a_private_receipt_is_seen_by_its_user_alone() {
    let mut fixture = Fixture::peopled("invite", "shared");
    let id = fixture.said(ALICE, "hello");
    let (alice, bob) = (fixture.sync(ALICE, None), fixture.sync(BOB, None));
    set(&mut fixture, BOB, "m.read.private", &id);
    let ts = fixture.server.now().0;
    let own = fixture.sync(BOB, Some(&bob));
    assert_eq!(
        seen(&own),
        json!({ &id: { "m.read.private": { BOB: { "ts": ts } } } })
    );
    assert!(
        fixture
            .sync(ALICE, Some(&alice))
            .room(fixture.room_id())
            .is_none(),
        "nobody else is even woken"
    );
    assert_eq!(seen(&fixture.sync(ALICE, None)), Value::Null);
    // It does not come with what is told of later, either.
    fixture.said(ALICE, "more");
    assert_eq!(seen(&fixture.sync(ALICE, Some(&alice))), Value::Null);
}

#[test]
fn threads_have_receipts_of_their_own() {
    let mut fixture = Fixture::peopled("invite", "shared");
    let ids: Vec<String> = ["1", "2"].map(|body| fixture.said(ALICE, body)).to_vec();
    for (thread, id) in [
        (Some("main"), &ids[1]),
        (None, &ids[1]),
        (Some(&*ids[0]), &ids[1]),
        (Some("main"), &ids[0]),
    ] {
        let ask = SetReceipt {
            thread_id: thread.map(str::to_owned),
            ..receipt(BOB, "m.read", id)
        };
        fixture.server.ask(&fixture.room, ask).unwrap();
    }
    let ts = fixture.server.now().0;
    let on_the_same_event = |receipt: Value| json!({ &ids[1]: { "m.read": { BOB: receipt } } });
    let expected = [
        on_the_same_event(json!({ "ts": ts })),
        on_the_same_event(json!({ "ts": ts, "thread_id": &ids[0] })),
        on_the_same_event(json!({ "ts": ts, "thread_id": "main" })),
    ];
    assert_eq!(seen_in_threads(&fixture.sync(ALICE, None)), expected);
}

#[test]
fn receipts_that_are_refused() {
    let mut fixture = Fixture::peopled("invite", "shared");
    let id = fixture.said(ALICE, "hello");
    let cases = [
        ("an outsider", "M_FORBIDDEN", receipt(CAROL, "m.read", &id)),
        ("another type", "M_INVALID_PARAM", receipt(BOB, "m.unread", &id)),
        ("no such event", "M_NOT_FOUND", receipt(BOB, "m.read", "$nothing")),
    ];
    for (what, code, ask) in cases {
        refused(&mut fixture, code, what, |fixture| {
            fixture.server.ask(&fixture.room, ask)
        });
    }
}

#[test]
fn one_who_left_hears_of_no_receipts() {
    let mut fixture = Fixture::peopled("invite", "shared");
    let id = fixture.said(ALICE, "hello");
    let before = fixture.sync(BOB, None);
    fixture.change(BOB, MembershipAction::Leave, BOB).unwrap();
    set(&mut fixture, MOD, "m.read", &id);
    assert_eq!(seen(&fixture.sync(BOB, Some(&before))), Value::Null);
}
