//! One suite of host behaviour, run against every host: what a turn, a value, a delivery, a timer and a watch promise.
//!
//! [`probe`] is an object made to be tested with: hosts that are under test register it beside, or instead of, the
//! product's objects. [`cases`] are the promises, each a function that asks probes and asserts what comes of it, over
//! [`HostUnderTest`], which a driver for each host implements in `tests/`.
//!
//! The probe may depend on what object crates may depend on; the cases may block and start threads. Nothing of the
//! product depends on this crate, but the Workers host when it is built with its feature `conformance`.

#[cfg(not(target_arch = "wasm32"))]
#[allow(clippy::expect_used, clippy::panic, reason = "a broken promise ends its test")]
pub mod cases;
mod host;
#[cfg(not(target_arch = "wasm32"))]
pub mod http;
pub mod probe;
#[cfg(not(target_arch = "wasm32"))]
mod remote;

pub use host::{Answer, Flood, HostUnderTest, NoAnswer};
#[cfg(not(target_arch = "wasm32"))]
pub use remote::Remote;
