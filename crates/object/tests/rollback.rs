//! A turn is atomic: whatever ends it early undoes its rows and its memory, and nothing else.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected fails"
)]

mod common;

use common::notebook::{Command, End, Notebook, Pages};
use common::world::{World, object_in};
use selvage_object::{Failure, Fault, ObjectKey};

const BAD_ENDS: [End; 5] = [
    End::Refusal,
    End::Fault,
    End::Database,
    End::Assertion,
    End::Panic,
];

fn note(n: u64, end: End) -> Command {
    Command::Note { n, end }
}

fn me(numbers: &[u64]) -> Vec<(String, u64)> {
    numbers.iter().map(|n| ("me".to_owned(), *n)).collect()
}

#[test]
fn a_turn_that_fails_leaves_rows_and_memory_as_they_were() {
    for end in BAD_ENDS {
        let mut world = World::new();
        let (object, other) = (object_in(0, 0), object_in(0, 1));
        world.do_ask(&object, &note(1, End::Well));
        world.do_ask(&other, &note(1, End::Well));
        let outcome = world.ask(&object, &note(2, end));
        assert!(outcome.reply.is_err() && outcome.wakes.is_empty(), "{end:?}");
        assert_eq!(world.notes(&object), me(&[1]), "{end:?}");
        world.do_ask(&object, &note(3, End::Well));
        assert_eq!(world.notes(&object), me(&[1, 3]), "{end:?}");
        assert_eq!(world.notes(&other), me(&[1]), "{end:?}");
    }
}

#[test]
fn the_same_holds_for_an_objects_first_turn_and_in_a_batch() {
    for end in BAD_ENDS {
        let mut world = World::new();
        let (object, other) = (object_in(0, 0), object_in(0, 1));
        world.begin(0);
        assert!(world.ask(&object, &note(1, end)).reply.is_err());
        world.do_ask(&other, &note(2, End::Well));
        world.commit(0);
        world.crash(0);
        assert_eq!(world.notes(&other), me(&[2]), "{end:?}");
        assert_eq!(world.count(0, "SELECT count(*) FROM objects"), 1, "{end:?}");
        assert_eq!(world.notes(&object), [], "{end:?}");
    }
}

#[test]
fn each_end_is_reported_as_what_it_is() {
    let mut world = World::new();
    let object = object_in(0, 0);
    let mut failure = |end| world.ask(&object, &note(1, end)).reply.unwrap_err();
    assert!(matches!(failure(End::Refusal), Failure::Refusal(refusal) if refusal.errcode == "M_FORBIDDEN"));
    assert!(matches!(failure(End::Fault), Failure::Fault(Fault::Corrupt(_))));
    assert!(matches!(failure(End::Database), Failure::Fault(Fault::Sql(_))));
    for (end, message) in [
        (End::Panic, "in the middle of a turn"),
        (End::Assertion, "the name is empty"),
    ] {
        let Failure::Fault(Fault::Panicked(text)) = failure(end) else {
            panic!("{end:?}")
        };
        assert_eq!(text, message);
    }
}

#[test]
fn a_failed_turn_tells_nobody_and_sets_no_timer() {
    let mut world = World::new();
    let (object, other) = (object_in(0, 0), object_in(1, 0));
    world.do_ask(&object, &note(1, End::Well));
    world.kind.fail_after_telling.set(true);
    let name = "one".to_owned();
    let due = world.now.0;
    for command in [
        Command::Tell {
            to: vec![other.clone()],
            n: 2,
        },
        Command::SetTimer { name, due },
    ] {
        assert!(world.ask(&object, &command).reply.is_err());
    }
    world.kind.fail_after_telling.set(false);
    assert_eq!((world.outbox_rows(), world.take(0).len()), (0, 0));
    assert_eq!(world.notes(&object), me(&[1]));
    assert_eq!(world.shards[0].next_due(world.now), None);
}

#[test]
fn an_object_without_rows_cannot_tell() {
    let mut world = World::new();
    let to = vec![object_in(1, 0)];
    let reply = world.ask(&object_in(0, 0), &Command::TellOnly { to }).reply;
    assert!(matches!(reply, Err(Failure::Fault(Fault::Corrupt(_)))));
    assert_eq!(world.outbox_rows(), 0);
}

#[test]
fn an_object_that_was_only_asked_leaves_no_row() {
    let mut world = World::new();
    let objects: Vec<ObjectKey> = (0..3).map(|n| object_in(0, n)).collect();
    for object in &objects {
        assert_eq!(world.notes(object), []);
    }
    assert_eq!(world.count(0, "SELECT count(*) FROM objects"), 0);
    for object in &objects {
        world.do_ask(object, &note(7, End::Well));
    }
    assert_eq!(world.count(0, "SELECT count(*) FROM objects"), 3);
    for object in &objects {
        assert_eq!(world.notes(object), me(&[7]));
    }
}

