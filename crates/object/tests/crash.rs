//! A crash at any step loses nothing that was acknowledged, repeats nothing visible, and keeps the order.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected fails"
)]

mod common;

use common::notebook::Command;
use common::world::{World, number, object_in};
use selvage_object::{Delivery, RETRY_MAX_MS};

const TELLS: u64 = 4;

/// Where a run is interrupted: at its `left`th step.
struct Crash {
    left: usize,
    happened: bool,
}

impl Crash {
    fn at(step: usize) -> Self {
        Self {
            left: step,
            happened: false,
        }
    }

    /// Crashes the shard, if this is the step.
    fn here(&mut self, world: &mut World, shard: usize) -> bool {
        if self.happened {
            return false;
        }
        self.happened = self.left == 0;
        self.left = self.left.saturating_sub(1);
        if self.happened {
            world.crash(shard);
        }
        self.happened
    }
}

/// Asks until it is acknowledged, as a client with a transaction id does.
fn ask(world: &mut World, crash: &mut Crash, n: u64) {
    let (sender, recipients) = (object_in(0, 0), vec![object_in(0, 1), object_in(1, 0)]);
    loop {
        world.begin(0);
        let command = Command::Tell {
            to: recipients.clone(),
            n,
        };
        let pages = world.do_ask(&sender, &command);
        assert!(pages.rows.contains(&("me".to_owned(), n)));
        if crash.here(world, 0) {
            continue;
        }
        world.commit(0);
        // Here the acknowledgement can be lost; the writes stand.
        if !crash.here(world, 0) {
            return;
        }
    }
}

/// Carries one delivery from its taking to its answer.
fn carry(world: &mut World, crash: &mut Crash, delivery: &Delivery) {
    let receiver = number(&delivery.shard);
    world.begin(receiver);
    let reply = world.deliver(delivery).reply;
    if crash.here(world, receiver) {
        return fail(world, delivery);
    }
    world.commit(receiver);
    reply.unwrap();
    if crash.here(world, receiver) {
        return fail(world, delivery);
    }
    world.begin(0);
    world.shards[0].delivered(&delivery.receipt()).unwrap();
    if crash.here(world, 0) {
        return;
    }
    world.commit(0);
    crash.here(world, 0);
}

fn fail(world: &mut World, delivery: &Delivery) {
    let now = world.now;
    world.shards[0]
        .not_delivered(&delivery.receipt(), now, false)
        .unwrap();
}

fn deliver_all(world: &mut World, crash: &mut Crash) {
    while world.outbox_rows() > 0 {
        let deliveries = world.take(0);
        crash.here(world, 0);
        for delivery in deliveries {
            carry(world, crash, &delivery);
        }
        world.now = world.now.plus_ms(RETRY_MAX_MS);
    }
}

/// One whole run, some of its tells asked for while others are under way.
fn run(crash: &mut Crash) {
    let mut world = World::new();
    let (sender, near, far) = (object_in(0, 0), object_in(0, 1), object_in(1, 0));
    for n in 1..=TELLS {
        ask(&mut world, crash, n);
        if n % 2 == 0 {
            deliver_all(&mut world, crash);
        }
    }
    deliver_all(&mut world, crash);
    let expected: Vec<u64> = (1..=TELLS).collect();
    assert_eq!(world.told(&near, &sender), expected);
    assert_eq!(world.told(&far, &sender), expected);
    let own: Vec<_> = world.notes(&sender).into_iter().map(|(_, n)| n).collect();
    assert_eq!(own, expected);
    for shard in 0..2 {
        assert_eq!(world.shards[shard].check().unwrap(), [""; 0]);
    }
}

#[test]
fn a_crash_at_any_step_loses_nothing_and_keeps_the_order() {
    let mut step = 0;
    loop {
        let mut crash = Crash::at(step);
        run(&mut crash);
        if !crash.happened {
            break;
        }
        step += 1;
    }
    assert!(step > 20, "only {step} steps");
}

#[test]
fn a_receipt_from_before_a_crash_names_no_other_tell() {
    let mut world = World::new();
    let (sender, far) = (object_in(0, 0), object_in(1, 0));
    let tell = |n| Command::Tell {
        to: vec![object_in(1, 0)],
        n,
    };
    world.do_ask(&sender, &tell(1));
    let late = world.take(0).remove(0);
    world.deliver(&late).reply.unwrap();
    world.shards[0].delivered(&late.receipt()).unwrap();
    world.crash(0);
    world.do_ask(&sender, &tell(2));
    let next = world.take(0).remove(0);
    world.shards[0].delivered(&late.receipt()).unwrap();
    assert_eq!(
        world.outbox_rows(),
        1,
        "the second tell still waits for its own answer"
    );
    world.deliver(&next).reply.unwrap();
    world.shards[0].delivered(&next.receipt()).unwrap();
    assert_eq!(world.told(&far, &sender), [1, 2]);
}
