//! Tells arrive at least once, in order, one delivery in flight for each pair, and never without an end.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected fails"
)]

mod common;

use common::notebook::Command;
use common::world::{World, home, object_in};
use selvage_object::{
    Delivery, Failure, Fault, OUTBOX_ROWS_MAX, ObjectKey, REDELIVERY_CHECK_MS, RETRY_MAX_MS, RETRY_MIN_MS,
};

fn tell(to: &[&ObjectKey], n: u64) -> Command {
    let to = to.iter().map(|key| (*key).clone()).collect();
    Command::Tell { to, n }
}

fn numbers(delivery: &Delivery) -> Vec<u64> {
    let number = |text: &str| {
        let command: Command = serde_json::from_str(text).unwrap();
        match command {
            Command::Told { n, .. } => n,
            other => panic!("{other:?}"),
        }
    };
    let messages = delivery.tells.iter().map(|tell| tell.message.get());
    messages.map(number).collect()
}

#[test]
fn tells_arrive_in_order_and_leave_no_row() {
    let mut world = World::new();
    let (sender, near, far) = (object_in(0, 0), object_in(0, 1), object_in(1, 0));
    for n in 1..=100 {
        world.do_ask(&sender, &tell(&[&near, &far], n));
    }
    world.settle();
    let expected: Vec<u64> = (1..=100).collect();
    assert_eq!(world.told(&near, &sender), expected);
    assert_eq!(world.told(&far, &sender), expected);
    assert_eq!(world.outbox_rows(), 0);
    assert_eq!(world.shards[0].next_due(world.now), None);
}

#[test]
fn one_delivery_is_in_flight_for_each_sender_and_shard() {
    let mut world = World::new();
    let (one, two) = (object_in(0, 0), object_in(0, 1));
    let (near, far) = (object_in(0, 2), object_in(1, 0));
    world.do_ask(&one, &tell(&[&near, &far], 1));
    let first = world.take(0);
    assert_eq!(first.len(), 2, "one for each shard");
    world.do_ask(&one, &tell(&[&near, &far], 2));
    world.do_ask(&two, &tell(&[&far], 9));
    let second = world.take(0);
    assert_eq!(second.len(), 1, "of the other sender alone");
    assert_eq!((&second[0].from, numbers(&second[0])), (&two, vec![9]));
    let to_far = first
        .iter()
        .find(|delivery| delivery.shard.as_str() == "1")
        .unwrap();
    world.deliver(to_far).reply.unwrap();
    world.shards[0].delivered(&to_far.receipt()).unwrap();
    let third = world.take(0);
    assert_eq!(third.len(), 1);
    assert_eq!((third[0].shard.as_str(), numbers(&third[0])), ("1", vec![2]));
}

#[test]
fn one_tell_to_many_is_one_row_and_goes_to_each_shard_once() {
    let mut world = World::new();
    let sender = object_in(0, 0);
    let everybody: Vec<ObjectKey> = (0..2)
        .flat_map(|shard| (1..20).map(move |n| object_in(shard, n)))
        .collect();
    world.do_ask(&sender, &tell(&everybody.iter().collect::<Vec<_>>(), 5));
    assert_eq!(world.outbox_rows(), 1);
    let deliveries = world.take(0);
    assert_eq!(deliveries.len(), 2);
    for (index, delivery) in deliveries.iter().enumerate() {
        assert!(
            delivery.tells[0]
                .to
                .iter()
                .all(|to| home(to).to_string() == delivery.shard.as_str())
        );
        world.deliver(delivery).reply.unwrap();
        world.shards[0].delivered(&delivery.receipt()).unwrap();
        assert_eq!(
            world.outbox_rows(),
            1 - index as u64,
            "the row stays until the last shard has it"
        );
    }
    for object in &everybody {
        assert_eq!(world.told(object, &sender), [5], "{object}");
    }
}

#[test]
fn more_recipients_than_a_row_holds_take_more_rows() {
    let mut world = World::new();
    let (sender, far) = (object_in(0, 0), object_in(1, 0));
    world.do_ask(&sender, &tell(&vec![&far; 2_500], 1));
    assert_eq!(world.outbox_rows(), 3);
    world.settle();
    assert_eq!(world.told(&far, &sender), [1]);
}

