//! Who types, as rooms hint (spec: client-server-api §typing-notifications).

use std::collections::BTreeMap;

use selvage_protocol::user::{ChangesReply, Membership, Typing};

use crate::fixture::{Fixture, ROOM, request};

fn hint(fixture: &mut Fixture, users: &[(&str, u64)]) {
    let now = fixture.server.now();
    let until = |(user, ms): &(&str, u64)| ((*user).to_owned(), now.plus_ms(*ms).0);
    let hint = Typing {
        room_id: ROOM.to_owned(),
        users: users.iter().map(until).collect::<BTreeMap<_, _>>(),
    };
    fixture.ask(hint).unwrap();
}

fn typing(changes: &ChangesReply) -> Option<Vec<String>> {
    changes.rooms.get(ROOM)?.typing.clone()
}

#[test]
fn a_hint_wakes_and_is_told_once() {
    let mut fixture = Fixture::new();
    fixture.told(Membership::Join, 1);
    let start = fixture.changes(None);
    fixture.server.take_wakes();
    hint(&mut fixture, &[("@bob:test", 1_000)]);
    let wakes = fixture.server.take_wakes();
    assert!(wakes.len() == 1 && wakes[0].version > start.version);
    let changes = fixture.changes(Some(start.next));
    assert_eq!(typing(&changes), Some(vec!["@bob:test".to_owned()]));
    assert_eq!(typing(&fixture.changes(Some(changes.next))), None);
    assert_eq!(
        typing(&fixture.changes(Some(start.next))),
        Some(vec!["@bob:test".to_owned()]),
        "the token again"
    );
    assert_eq!(typing(&fixture.changes(None)), Some(vec!["@bob:test".to_owned()]));
}

#[test]
fn typing_runs_out_by_itself() {
    let mut fixture = Fixture::new();
    fixture.told(Membership::Join, 1);
    hint(&mut fixture, &[("@bob:test", 1_000), ("@carol:test", 2_000)]);
    let mut seen = fixture.changes(None);
    let steps: [(u64, Option<&[&str]>); 4] = [
        (999, None),
        (1, Some(&["@carol:test"])),
        (999, None),
        (1, Some(&[])),
    ];
    for (ms, expected) in steps {
        fixture.server.tick(ms);
        seen = fixture.changes(Some(seen.next));
        let expected = expected.map(|users| users.iter().map(|user| (*user).to_owned()).collect::<Vec<_>>());
        assert_eq!(typing(&seen), expected);
    }
}

#[test]
fn only_joined_rooms_type() {
    for membership in [Membership::Invite, Membership::Leave, Membership::Ban] {
        let mut fixture = Fixture::new();
        hint(&mut fixture, &[("@bob:test", 1_000)]);
        fixture.told(membership, 1);
        hint(&mut fixture, &[("@bob:test", 1_000)]);
        let mut request = request(None);
        request.include_leave = true;
        assert_eq!(typing(&fixture.changes_as(request)), None, "{membership:?}");
    }
}

#[test]
fn typing_writes_nothing() {
    let mut fixture = Fixture::new();
    fixture.told(Membership::Join, 1);
    let shard = fixture.server.shard_of(&fixture.user);
    fixture.server.take_written(&shard);
    hint(&mut fixture, &[("@bob:test", 1_000)]);
    assert!(fixture.server.take_written(&shard).is_empty());
}
