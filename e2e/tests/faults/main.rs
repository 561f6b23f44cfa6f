//! What an operator's day brings to the native server: a full disk, a second server, a damaged file, a wrong setting.
#![allow(
    clippy::panic,
    clippy::indexing_slicing,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "tests"
)]

mod native;
