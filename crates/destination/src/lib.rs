//! The destination object: one remote server, its signing keys, and the transactions that come from it.
//!
//! It may not depend on another object crate, nor on anything that does I/O, reads a clock or makes random bytes.

mod delivery;
mod incoming;
mod keys;
mod lease;
mod memory;
mod object;
mod queue;
mod schema;

pub use keys::{KEY_HELD_MS, KEYS_MAX, REFETCH_MIN_MS};
pub use object::DestinationObject;
