//! The one alarm of a Durable Object: it rings when the shard next has something to do by itself.
//!
//! The runtime repeats an alarm whose handler fails only six times and then drops it. So the handler never fails: it
//! sets the next alarm before it does anything that could trap, and what fails is recorded as data.

use std::rc::Rc;

use selvage_object::{Failure, Timestamp};
use wasm_bindgen_futures::JsFuture;

use super::home::Home;
use super::moment::{moment, now};
use crate::counts;
use crate::wire::Reply;

/// When to ring again after a handler that could not do its work, in milliseconds.
const RETRY_MS: u64 = 60_000;
/// When to ring again after timers that ended the instance, in milliseconds.
const TRAP_RETRY_MS: u64 = 5_000;
/// How often one alarm goes on at once when there is still something due.
const ROUNDS_MAX: u32 = 16;

/// When the alarm rings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Armed {
    /// Not looked up yet.
    Unknown,
    /// Not at all.
    Not,
    /// Then.
    At(Timestamp),
}

impl Home {
    /// Looks up when the alarm rings, once.
    pub(super) async fn learn_alarm(&self) -> Result<(), Reply> {
        if self.alarm.get() != Armed::Unknown {
            return Ok(());
        }
        let at = self.storage().alarm().await;
        let at = at.map_err(|error| Reply::Unavailable(error.to_string()))?;
        self.alarm.set(at.map_or(Armed::Not, Armed::At));
        Ok(())
    }

    /// Makes the alarm ring at `at`, or earlier if it does already. An alarm that rings too early costs less than one
    /// that is set again and again: each setting is a row written.
    pub(super) fn arm(self: &Rc<Self>, at: Timestamp) {
        if matches!(self.alarm.get(), Armed::At(armed) if armed <= at) {
            return;
        }
        match self.storage().set_alarm(at) {
            Ok(set) => {
                self.alarm.set(Armed::At(at));
                self.state.wait_until(async move {
                    // A write that fails later resets the whole object.
                    let _ = JsFuture::from(set).await;
                });
            }
            Err(error) => tracing::error!(shard = %self.id, %error, "the alarm is not set"),
        }
    }

    /// The alarm rings.
    pub(crate) async fn ring(self: &Rc<Self>) {
        counts::alarm(self.class);
        if let Err(reply) = self.prepare().await {
            tracing::error!(shard = %self.id, status = reply.status(), "an alarm without shard");
            return self.arm(now().plus_ms(RETRY_MS));
        }
        self.alarm.set(Armed::Not);
        for _ in 0..ROUNDS_MAX {
            match self.ring_once() {
                Ok(true) => {}
                Ok(false) => break,
                Err(failure) => {
                    tracing::error!(shard = %self.id, %failure, "timers failed");
                    break;
                }
            }
        }
        self.settle();
    }

    /// Rings the timers that are due, some of them; says whether there were any.
    fn ring_once(self: &Rc<Self>) -> Result<bool, Failure> {
        let first = self.with_shard(|shard| shard.first_timer())?;
        if first.is_none_or(|first| first > now()) {
            return Ok(false);
        }
        // Should a turn trap, this alarm and the mark are durable nevertheless.
        self.arm(now().plus_ms(TRAP_RETRY_MS));
        self.with_shard(|shard| self.begin_ringing(shard))??;
        let outcome = self.with_shard(|shard| shard.ring_timers(moment()))??;
        self.end_ringing()?;
        self.carry_out(&outcome);
        Ok(true)
    }
}
