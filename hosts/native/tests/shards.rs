//! Shards on threads: batches, overload, deliveries between them, panics, and a clean stop.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected fails"
)]

mod common;

use common::counter::{Command, ask, object_in, runtime, start, told};
use futures_util::future::join_all;
use selvage::shard::QUEUE_MAX;
use selvage_gateway::{AskError, Host as _};
use selvage_object::ObjectKey;

#[test]
fn what_waits_for_a_shard_becomes_one_batch_with_one_commit() {
    const ASKS: u64 = 200;
    let directory = tempfile::tempdir().unwrap();
    let pool = start(directory.path(), 1);
    let object = object_in(1, 0, 0);
    runtime().block_on(async {
        let mut blocked = std::pin::pin!(ask(&pool.host, &object, Command::Block));
        let mut asks = Vec::new();
        // Polled once, so that it is in the queue.
        assert!(futures_util::poll!(&mut blocked).is_pending());
        pool.gate.wait_until_reached();
        let before = pool.metrics.batches.get();
        for _ in 0..ASKS {
            let mut ask = Box::pin(ask(&pool.host, &object, Command::Add));
            assert!(futures_util::poll!(&mut ask).is_pending());
            asks.push(ask);
        }
        pool.gate.open();
        blocked.await.unwrap();
        let mut replies: Vec<u64> = join_all(asks).await.into_iter().map(Result::unwrap).collect();
        replies.sort_unstable();
        assert!(replies.into_iter().eq(1..=ASKS));
        assert_eq!(pool.metrics.batches.get() - before, 1);
    });
    pool.stop();
}

#[test]
fn a_full_queue_refuses_the_next_and_loses_none() {
    let directory = tempfile::tempdir().unwrap();
    let pool = start(directory.path(), 2);
    let (object, elsewhere) = (object_in(2, 0, 0), object_in(2, 1, 0));
    runtime().block_on(async {
        let mut blocked = std::pin::pin!(ask(&pool.host, &object, Command::Block));
        assert!(futures_util::poll!(&mut blocked).is_pending());
        pool.gate.wait_until_reached();
        let mut asks = Vec::new();
        for _ in 0..QUEUE_MAX {
            let mut ask = Box::pin(ask(&pool.host, &object, Command::Add));
            assert!(futures_util::poll!(&mut ask).is_pending());
            asks.push(ask);
        }
        let refused = ask(&pool.host, &object, Command::Add).await;
        assert!(matches!(refused, Err(AskError::Overloaded { retry_after_ms }) if retry_after_ms > 0));
        assert_eq!(pool.metrics.overloads.get(), 1);
        assert_eq!(
            ask(&pool.host, &elsewhere, Command::Add).await,
            Ok(1),
            "other shards go on"
        );
        pool.gate.open();
        blocked.await.unwrap();
        assert!(join_all(asks).await.iter().all(Result::is_ok));
        assert_eq!(
            ask(&pool.host, &object, Command::Read).await,
            Ok(QUEUE_MAX as u64)
        );
    });
    pool.stop();
}

#[test]
fn what_a_client_no_longer_waits_for_is_not_done() {
    let directory = tempfile::tempdir().unwrap();
    let pool = start(directory.path(), 1);
    let object = object_in(1, 0, 0);
    runtime().block_on(async {
        let mut blocked = std::pin::pin!(ask(&pool.host, &object, Command::Block));
        assert!(futures_util::poll!(&mut blocked).is_pending());
        pool.gate.wait_until_reached();
        let mut left = Box::pin(ask(&pool.host, &object, Command::Add));
        assert!(futures_util::poll!(&mut left).is_pending());
        drop(left);
        pool.gate.open();
        blocked.await.unwrap();
        assert_eq!(ask(&pool.host, &object, Command::Read).await, Ok(0));
    });
    pool.stop();
}

