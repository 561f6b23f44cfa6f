//! The one place that reads the clock.

use std::time::{SystemTime, UNIX_EPOCH};

use selvage_object::Timestamp;

/// The time now; 1970 when the machine's clock is before that.
#[allow(
    clippy::disallowed_methods,
    reason = "the host is where time comes from; all else gets it from here"
)]
#[must_use]
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
