//! The HTTP face of Selvage: one function from request to response, the same for both hosts.
//!
//! Stateless: it parses requests, authenticates, asks objects, and forms responses. It reaches objects, time, randomness
//! and waiting through [`Host`] only, and may not depend on a host, on an object crate, or on anything that does I/O.

mod host;

pub use host::{AskError, Host, MaybeSend, MaybeSync};
