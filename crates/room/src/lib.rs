//! The room object: an event graph, the state at every event, and who may see what of it.
//!
//! It may not depend on another object crate, nor on anything that does I/O, reads a clock or makes random bytes.

mod accept;
mod client_event;
mod create;
mod error;
mod event_ref;
mod events;
mod filter;
mod identity;
mod members;
mod membership;
mod memory;
mod messages;
mod nodes;
mod object;
mod profile;
mod read;
mod receipts;
mod redact;
mod schema;
mod send;
mod slice;
mod slice_state;
mod summary;
mod timeline;
pub mod trie;
mod txns;
mod typing;
mod view;
mod visibility;

pub use identity::Identity;
pub use object::RoomObject;
