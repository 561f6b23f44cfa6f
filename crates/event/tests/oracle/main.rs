//! Differential tests: everything that ruma implements too (room versions 6 to 12) must come out the same.
//!
//! `SELVAGE_ORACLE_GRAPHS` sets how many room graphs are resolved (default 2,100; 100,000 takes a while, use a
//! release build). A failure prints the seed; `SELVAGE_ORACLE_SEED` starts there.
//!
//! What is known to differ, and why, is said where the generators leave it out.

// Clippy knows only functions marked as tests for tests, not those they call.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod authorisation;
mod events;
mod graphs;
mod pdu;
mod rng;
mod room;

/// A number from the environment, or the default.
fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}
