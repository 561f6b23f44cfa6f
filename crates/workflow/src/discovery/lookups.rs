//! What discovery needs of a host.

use bytes::Bytes;
use http::{Response, Uri};

use crate::{MaybeSend, MaybeSync, RemoteError};

/// The most that is read of an answer at `/.well-known/matrix/server`, in bytes; a longer one is an error.
pub const WELL_KNOWN_BYTES_MAX: usize = 64 * 1024;

/// Looking things up in the world. Every lookup ends, by itself, after seconds.
pub trait Lookups: MaybeSync {
    /// Gets what is at an `https` address, verified like any other request. Redirects are answers like others, and at most
    /// [`WELL_KNOWN_BYTES_MAX`] of the body are read.
    ///
    /// # Errors
    /// When there is no answer, or a longer one.
    fn get(&self, uri: &Uri) -> impl Future<Output = Result<Response<Bytes>, RemoteError>> + MaybeSend;

    /// The SRV records of a name, none if it has none.
    ///
    /// # Errors
    /// When it cannot be told whether it has any.
    fn srv(&self, name: &str) -> impl Future<Output = Result<Vec<SrvRecord>, RemoteError>> + MaybeSend;

    /// Random bytes: servers of one priority share the load.
    fn random(&self) -> [u8; 32];
}

/// An SRV record. RFC 2782.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SrvRecord {
    /// Lower ones are tried first.
    pub priority: u16,
    /// Among those of one priority, the share of the load.
    pub weight: u16,
    /// The port.
    pub port: u16,
    /// The host's name, `.` alone for "there is no such service here".
    pub target: String,
}
