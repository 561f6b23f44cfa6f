//! What keeps one panic from being many.
//!
//! Panics cannot be caught in wasm: the whole instance ends, with every call in flight in it. A turn that panics because of
//! what it was told, or of a timer, would do so again at each try. So before this shard tries again what it may not have
//! survived, it writes down that it does and when it would try once more; a shard that wakes keeps to that.

use std::cell::Cell;
use std::rc::Rc;

use selvage_object::{Fault, Shard, Storage, Timestamp};
use serde::{Deserialize, Serialize};

use super::cache;
use super::home::Home;
use super::moment::now;
use super::storage::DoStorage;

const REDELIVERY: &str = "redelivery";
const RINGING: &str = "ringing";
/// When a shard that wakes with undelivered tells first tries, in milliseconds from then.
const FIRST_PAUSE_MS: u64 = 1_000;
/// The longest pause between tries, in milliseconds.
const PAUSE_MAX_MS: u64 = 60 * 60 * 1_000;

/// How far the shard is with tells that were left from before it woke.
#[derive(Default)]
pub(super) struct Recovery {
    left: Cell<Option<Redelivery>>,
    under_way: Cell<usize>,
}

/// The next try.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Redelivery {
    /// How many tries were begun.
    tries: u32,
    /// When to try.
    at: Timestamp,
}

impl Redelivery {
    /// The try after this one, which begins now: each pause is four times the one before.
    fn next(self) -> Self {
        let pause = FIRST_PAUSE_MS.saturating_mul(4_u64.saturating_pow(self.tries + 1));
        Self {
            tries: self.tries.saturating_add(1),
            at: now().plus_ms(pause.min(PAUSE_MAX_MS)),
        }
    }
}

impl Home {
    /// Keeps back what a shard that was just opened has not delivered before.
    pub(super) fn take_stock(&self, shard: &mut Shard<DoStorage>) -> Result<(), Fault> {
        self.recovery.under_way.set(0);
        self.recovery.left.set(None);
        if shard.undelivered() == 0 {
            return Ok(());
        }
        let first = || Redelivery {
            tries: 0,
            at: now().plus_ms(FIRST_PAUSE_MS),
        };
        let left = cache::get(shard.storage().sql(), REDELIVERY)?.unwrap_or_else(first);
        shard.put_off_deliveries(left.at);
        self.recovery.left.set(Some(left));
        Ok(())
    }

    /// Writes down that a try begins, if it is time for one; says whether it does.
    pub(super) fn begin_redelivery(self: &Rc<Self>) -> Result<bool, Fault> {
        let due = self.recovery.left.get().filter(|left| left.at <= now());
        let idle = self.recovery.under_way.get() == 0;
        let Some(left) = due.filter(|_| idle) else {
            return Ok(false);
        };
        let next = left.next();
        cache::put(self.storage().sql(), REDELIVERY, &next)?;
        self.recovery.left.set(Some(next));
        self.arm(next.at);
        Ok(true)
    }

    /// So many deliveries are being tried again.
    pub(super) fn redelivering(&self, deliveries: usize) -> Result<(), Fault> {
        self.recovery.under_way.set(deliveries);
        if deliveries == 0 { self.recovered() } else { Ok(()) }
    }

    /// One of them arrived.
    pub(super) fn redelivered(&self) -> Result<(), Fault> {
        let left = self.recovery.under_way.get().saturating_sub(1);
        self.recovery.under_way.set(left);
        if left == 0 { self.recovered() } else { Ok(()) }
    }

    fn recovered(&self) -> Result<(), Fault> {
        self.recovery.left.set(None);
        Ok(cache::forget(self.storage().sql(), REDELIVERY)?)
    }

    /// Writes down that timers ring from now on. The first of them is put off when the last time did not end.
    pub(super) fn begin_ringing(&self, shard: &mut Shard<DoStorage>) -> Result<(), Fault> {
        if cache::get::<bool>(shard.storage().sql(), RINGING)?.is_none() {
            return cache::put(shard.storage().sql(), RINGING, &true);
        }
        tracing::error!(shard = %self.id, "a timer ended the instance; it is put off");
        shard.put_off_first_timer(now())
    }

    /// Timers have rung, and this is still here.
    pub(super) fn end_ringing(&self) -> Result<(), Fault> {
        Ok(cache::forget(self.storage().sql(), RINGING)?)
    }
}
