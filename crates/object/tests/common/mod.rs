//! An object that writes down what it is asked and told, and a small world of shards of it.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each file of tests uses its own part of this"
)]

pub mod notebook;
pub mod world;
