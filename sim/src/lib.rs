//! Whole servers in one process, on one thread, virtual time and seeded randomness.
//!
//! [`Server`] houses the product's own objects over databases in memory; its owner decides when shards commit and crash,
//! and in which order deliveries arrive. Tests of the objects use it with [`asks`] and [`sync`]. The first simulator plays
//! the clients of a server step by step ([`play`]), beside a reference model that says what each user must see; the second
//! plays many servers that share a room, some of them hostile ([`federation`]).
//!
//! A seed determines a run: the same one leaves the same trace.
#![allow(
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "test support: what cannot be done fails the test"
)]

pub mod asks;
pub mod federation;
mod plan;
pub mod play;
mod prng;
pub mod remote;
pub mod server;
mod shrink;
pub mod sync;
mod trace;
pub mod war;

pub use plan::{Plan, Verdict};
pub use prng::Prng;
pub use server::{Fate, Layout, Server};
pub use shrink::shrink;
