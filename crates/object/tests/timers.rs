//! Timers ring once they are due, over restarts, and one that fails comes again.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected fails"
)]

mod common;

use common::notebook::{Command, FAILING, STOPPED, STOPPING};
use common::world::{START, World, object_in};
use selvage_object::{ObjectKey, Outcome, Timestamp};

fn set(world: &mut World, object: &ObjectKey, name: &str, due: Timestamp) {
    let name = name.to_owned();
    world.do_ask(object, &Command::SetTimer { name, due: due.0 });
}

fn ring(world: &mut World) -> Outcome {
    let moment = world.moment();
    world.shards[0].ring_timers(moment).unwrap()
}

fn rung(world: &mut World, object: &ObjectKey) -> Vec<String> {
    world.notes(object).into_iter().map(|(name, _)| name).collect()
}

#[test]
fn a_timer_rings_once_when_it_is_due() {
    let mut world = World::new();
    let object = object_in(0, 0);
    set(&mut world, &object, "two", START.plus_ms(20));
    set(&mut world, &object, "one", START.plus_ms(10));
    assert_eq!(world.shards[0].next_due(START), Some(START.plus_ms(10)));
    for (ms, expected) in [
        (9, &[][..]),
        (10, &["one"]),
        (15, &["one"]),
        (30, &["one", "two"]),
        (99, &["one", "two"]),
    ] {
        world.now = START.plus_ms(ms);
        assert!(ring(&mut world).refused.is_empty());
        assert_eq!(rung(&mut world, &object), expected, "after {ms} ms");
    }
    assert_eq!(world.shards[0].next_due(world.now), None);
}

#[test]
fn a_timer_survives_a_restart() {
    let mut world = World::new();
    let object = object_in(0, 0);
    set(&mut world, &object, "one", START.plus_ms(10));
    world.crash(0);
    assert_eq!(world.shards[0].next_due(world.now), Some(START.plus_ms(10)));
    world.now = START.plus_ms(1_000);
    ring(&mut world);
    assert_eq!(rung(&mut world, &object), ["one"]);
}

#[test]
fn setting_again_moves_a_timer_and_stopping_ends_it() {
    let mut world = World::new();
    let object = object_in(0, 0);
    set(&mut world, &object, "one", START.plus_ms(10));
    set(&mut world, &object, "one", START.plus_ms(500));
    assert_eq!(world.shards[0].next_due(START), Some(START.plus_ms(500)));
    let name = "one".to_owned();
    world.do_ask(&object, &Command::StopTimer { name });
    assert_eq!(world.shards[0].next_due(START), None);
    world.now = START.plus_ms(1_000);
    ring(&mut world);
    assert!(rung(&mut world, &object).is_empty());
}

#[test]
fn a_timer_that_fails_is_put_off_and_does_not_hold_up_others() {
    let mut world = World::new();
    let (object, other) = (object_in(0, 0), object_in(0, 1));
    set(&mut world, &object, FAILING, START.plus_ms(1));
    set(&mut world, &other, "one", START.plus_ms(2));
    world.now = START.plus_ms(5);
    let outcome = ring(&mut world);
    let refused: Vec<_> = outcome.refused.iter().map(|(key, _)| key).collect();
    assert_eq!(refused, [&object]);
    assert!(
        rung(&mut world, &object).is_empty(),
        "what the failed turn noted is undone"
    );
    assert_eq!(rung(&mut world, &other), ["one"]);
    let due = world.shards[0].next_due(world.now).unwrap();
    assert!(due > world.now, "later and not at once again");
    world.now = due;
    assert_eq!(ring(&mut world).refused.len(), 1);
}

#[test]
fn a_timer_that_another_stops_does_not_ring() {
    let mut world = World::new();
    let object = object_in(0, 0);
    set(&mut world, &object, STOPPING, START.plus_ms(1));
    set(&mut world, &object, STOPPED, START.plus_ms(2));
    world.now = START.plus_ms(10);
    ring(&mut world);
    assert_eq!(rung(&mut world, &object), [STOPPING]);
}

#[test]
fn many_timers_ring_in_several_calls() {
    let mut world = World::new();
    let objects: Vec<ObjectKey> = (0..150).map(|n| object_in(0, n)).collect();
    for object in &objects {
        set(&mut world, object, "one", START.plus_ms(1));
    }
    world.now = START.plus_ms(2);
    let mut calls = 0;
    while world.shards[0].next_due(world.now).is_some() {
        ring(&mut world);
        calls += 1;
    }
    assert_eq!(calls, 3);
    for object in &objects {
        assert_eq!(rung(&mut world, object), ["one"]);
    }
}
