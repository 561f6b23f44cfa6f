//! What comes back of a request to another server.

use std::fmt;
use std::pin::Pin;

use bytes::Bytes;
use futures_util::Stream;
use http::StatusCode;

use crate::MaybeSend;

/// Why another server did not do what it was asked, sorted by what can be done about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RemoteError {
    /// It was not reached: its name leads nowhere, nobody answers, its certificate is not its own, the time is over. Later,
    /// this may change.
    #[error("{0}")]
    Unreachable(String),
    /// This host cannot reach servers of such names, or may not.
    #[error("{0}")]
    Unsupported(String),
    /// It answered with an error (spec: server-server-api §standard-error-response).
    #[error("{status} {errcode}: {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The error code; `M_UNKNOWN` where the answer names none.
        errcode: String,
        /// What it says.
        message: String,
    },
    /// It answered something that the spec does not allow, or more than is read.
    #[error("{0}")]
    Misbehaved(String),
}

/// The chunks of an answer's body, in order.
pub trait RemoteChunks: Stream<Item = Result<Bytes, RemoteError>> + MaybeSend {}
impl<S: Stream<Item = Result<Bytes, RemoteError>> + MaybeSend> RemoteChunks for S {}

/// The body of an answer, as it arrives.
pub type RemoteBody = Pin<Box<dyn RemoteChunks>>;

/// An answer of another server.
pub struct RemoteResponse {
    /// The HTTP status.
    pub status: StatusCode,
    /// The body. Whoever reads it bounds how much is read.
    pub body: RemoteBody,
}

impl fmt::Debug for RemoteResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteResponse")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}
