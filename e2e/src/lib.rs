//! Black-box tests over HTTP, run against either host.
//!
//! This library starts a homeserver as its operator would ([`Server`]), speaks to it as a bare HTTP client ([`Api`])
//! or through an existing client SDK ([`Driver`]), and kills it. The tests beside it know nothing of Selvage but its
//! command line and the Matrix specification, so the same cases run against the native host, against `workerd`, under
//! `wrangler dev`, and, as a check of the tests themselves, against Synapse.
//!
//! It may not depend on any crate of Selvage.
#![allow(
    clippy::panic,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "test support: a step that cannot be done fails the test, and real processes need a real clock"
)]

pub mod api;
pub mod disk;
pub mod driver;
pub mod federation;
pub mod host;
mod port;
pub mod process;
pub mod raw;
pub mod server;
pub mod tools;
pub mod wait;

pub use api::{Api, Reply};
pub use disk::SmallDisk;
pub use driver::Driver;
pub use host::Host;
pub use server::{Options, Server};
