//! The user object: account, devices, profile, account data, filters, memberships as this user sees them, and the log that
//! sync tokens name.
//!
//! It may not depend on another object crate, nor on anything that does I/O, reads a clock or makes random bytes.

mod account;
mod account_data;
mod buckets;
mod changes;
mod devices;
mod filters;
mod log;
mod memory;
mod object;
mod out_of_band;
mod profile;
mod rooms;
mod schema;
mod typing;

pub use object::UserObject;
