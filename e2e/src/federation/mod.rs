//! Homeservers that reach each other: over TLS on loopback, with certificates of an authority of the test, and through
//! doors that the test can close.

mod authority;
mod door;
mod homeserver;

use std::path::PathBuf;

pub use authority::Authority;
pub use door::{Closed, Door};
pub use homeserver::Homeserver;

/// How a server appears to others.
#[derive(Clone, Debug)]
pub struct Presence {
    /// The server's name, with a port, so that others need no more to find it (spec: server-server-api
    /// §resolving-server-names).
    pub name: String,
    /// The port of 127.0.0.1 on which it serves others. The port of its name may be somebody else's, who passes on.
    pub port: u16,
    /// The certificate that others are shown (PEM).
    pub certificate: PathBuf,
    /// Its key (PEM).
    pub key: PathBuf,
    /// The authority that signs everybody's certificate (PEM).
    pub authority: PathBuf,
}
