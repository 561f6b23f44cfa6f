//! Whoever waits for news is woken by it, whatever happens at the same time.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected fails"
)]

mod common;

use common::counter::{Command, Pool, ask, object_in, runtime, start};
use futures_util::future::join_all;
use selvage_gateway::{AskError, Host as _};
use selvage_object::ObjectKey;

/// Far more than the test takes: a wait that ends by its own time has lost its wake.
const PATIENCE_MS: u64 = 600_000;

fn one() -> (tempfile::TempDir, Pool, ObjectKey) {
    let directory = tempfile::tempdir().unwrap();
    let pool = start(directory.path(), 1);
    (directory, pool, object_in(1, 0, 0))
}

#[test]
fn no_wake_is_lost_between_looking_and_waiting() {
    const WAITERS: usize = 16;
    const WRITES: u64 = 500;
    let (_directory, pool, object) = one();
    runtime().block_on(async {
        let waiters = (0..WAITERS).map(|_| {
            let (host, object) = (pool.host.clone(), object.clone());
            tokio::spawn(async move {
                let mut seen = 0;
                while seen < WRITES {
                    host.wait(&object, seen, PATIENCE_MS).await.unwrap();
                    seen = ask(&host, &object, Command::Read).await.unwrap();
                }
            })
        });
        let waiters: Vec<_> = waiters.collect();
        for _ in 0..WRITES {
            ask(&pool.host, &object, Command::Add).await.unwrap();
        }
        assert!(join_all(waiters).await.iter().all(Result::is_ok));
    });
    pool.stop();
}

#[test]
fn a_wait_for_what_has_happened_already_ends_at_once() {
    let (_directory, pool, object) = one();
    runtime().block_on(async {
        ask(&pool.host, &object, Command::Add).await.unwrap();
        pool.host.wait(&object, 0, PATIENCE_MS).await.unwrap();
    });
    pool.stop();
}

#[test]
fn a_wait_without_news_ends_by_its_time_and_leaves_no_row() {
    let (_directory, pool, object) = one();
    runtime().block_on(async {
        pool.host.wait(&object, 0, 1).await.unwrap();
        assert_eq!(pool.host.check().await, Ok(Vec::new()));
        assert_eq!(ask(&pool.host, &object, Command::Read).await, Ok(0));
    });
    pool.stop();
}

#[test]
fn news_of_others_and_failed_turns_wake_nobody() {
    let (_directory, pool, object) = one();
    let other = object_in(1, 0, 1);
    runtime().block_on(async {
        let mut wait = Box::pin(pool.host.wait(&object, 0, PATIENCE_MS));
        assert!(futures_util::poll!(&mut wait).is_pending());
        ask(&pool.host, &other, Command::Add).await.unwrap();
        assert!(ask(&pool.host, &object, Command::Panic).await.is_err());
        assert!(futures_util::poll!(&mut wait).is_pending());
        ask(&pool.host, &object, Command::Add).await.unwrap();
        wait.await.unwrap();
    });
    pool.stop();
}

#[test]
fn the_end_of_waiting_ends_waits_under_way_and_to_come() {
    let (_directory, pool, object) = one();
    runtime().block_on(async {
        let mut under_way = Box::pin(pool.host.wait(&object, 0, PATIENCE_MS));
        assert!(futures_util::poll!(&mut under_way).is_pending());
        pool.host.end_waits();
        assert_eq!(under_way.await, Err(AskError::Stopping));
        let to_come = pool.host.wait(&object, 0, PATIENCE_MS).await;
        assert_eq!(to_come, Err(AskError::Stopping));
        assert_eq!(
            ask(&pool.host, &object, Command::Add).await,
            Ok(1),
            "the rest goes on"
        );
    });
    pool.stop();
}
