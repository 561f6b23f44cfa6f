//! Which tells may leave next: one delivery at a time for each pair of sending object and receiving shard, which is what
//! keeps them in order, and back-off for shards that do not take them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::outbox::Queued;
use crate::{Receipt, ShardId, Timestamp};

/// The most rows of one shard's outbox. At the limit, turns that would tell something fail and their callers are told to
/// come back later; nothing that was acknowledged is dropped.
pub const OUTBOX_ROWS_MAX: usize = 100_000;
/// The first pause after a delivery that failed, in milliseconds; it doubles with each failure.
pub const RETRY_MIN_MS: u64 = 250;
/// The longest pause between tries, in milliseconds.
pub const RETRY_MAX_MS: u64 = 60 * 60 * 1_000;
/// After so many failures in a row, about 19 hours, a tell is set aside so that those behind it can pass.
const ATTEMPTS_MAX: u32 = 32;
/// The most tells of one delivery.
const TELLS_PER_DELIVERY_MAX: usize = 64;

type PairKey = (i64, ShardId);

#[derive(Default)]
struct Pair {
    waiting: VecDeque<u64>,
    in_flight: bool,
    attempts: u32,
}

/// The outbox in memory: sequence numbers only.
#[derive(Default)]
pub(crate) struct Dispatcher {
    pairs: BTreeMap<PairKey, Pair>,
    ready: BTreeSet<PairKey>,
    retries: BTreeSet<(Timestamp, PairKey)>,
    /// How many shards still have to take each row.
    shards_left: BTreeMap<(i64, u64), usize>,
}

/// What the next delivery of one pair carries.
pub(crate) struct Ready {
    pub(crate) number: i64,
    pub(crate) shard: ShardId,
    pub(crate) seqs: Vec<u64>,
}

impl Dispatcher {
    pub(crate) fn rows(&self) -> usize {
        self.shards_left.len()
    }

    pub(crate) fn add(&mut self, queued: Queued) {
        self.shards_left
            .insert((queued.number, queued.seq), queued.shards.len());
        for shard in queued.shards {
            let key = (queued.number, shard);
            let pair = self.pairs.entry(key.clone()).or_default();
            pair.waiting.push_back(queued.seq);
            if !pair.in_flight && pair.attempts == 0 {
                self.ready.insert(key);
            }
        }
    }

    /// The deliveries that may leave now; each is in flight until it is answered.
    pub(crate) fn take_ready(&mut self, now: Timestamp) -> Vec<Ready> {
        self.end_pauses(now);
        let mut taken = Vec::new();
        while let Some(key) = self.ready.pop_first() {
            let Some(pair) = self.pairs.get_mut(&key) else {
                continue;
            };
            pair.in_flight = true;
            let seqs = pair
                .waiting
                .iter()
                .copied()
                .take(TELLS_PER_DELIVERY_MAX)
                .collect();
            taken.push(Ready {
                number: key.0,
                shard: key.1,
                seqs,
            });
        }
        taken
    }

    /// Puts off until `until` what could leave now, as if it had failed once; what is added later waits behind it.
    pub(crate) fn put_off(&mut self, until: Timestamp) {
        while let Some(key) = self.ready.pop_first() {
            if let Some(pair) = self.pairs.get_mut(&key) {
                pair.attempts = pair.attempts.max(1);
                self.retries.insert((until, key));
            }
        }
    }

    fn end_pauses(&mut self, now: Timestamp) {
        while self.retries.first().is_some_and(|(due, _)| *due <= now) {
            if let Some((_, key)) = self.retries.pop_first() {
                self.ready.insert(key);
            }
        }
    }

    /// Takes note of a delivery that is durable at its receiver; returns the rows that nobody waits for any more.
    pub(crate) fn succeeded(&mut self, receipt: &Receipt) -> Vec<u64> {
        self.finish(receipt)
    }

    /// Takes note of a delivery that failed; returns the rows to be set aside, which is none in most cases.
    ///
    /// A receiver that is merely busy does not count against the tell.
    pub(crate) fn failed(&mut self, receipt: &Receipt, now: Timestamp, busy: bool) -> Vec<u64> {
        let key = (receipt.from_number, receipt.shard.clone());
        let Some(pair) = self.pairs.get_mut(&key) else {
            return Vec::new();
        };
        pair.in_flight = false;
        pair.attempts = if busy {
            pair.attempts.max(1)
        } else {
            pair.attempts + 1
        };
        if pair.attempts >= ATTEMPTS_MAX {
            return receipt.seqs.clone();
        }
        let doublings = pair.attempts.saturating_sub(1).min(24);
        let pause = RETRY_MIN_MS.saturating_mul(1 << doublings).min(RETRY_MAX_MS);
        self.retries.insert((now.plus_ms(pause), key));
        Vec::new()
    }

    /// Takes note of rows that were set aside; returns the rows that nobody waits for any more.
    pub(crate) fn set_aside(&mut self, receipt: &Receipt) -> Vec<u64> {
        self.finish(receipt)
    }

    fn finish(&mut self, receipt: &Receipt) -> Vec<u64> {
        let key = (receipt.from_number, receipt.shard.clone());
        let Some(pair) = self.pairs.get_mut(&key) else {
            return Vec::new();
        };
        pair.in_flight = false;
        pair.attempts = 0;
        // A receipt that comes twice ends what still waits and nothing else: other shards' shares are not counted off.
        let (ended, waiting): (VecDeque<u64>, VecDeque<u64>) = std::mem::take(&mut pair.waiting)
            .into_iter()
            .partition(|seq| receipt.seqs.contains(seq));
        pair.waiting = waiting;
        if pair.waiting.is_empty() {
            self.pairs.remove(&key);
        } else {
            self.ready.insert(key);
        }
        let ended = ended.into_iter();
        ended
            .filter(|seq| self.shard_has((receipt.from_number, *seq)))
            .collect()
    }

    /// One shard fewer has to take this row; says whether it was the last.
    fn shard_has(&mut self, row: (i64, u64)) -> bool {
        let Some(left) = self.shards_left.get_mut(&row) else {
            return false;
        };
        *left = left.saturating_sub(1);
        let done = *left == 0;
        if done {
            self.shards_left.remove(&row);
        }
        done
    }

    /// When the next pause ends; `None` when nothing waits for one.
    pub(crate) fn next_retry(&self) -> Option<Timestamp> {
        self.retries.first().map(|(due, _)| *due)
    }
}
