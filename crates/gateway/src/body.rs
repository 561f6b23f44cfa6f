//! The body of a response: whole, or in chunks as it is made.

use std::fmt;
use std::pin::Pin;

use bytes::Bytes;
use futures_util::Stream;

use crate::MaybeSend;

/// A body that broke off: the host cuts the connection, so that the client does not take the part for the whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the answer broke off: {0}")]
pub struct BodyError(pub(crate) String);

/// The chunks of a body, in order.
pub trait ChunkStream: Stream<Item = Result<Bytes, BodyError>> + MaybeSend {}
impl<S: Stream<Item = Result<Bytes, BodyError>> + MaybeSend> ChunkStream for S {}

/// The chunks of a body, in order.
pub type Chunks = Pin<Box<dyn ChunkStream>>;

/// The body of a response.
pub enum Body {
    /// All of it.
    Whole(Bytes),
    /// Chunk by chunk, each made when the one before it was taken: a large answer is never in memory at once.
    Chunks(Chunks),
}

impl Body {
    /// No bytes.
    #[must_use]
    pub const fn empty() -> Self {
        Self::Whole(Bytes::new())
    }

    /// How many bytes it has; `None` when that is not known before the end.
    #[must_use]
    pub const fn len(&self) -> Option<usize> {
        match self {
            Self::Whole(bytes) => Some(bytes.len()),
            Self::Chunks(_) => None,
        }
    }

    /// Whether it is known to have no bytes.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        matches!(self.len(), Some(0))
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Whole(bytes.into())
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(bytes) => write!(f, "Body::Whole({} bytes)", bytes.len()),
            Self::Chunks(_) => f.write_str("Body::Chunks"),
        }
    }
}
