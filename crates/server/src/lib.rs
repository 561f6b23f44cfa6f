//! The server object: what belongs to the server and to no user or room, which is its signing identity and the tokens
//! that let people register.
//!
//! It may not depend on another object crate, nor on anything that does I/O, reads a clock or makes random bytes.

mod identity;
mod object;
mod old_keys;
mod schema;
mod tokens;

pub use object::ServerObject;
