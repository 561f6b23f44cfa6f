//! The endpoints over the real objects, in one process: `respond` is called as hosts call it.
#![allow(
    clippy::panic,
    clippy::indexing_slicing,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "tests"
)]

mod accounts;
mod client;
mod everywhere;
mod federation;
mod house;
mod operator;
mod rooms;
mod sync;
