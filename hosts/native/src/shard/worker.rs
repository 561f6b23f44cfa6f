//! A shard's thread.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use selvage_gateway::AskError;
use selvage_object::{Delivery, Shard, SqlFault, SqlFaultKind, Started, Timestamp};
use selvage_sqlite::Sqlite;
use tokio::sync::mpsc;

use super::answer::Answer;
use super::batch::{Batch, sql_fault};
use super::held::Held;
use super::input::Input;
use super::open::Opener;
use super::pool::Queues;
use super::trouble;
use super::watches::Watches;
use crate::clock;
use crate::metrics::Metrics;

/// The most inputs of one batch: what one sync makes durable, and what waits for it.
const BATCH_INPUTS_MAX: usize = 256;
/// How long a shard whose database cannot be opened waits before it tries again.
const REOPEN_PAUSE: Duration = Duration::from_secs(1);

pub(crate) struct Worker {
    pub(crate) index: usize,
    pub(crate) opener: Opener,
    pub(crate) queues: Queues,
    pub(crate) metrics: Arc<Metrics>,
    /// Where workflows go that objects start.
    pub(crate) started: mpsc::Sender<Started>,
    /// `None` while the database cannot be opened.
    pub(crate) shard: Option<Shard<Sqlite>>,
    pub(crate) watches: Watches,
}

impl Worker {
    /// Handles inputs until the queue is closed and empty.
    pub(crate) fn run(mut self) {
        let Some(queue) = self.queues.of(self.index) else {
            return;
        };
        // What an earlier run left undelivered.
        self.send_deliveries();
        while let Some(mut inputs) = queue.take(self.patience()) {
            loop {
                let rest = inputs.split_off(inputs.len().min(BATCH_INPUTS_MAX));
                self.batch(inputs);
                if rest.is_empty() {
                    break;
                }
                inputs = rest;
            }
        }
        self.finish();
    }

    /// How long the queue may stay empty.
    fn patience(&self) -> Option<Duration> {
        let Some(shard) = &self.shard else {
            return Some(REOPEN_PAUSE);
        };
        let now = clock::now();
        let due: Timestamp = shard.next_due(now)?;
        Some(Duration::from_millis(due.ms_since(now)))
    }

    fn batch(&mut self, inputs: Vec<Input>) {
        let Some(shard) = self.shard.as_mut() else {
            fail(inputs);
            self.reopen();
            return;
        };
        let mut held = Held::default();
        let ran = catch_unwind(AssertUnwindSafe(|| {
            Batch::new(shard, &mut self.watches, &self.metrics, &mut held).run(inputs)
        }));
        match ran {
            Ok(Ok(())) => {
                let queues = self.queues.clone();
                let started = &self.started;
                held.release(
                    &mut self.watches,
                    |delivery| queues.of_delivery(delivery),
                    // With too many waiting, or nobody to run them, it is lost; the object's timer starts it again.
                    |workflow| drop(started.try_send(workflow)),
                );
                self.send_deliveries();
            }
            Ok(Err(fault)) => self.fail_batch(held, &fault),
            Err(_) => self.fail_batch(
                held,
                &SqlFault::new(SqlFaultKind::Other, "a panic in the turn loop"),
            ),
        }
        self.metrics.note_watches(self.index, self.watches.len());
    }

    fn fail_batch(&mut self, held: Held, fault: &SqlFault) {
        tracing::error!(shard = self.index, %fault, "a batch was not committed");
        self.metrics.batches_failed.add(1);
        held.fail(&trouble::of_database(fault));
        self.reopen();
    }

    /// Drops the memory, which is ahead of the database, and begins again from what is durable.
    fn reopen(&mut self) {
        let why = trouble::of_database(&SqlFault::new(SqlFaultKind::Other, ""));
        self.watches.end(&why);
        // Closed before it is opened again, since the file is locked.
        self.shard = None;
        match self.opener.open() {
            Ok(shard) => {
                self.shard = Some(shard);
                self.send_deliveries();
            }
            Err(error) => tracing::error!(shard = self.index, %error, "the database cannot be opened"),
        }
    }

    fn send_deliveries(&mut self) {
        let Some(shard) = self.shard.as_mut() else {
            return;
        };
        match shard.take_deliveries(clock::now()) {
            Ok(deliveries) => deliveries
                .into_iter()
                .for_each(|delivery| self.send_delivery(delivery)),
            Err(fault) => {
                let fault = sql_fault(fault);
                tracing::error!(shard = self.index, %fault, "the outbox cannot be read");
                self.shard = None;
            }
        }
    }

    /// Gives a delivery to its shard; when that has no room, the answer that is dropped with it says so.
    fn send_delivery(&self, delivery: Delivery) {
        let Some(own) = self.queues.of(self.index) else {
            return;
        };
        let answer = Answer::new(own, &delivery);
        if let Some(queue) = self.queues.of_delivery(&delivery) {
            let _ = queue.push(Input::Deliver { delivery, answer });
        }
    }

    fn finish(mut self) {
        self.watches.end(&AskError::Stopping);
        if let Some(shard) = self.shard.take()
            && let Err(fault) = shard.storage().checkpoint()
        {
            tracing::warn!(shard = self.index, %fault, "the log was not carried over; the next start does it");
        }
    }
}

/// Answers inputs that no database is there for.
fn fail(inputs: Vec<Input>) {
    let why = trouble::of_database(&SqlFault::new(SqlFaultKind::Other, ""));
    for input in inputs {
        match input {
            Input::Ask { reply, .. } => drop(reply.send(Err(why.clone()))),
            Input::Watch { waker, .. } => drop(waker.send(Err(why.clone()))),
            Input::Check { reply } => drop(reply.send(Err(why.clone()))),
            // Deliveries are answered as they drop; the database still has what they were about.
            Input::Deliver { .. } | Input::Hint(_) | Input::Answered { .. } | Input::EndWaits => {}
        }
    }
}