#[test]
fn what_an_object_does_not_understand_is_refused() {
    let mut world = World::new();
    let object = object_in(0, 0);
    for command in [&b"\"Dance\""[..], b"{", b"", b"{\"Note\":{\"n\":-1}}"] {
        let moment = world.moment();
        let reply = world.shards[0].ask(moment, &object, command).reply;
        assert!(matches!(reply, Err(Failure::Refusal(refusal)) if refusal.errcode == "M_UNRECOGNIZED"));
    }
    let room = ObjectKey::new(selvage_object::Kind::Room, "!r");
    let reply = world.ask(&room, &Command::Read).reply;
    assert!(matches!(reply, Err(Failure::Refusal(refusal)) if refusal.errcode == "M_UNRECOGNIZED"));
}

#[test]
fn memory_is_kept_while_it_fits_and_dropped_after_failures_that_changed_it() {
    const OBJECT_BYTES: usize = 10_000;
    let kind = Notebook {
        memory_bytes: OBJECT_BYTES,
        ..Notebook::default()
    };
    let loads = kind.loads.clone();
    let mut world = World::with(kind, 2 * OBJECT_BYTES + OBJECT_BYTES / 2);
    let objects: Vec<ObjectKey> = (0..3).map(|n| object_in(0, n)).collect();
    for object in &objects[..2] {
        world.do_ask(object, &note(1, End::Well));
        world.notes(object);
    }
    assert_eq!(loads.get(), 2, "two fit");
    world.do_ask(&objects[2], &note(1, End::Well));
    world.notes(&objects[1]);
    assert_eq!(loads.get(), 3, "the longest unused has left");
    world.notes(&objects[0]);
    assert_eq!(loads.get(), 4);
    assert!(world.ask(&objects[0], &note(2, End::Refusal)).reply.is_err());
    world.notes(&objects[0]);
    assert_eq!(loads.get(), 5, "a turn that changed memory and failed");
    assert!(world.ask(&objects[0], &note(1, End::Refusal)).reply.is_err());
    world.notes(&objects[0]);
    assert_eq!(loads.get(), 5, "a turn that failed before it changed anything");
}

#[test]
fn a_version_can_be_read_without_a_trace_and_rises_with_wakes() {
    let mut world = World::new();
    let object = object_in(0, 0);
    for expected in 0..3 {
        let moment = world.moment();
        assert_eq!(world.shards[0].version(moment, &object), Ok(expected));
        let wakes = world.ask(&object, &note(expected, End::Well)).wakes;
        let woken: Vec<_> = wakes.iter().map(|wake| (&wake.key, wake.version)).collect();
        assert_eq!(woken, [(&object, expected + 1)]);
    }
    let unborn = object_in(0, 1);
    let moment = world.moment();
    assert_eq!(world.shards[0].version(moment, &unborn), Ok(0));
    assert_eq!(world.count(0, "SELECT count(*) FROM objects"), 1);
}

/// What objects without rows keep in mind costs no row, and they do not get in each other's way when they get some.
#[test]
fn objects_without_rows_remember_until_their_memory_is_dropped() {
    let mut world = World::new();
    let (one, other) = (object_in(0, 0), object_in(0, 1));
    for object in [&one, &other] {
        world.do_ask(object, &Command::Think { n: 1 });
        world.do_ask(object, &Command::Read);
        assert!(world.ask(object, &note(1, End::Refusal)).reply.is_err());
    }
    assert_eq!(world.count(0, "SELECT count(*) FROM objects"), 0);
    world.do_ask(&one, &Command::Think { n: 2 });
    world.do_ask(&other, &note(3, End::Well));
    world.do_ask(&one, &note(4, End::Well));
    assert_eq!((world.notes(&one), world.notes(&other)), (me(&[4]), me(&[3])));
    let thoughts = |world: &mut World| {
        let reply = world.ask(&other, &Command::Read).reply.unwrap();
        serde_json::from_slice::<Pages>(&reply).unwrap().thoughts
    };
    assert_eq!(
        thoughts(&mut world),
        [0; 0],
        "a turn that failed after a change dropped it"
    );
    world.do_ask(&other, &Command::Think { n: 5 });
    assert_eq!(thoughts(&mut world), [5]);
    world.crash(0);
    assert_eq!(thoughts(&mut world), [0; 0]);
}