#[test]
fn everybody_tells_everybody_in_order_and_once() {
    const SHARDS: u16 = 4;
    const TELLS: u64 = 200;
    let directory = tempfile::tempdir().unwrap();
    let pool = start(directory.path(), SHARDS);
    let everybody: Vec<ObjectKey> = (0..SHARDS)
        .flat_map(|shard| (0..2).map(move |n| object_in(SHARDS, shard, n)))
        .collect();
    runtime().block_on(async {
        let tellers = everybody.iter().map(|teller| {
            let (host, others) = (pool.host.clone(), &everybody);
            async move {
                for _ in 0..TELLS {
                    let to = others.iter().filter(|other| *other != teller).cloned().collect();
                    ask(&host, teller, Command::Tell { to }).await.unwrap();
                }
            }
        });
        join_all(tellers).await;
        let rows = TELLS * everybody.len() as u64;
        for object in &everybody {
            // Everything arrives in the end; each arrival raises the version that is waited for.
            let mut seen = 0;
            while seen < rows {
                pool.host.wait(object, seen, 60_000).await.unwrap();
                seen = ask(&pool.host, object, Command::Read).await.unwrap();
            }
            assert_eq!(seen, rows);
            for teller in everybody.iter().filter(|teller| *teller != object) {
                let numbers = told(&pool.host, object, teller).await;
                assert_eq!(numbers.len() as u64, TELLS);
                assert!(numbers.is_sorted(), "{object} was told by {teller} {numbers:?}");
            }
        }
    });
    pool.stop();
}

#[test]
fn a_panic_fails_its_own_turn_alone() {
    let directory = tempfile::tempdir().unwrap();
    let pool = start(directory.path(), 1);
    let (object, other) = (object_in(1, 0, 0), object_in(1, 0, 1));
    runtime().block_on(async {
        let (before, panicked, after, beside) = futures_util::join!(
            ask(&pool.host, &object, Command::Add),
            ask(&pool.host, &object, Command::Panic),
            ask(&pool.host, &object, Command::Add),
            ask(&pool.host, &other, Command::Add),
        );
        assert!(matches!(panicked, Err(AskError::Unavailable(_))));
        assert_eq!((before, after, beside), (Ok(1), Ok(2), Ok(1)));
        assert_eq!(ask(&pool.host, &object, Command::Read).await, Ok(2));
    });
    pool.stop();
}

#[test]
fn a_stop_finishes_what_was_taken_and_a_start_finds_it() {
    const SHARDS: u16 = 3;
    let directory = tempfile::tempdir().unwrap();
    let pool = start(directory.path(), SHARDS);
    let objects: Vec<ObjectKey> = (0..SHARDS).map(|shard| object_in(SHARDS, shard, 0)).collect();
    let host = pool.host.clone();
    runtime().block_on(async {
        let mut asks = Vec::new();
        for object in objects.iter().cycle().take(30) {
            let mut ask = Box::pin(ask(&host, object, Command::Add));
            // In the queue, if not done already.
            let polled = futures_util::poll!(&mut ask);
            asks.push(async move {
                match polled {
                    std::task::Poll::Ready(reply) => reply,
                    std::task::Poll::Pending => ask.await,
                }
            });
        }
        pool.stop();
        assert!(join_all(asks).await.iter().all(Result::is_ok));
        let late = ask(&host, &objects[0], Command::Add).await;
        assert_eq!(late, Err(AskError::Stopping));
    });
    let again = start(directory.path(), SHARDS);
    runtime().block_on(async {
        for object in &objects {
            assert_eq!(ask(&again.host, object, Command::Read).await, Ok(10), "{object}");
        }
    });
    again.stop();
}

#[test]
fn tells_that_a_stop_left_are_delivered_after_the_next_start() {
    const SHARDS: u16 = 2;
    let directory = tempfile::tempdir().unwrap();
    let (teller, listener) = (object_in(SHARDS, 0, 0), object_in(SHARDS, 1, 0));
    let pool = start(directory.path(), SHARDS);
    runtime().block_on(async {
        // The listener's queue is full, so the tell finds no room there before the stop.
        let mut waiting = vec![Box::pin(ask(&pool.host, &listener, Command::Block))];
        assert!(futures_util::poll!(&mut waiting[0]).is_pending());
        pool.gate.wait_until_reached();
        for _ in 0..QUEUE_MAX {
            let mut read = Box::pin(ask(&pool.host, &listener, Command::Read));
            assert!(futures_util::poll!(&mut read).is_pending());
            waiting.push(read);
        }
        let to = vec![listener.clone()];
        assert_eq!(ask(&pool.host, &teller, Command::Tell { to }).await, Ok(1));
        pool.host.close();
        pool.gate.open();
        assert!(join_all(waiting).await.into_iter().all(|read| read == Ok(0)));
    });
    pool.stop();
    let pool = start(directory.path(), SHARDS);
    runtime().block_on(async {
        pool.host.wait(&listener, 0, 60_000).await.unwrap();
        assert_eq!(told(&pool.host, &listener, &teller).await, [0]);
    });
    pool.stop();
}
