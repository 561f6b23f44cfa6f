//! Scenarios of the room object, over real shards.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail like tests"
)]

mod attacks;
mod create;
mod fixture;
mod foreign;
mod forged;
mod forks;
mod gaps;
mod held;
mod history;
mod hostile;
mod joining;
mod membership;
mod messages;
mod past;
mod profile;
mod receipts;
mod redaction;
mod remote_members;
mod restricted;
mod rows;
mod send;
mod serving;
mod slices;
mod soft_failure;
mod staging;
mod state_of_slices;
mod supplied;
mod txns;
mod typing;
mod upgrade;
