//! Rate limits of one user: buckets that fill with time and live in memory only.

use selvage_object::{Refusal, Timestamp};
use selvage_protocol::errcode;
use selvage_protocol::user::Bucket;

/// How a bucket fills.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    /// How many requests at once.
    pub(crate) burst: u64,
    /// How long one request takes to come back, in milliseconds.
    pub(crate) refill_ms: u64,
}

/// Ten events a second, a hundred at once.
const SEND: Rate = Rate {
    burst: 100,
    refill_ms: 100,
};
/// One membership change a second, thirty at once.
const MEMBERSHIP: Rate = Rate {
    burst: 30,
    refill_ms: 1_000,
};
/// One invite from other servers each ten seconds, twenty at once.
const INVITED: Rate = Rate {
    burst: 20,
    refill_ms: 10_000,
};
/// Ten tries to log in at once, then one each six seconds.
pub(crate) const LOGIN: Rate = Rate {
    burst: 10,
    refill_ms: 6_000,
};

/// The rate of a named bucket.
pub(crate) const fn rate(bucket: Bucket) -> Rate {
    match bucket {
        Bucket::Send => SEND,
        Bucket::Membership => MEMBERSHIP,
        Bucket::Invited => INVITED,
    }
}

/// How full a bucket is: the time at which it will be, or was, full. A new one is full.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Level {
    full_at: Timestamp,
}

impl Level {
    /// The level after one more request.
    ///
    /// # Errors
    /// `M_LIMIT_EXCEEDED` when the bucket is empty.
    pub(crate) fn take(self, rate: Rate, now: Timestamp) -> Result<Self, Refusal> {
        let full_at = self.full_at.max(now).plus_ms(rate.refill_ms);
        let capacity_ms = rate.burst.saturating_mul(rate.refill_ms);
        match full_at.ms_since(now).checked_sub(capacity_ms) {
            None | Some(0) => Ok(Self { full_at }),
            Some(wait_ms) => {
                Err(Refusal::new(errcode::LIMIT_EXCEEDED, "too many requests").retry_after_ms(wait_ms))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_then_one_each_refill() {
        let rate = Rate {
            burst: 3,
            refill_ms: 1_000,
        };
        let mut level = Level::default();
        let start = Timestamp(1_000_000);
        for _ in 0..3 {
            level = level.take(rate, start).unwrap();
        }
        assert_eq!(level.take(rate, start).unwrap_err().retry_after_ms, Some(1_000));
        assert_eq!(
            level.take(rate, start.plus_ms(400)).unwrap_err().retry_after_ms,
            Some(600)
        );
        level = level.take(rate, start.plus_ms(1_000)).unwrap();
        assert!(level.take(rate, start.plus_ms(1_000)).is_err());
    }
}
