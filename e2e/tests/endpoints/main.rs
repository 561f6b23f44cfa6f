//! Every endpoint over bare HTTP, used rightly and wrongly, on each host.
//!
//! Each case has a server to itself and says in its name and its assertions what it checks, with the section of the
//! specification (v1.19) that asks for it. On Synapse, which deviates here and there, a refusal has to be a refusal;
//! where its status or code differs from the specification's, it is printed.
#![allow(
    clippy::panic,
    clippy::indexing_slicing,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "tests"
)]

/// Declares cases, each a function of a running server, once for each host.
macro_rules! cases {
    ($($case:ident),* $(,)?) => {
        mod native { $(#[test] fn $case() { super::$case(&mut selvage_e2e::Server::start(selvage_e2e::Host::Native)); })* }
        mod workerd { $(#[test] fn $case() { super::$case(&mut selvage_e2e::Server::start(selvage_e2e::Host::Workerd)); })* }
        #[cfg(feature = "synapse")]
        mod synapse { $(#[test] fn $case() { super::$case(&mut selvage_e2e::Server::start(selvage_e2e::Host::Synapse)); })* }
    };
}

mod accounts;
mod bodies;
mod concurrency;
mod each;
mod idempotency;
mod permissions;
mod registration;
mod rooms;
mod scene;
mod sync;
mod table;
mod visibility;
