//! The tool's clock: measuring real time is its purpose, so the workspace's ban on clocks is lifted here, once.
#![allow(clippy::disallowed_methods, reason = "a load tool measures real time")]

use std::time::{Duration, Instant, SystemTime};

/// Monotonic now.
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// A number that differs between runs (milliseconds since 1970), for user names on a server that outlives a run.
pub(crate) fn run_number() -> u128 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .as_millis()
}

/// `duration` in milliseconds, with fraction.
pub(crate) fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}
