//! Finding another server by its name. spec: server-server-api §resolving-server-names.
//!
//! It goes in two parts. [`Discovery`] says by which name a server is spoken to: its own, or the one that it delegates to at
//! `/.well-known/matrix/server` (step 3). That name is an [`Authority`]: the `Host` header, the name that the certificate must
//! be for, and what connections are told apart by. Where to connect follows from it alone: [`Authority::targets`] reads the
//! port or the SRV records (steps 1, 2, 3.1 to 3.5, 4 to 6, which are the same for either name).
//!
//! Nothing here does I/O: hosts implement [`Lookups`], and connect.

mod authority;
mod freshness;
mod known;
mod lookups;
mod redirect;
mod srv;
#[cfg(test)]
mod tests;
mod well_known;

pub use authority::{Authority, HostName, Target};
pub use known::Discovery;
pub use lookups::{Lookups, SrvRecord, WELL_KNOWN_BYTES_MAX};
