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

/// What this program calls itself in requests: there are servers that refuse those of nobody.
pub const USER_AGENT: &str = concat!("Selvage/", env!("CARGO_PKG_VERSION"));

/// How fast an answer must come at least, in bytes a second over the whole of it: one that trickles would hold its place for
/// days without ever being silent.
const RATE_MIN: u64 = 1_024;

/// How long the next chunk of an answer may take, in milliseconds: no longer than the silence that is allowed, nor than the
/// bytes that came since it began pay for. Zero means that it is to be given up.
#[must_use]
pub fn patience_ms(silence_max_ms: u64, since_begin_ms: u64, bytes: u64) -> u64 {
    let paid_ms = bytes.saturating_mul(1_000) / RATE_MIN;
    let end_ms = silence_max_ms.saturating_add(paid_ms);
    end_ms.saturating_sub(since_begin_ms).min(silence_max_ms)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_may_be_long_or_slow_but_not_both_for_ever() {
        assert_eq!(patience_ms(10_000, 0, 0), 10_000);
        assert_eq!(patience_ms(10_000, 9_000, 9), 1_008, "a trickle");
        assert_eq!(patience_ms(10_000, 10_100, 10), 0, "is given up");
        assert_eq!(
            patience_ms(10_000, 3_600_000, 10 << 20),
            10_000,
            "what comes steadily may take hours"
        );
        assert_eq!(patience_ms(u64::MAX, u64::MAX, u64::MAX), 0);
    }
}
