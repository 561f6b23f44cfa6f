//! A host that may not have survived the last try puts deliveries and timers off.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected fails"
)]

mod common;

use common::notebook::Command;
use common::world::{START, World, object_in};

#[test]
fn deliveries_that_are_put_off_leave_later_and_what_follows_waits_behind_them() {
    let mut world = World::new();
    let (sender, near, far) = (object_in(0, 0), object_in(1, 0), object_in(1, 1));
    let tell = |n| Command::Tell {
        to: vec![near.clone(), far.clone()],
        n,
    };
    world.do_ask(&sender, &tell(1));
    world.crash(0);
    let until = START.plus_ms(5_000);
    world.shards[0].put_off_deliveries(until);
    world.do_ask(&sender, &tell(2));
    assert_eq!(world.shards[0].undelivered(), 2);
    assert!(
        world.shards[0]
            .take_deliveries(START.plus_ms(4_999))
            .unwrap()
            .is_empty()
    );
    assert_eq!(world.shards[0].next_due(START), Some(until));
    world.now = until;
    world.settle();
    assert_eq!(world.told(&near, &sender), [1, 2]);
    assert_eq!(world.shards[0].undelivered(), 0);
}

#[test]
fn the_first_timer_is_put_off_once_it_is_due() {
    let mut world = World::new();
    let object = object_in(0, 0);
    for (name, due) in [("one", START.plus_ms(10)), ("two", START.plus_ms(20))] {
        let name = name.to_owned();
        world.do_ask(&object, &Command::SetTimer { name, due: due.0 });
    }
    world.shards[0].put_off_first_timer(START).unwrap();
    assert_eq!(world.shards[0].first_timer(), Some(START.plus_ms(10)));
    world.shards[0].put_off_first_timer(START.plus_ms(10)).unwrap();
    assert_eq!(world.shards[0].first_timer(), Some(START.plus_ms(20)));
}