#[test]
fn a_repeated_delivery_changes_nothing() {
    let mut world = World::new();
    let (sender, far) = (object_in(0, 0), object_in(1, 0));
    world.do_ask(&sender, &tell(&[&far], 1));
    let delivery = world.take(0).remove(0);
    for _ in 0..3 {
        world.deliver(&delivery).reply.unwrap();
    }
    let receipt = delivery.receipt();
    for _ in 0..3 {
        world.shards[0].delivered(&receipt).unwrap();
    }
    assert_eq!(world.told(&far, &sender), [1]);
    world.do_ask(&sender, &tell(&[&far], 2));
    world.settle();
    assert_eq!(world.told(&far, &sender), [1, 2]);
}

#[test]
fn an_answer_that_comes_twice_does_not_stand_for_another_shard() {
    let mut world = World::new();
    let (sender, near, far) = (object_in(0, 0), object_in(0, 1), object_in(1, 0));
    world.do_ask(&sender, &tell(&[&near, &far], 1));
    let taken = world.take(0);
    let to_far = taken
        .iter()
        .find(|delivery| delivery.shard.as_str() == "1")
        .unwrap();
    world.deliver(to_far).reply.unwrap();
    for _ in 0..2 {
        world.shards[0].delivered(&to_far.receipt()).unwrap();
        assert_eq!(world.outbox_rows(), 1, "the near one still has to take it");
    }
    world.crash(0);
    world.settle();
    assert_eq!(
        (world.told(&near, &sender), world.told(&far, &sender)),
        (vec![1], vec![1])
    );
    assert_eq!(world.outbox_rows(), 0);
}

#[test]
fn failures_are_retried_after_pauses_that_double_up_to_an_hour() {
    let mut world = World::new();
    let (sender, far) = (object_in(0, 0), object_in(1, 0));
    world.do_ask(&sender, &tell(&[&far], 1));
    let receipt = world.take(0).remove(0).receipt();
    let mut pause = RETRY_MIN_MS;
    for attempt in 1..=31 {
        let now = world.now;
        assert_eq!(world.shards[0].not_delivered(&receipt, now, false), Ok(0));
        let due = now.plus_ms(pause.min(REDELIVERY_CHECK_MS));
        assert_eq!(world.shards[0].next_due(now), Some(due), "attempt {attempt}");
        world.now = now.plus_ms(pause - 1);
        assert!(world.take(0).is_empty(), "attempt {attempt}");
        world.now = now.plus_ms(pause);
        assert_eq!(world.take(0).len(), 1, "attempt {attempt}");
        pause = (2 * pause).min(RETRY_MAX_MS);
    }
    assert_eq!(pause, RETRY_MAX_MS);
}

#[test]
fn what_cannot_be_delivered_is_set_aside_and_the_rest_passes() {
    let mut world = World::new();
    let (sender, near, far) = (object_in(0, 0), object_in(0, 1), object_in(1, 0));
    world.do_ask(&sender, &tell(&[&near, &far], 1));
    let taken = world.take(0);
    let to_far = taken
        .iter()
        .find(|delivery| delivery.shard.as_str() == "1")
        .unwrap();
    let mut given_up = 0;
    let mut attempts = 0;
    while given_up == 0 {
        attempts += 1;
        let now = world.now;
        given_up = world.shards[0]
            .not_delivered(&to_far.receipt(), now, false)
            .unwrap();
        world.now = world.now.plus_ms(RETRY_MAX_MS);
        world.take(0);
    }
    assert_eq!((attempts, given_up), (32, 1));
    assert_eq!(world.count(0, "SELECT count(*) FROM dead_letters"), 1);
    assert_eq!(world.outbox_rows(), 1, "the near one still waits for its answer");
    world.do_ask(&sender, &tell(&[&far], 2));
    world.crash(0);
    world.settle();
    assert_eq!(world.told(&near, &sender), [1]);
    assert!(world.told(&far, &sender).ends_with(&[2]));
    assert_eq!(world.outbox_rows(), 0);
    let problems = world.shards[0].check().unwrap();
    assert_eq!(problems, ["1 tells were given up and set aside"]);
}

