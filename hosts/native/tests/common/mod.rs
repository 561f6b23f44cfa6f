//! What the tests of the native host share.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each file of tests uses its own part of this"
)]

pub mod counter;
pub mod http;
pub mod process;
