//! The room object: an event graph, the state at every event, and who may see what of it.
//!
//! It may not depend on another object crate, nor on anything that does I/O, reads a clock or makes random bytes.

mod accept;
mod chains;
mod client_event;
mod create;
mod current;
mod dummy;
mod error;
mod event_ref;
mod events;
mod extremities;
mod filter;
mod forks;
mod gaps;
mod hex;
mod identity;
mod keys;
mod members;
mod membership;
mod memory;
mod messages;
mod nodes;
mod object;
mod past;
mod place;
mod profile;
mod read;
mod receipts;
mod receive;
mod redact;
mod remote_members;
mod restricted;
mod schema;
mod send;
mod serve;
mod serve_state;
mod server_eyes;
mod slice;
mod slice_state;
mod staging;
mod status;
mod store;
mod summary;
mod supply;
mod timeline;
pub mod trie;
mod txns;
mod typing;
mod upgrade;
mod view;
mod visibility;
mod whole;

pub use identity::Identity;
pub use object::RoomObject;
