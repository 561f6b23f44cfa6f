//! Scenarios of the user object, over real shards.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail like tests"
)]

mod account;
mod account_data;
mod devices;
mod fixture;
mod log;
mod out_of_band;
mod transitions;
mod typing;