#[test]
fn a_busy_receiver_does_not_count_against_a_tell() {
    let mut world = World::new();
    let (sender, far) = (object_in(0, 0), object_in(1, 0));
    world.do_ask(&sender, &tell(&[&far], 1));
    let receipt = world.take(0).remove(0).receipt();
    for _ in 0..100 {
        let now = world.now;
        assert_eq!(world.shards[0].not_delivered(&receipt, now, true), Ok(0));
        world.now = now.plus_ms(RETRY_MIN_MS);
        assert_eq!(world.take(0).len(), 1, "the pause stays the shortest");
    }
    assert_eq!(world.count(0, "SELECT count(*) FROM dead_letters"), 0);
}

#[test]
fn a_recipient_that_refuses_does_not_hold_up_others_and_one_that_breaks_does() {
    let mut world = World::new();
    let (sender, far) = (object_in(0, 0), object_in(1, 0));
    let room = ObjectKey::new(selvage_object::Kind::Room, "!unknown:kind");
    for n in 1..=2 {
        world.do_ask(&sender, &tell(&[&room, &far], n));
    }
    for delivery in world.take(0) {
        let outcome = world.deliver(&delivery);
        assert!(outcome.reply.is_ok());
        let refusals = if home(&room).to_string() == delivery.shard.as_str() {
            2
        } else {
            0
        };
        assert_eq!(outcome.refused.len(), refusals);
        world.shards[0].delivered(&delivery.receipt()).unwrap();
    }
    assert_eq!(world.told(&far, &sender), [1, 2]);
    world.kind.poison.set(Some(3));
    for n in 3..=4 {
        world.do_ask(&sender, &tell(&[&far], n));
    }
    let delivery = world.take(0).remove(0);
    assert!(matches!(world.deliver(&delivery).reply, Err(Failure::Fault(_))));
    assert_eq!(world.told(&far, &sender), [1, 2], "nothing passes what failed");
    world.kind.poison.set(None);
    let now = world.now;
    world.shards[0]
        .not_delivered(&delivery.receipt(), now, false)
        .unwrap();
    world.now = now.plus_ms(RETRY_MAX_MS);
    world.settle();
    assert_eq!(world.told(&far, &sender), [1, 2, 3, 4]);
}

#[test]
fn a_full_outbox_refuses_tells_and_nothing_else_and_recovers() {
    let mut world = World::new();
    let (sender, far) = (object_in(0, 0), object_in(1, 0));
    let many = Command::TellMany {
        to: vec![far.clone()],
        count: 1_000,
    };
    world.begin(0);
    for _ in 0..OUTBOX_ROWS_MAX / 1_000 {
        world.do_ask(&sender, &many);
    }
    world.commit(0);
    let refused = world.ask(&sender, &tell(&[&far], 7)).reply;
    assert_eq!(refused, Err(Failure::Fault(Fault::Backlog)));
    assert_eq!(world.outbox_rows(), OUTBOX_ROWS_MAX as u64);
    assert_eq!(
        world.notes(&sender),
        [("me".to_owned(), 0)],
        "the refused turn left nothing"
    );
    let delivery = world.take(0).remove(0);
    world.deliver(&delivery).reply.unwrap();
    world.shards[0].delivered(&delivery.receipt()).unwrap();
    world.do_ask(&sender, &tell(&[&far], 7));
}

#[test]
fn hints_leave_at_once_and_are_stored_nowhere() {
    let mut world = World::new();
    let (sender, near, far) = (object_in(0, 0), object_in(0, 1), object_in(1, 0));
    let to = vec![near.clone(), far.clone(), object_in(1, 1)];
    let hints = world.ask(&sender, &Command::Hint { to, n: 3 }).hints;
    let shards: Vec<_> = hints
        .iter()
        .map(|hint| (hint.shard.as_str(), hint.tells[0].to.len()))
        .collect();
    assert_eq!(shards, [("0", 1), ("1", 2)]);
    assert_eq!((world.outbox_rows(), world.take(0).len()), (0, 0));
    for hint in &hints {
        world.deliver(hint).reply.unwrap();
    }
    assert_eq!(
        (world.told(&near, &sender), world.told(&far, &sender)),
        (vec![3], vec![3])
    );
}
