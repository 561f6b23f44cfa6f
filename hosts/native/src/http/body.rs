//! Bodies: of requests, read whole within limits; of responses, as the gateway makes them.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use selvage_gateway::{BodyError, Chunks};
use tokio::time::timeout;

/// The longest pause of a client in the middle of a body.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// The longest time that a whole body may take.
const BODY_TIME_MAX: Duration = Duration::from_secs(300);

/// How much of a body that is too large is still read and dropped, so that a client which sends before it reads finds the
/// answer and not a broken connection.
const DRAINED_BYTES_MAX: usize = 8 * 1_024 * 1_024;
/// How long such a client may pause: one that waits for its answer gets it then.
const DRAIN_PAUSE_MAX: Duration = Duration::from_millis(500);
/// How long it may send on.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(10);

/// Why a body was not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("the body is larger than the endpoint takes")]
    TooLarge,
    #[error("the client sends its body too slowly")]
    Slow,
    #[error("the client broke off: {0}")]
    BrokenOff(#[from] hyper::Error),
}

/// Reads a body of at most `bytes_max` bytes.
pub(crate) async fn read(body: Incoming, bytes_max: usize) -> Result<Bytes, ReadError> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    if body.size_hint().lower() > bytes_max as u64 {
        drain(body).await;
        return Err(ReadError::TooLarge);
    }
    timeout(BODY_TIME_MAX, read_frames(body, bytes_max))
        .await
        .map_err(|_| ReadError::Slow)?
}

/// Reads on and drops what comes, within limits of size and time. What goes wrong meanwhile is the client's loss alone.
async fn drain(mut body: Incoming) {
    let mut dropped = 0;
    let draining = async {
        while dropped < DRAINED_BYTES_MAX
            && let Ok(Some(Ok(frame))) = timeout(DRAIN_PAUSE_MAX, body.frame()).await
        {
            dropped += frame.data_ref().map_or(0, Bytes::len);
        }
    };
    drop(timeout(DRAIN_TIME_MAX, draining).await);
}

/// A body that comes in one piece, as most do, is not copied.
async fn read_frames(mut body: Incoming, bytes_max: usize) -> Result<Bytes, ReadError> {
    let (mut first, mut rest) = (Bytes::new(), BytesMut::new());
    while let Some(frame) = timeout(PAUSE_MAX, body.frame())
        .await
        .map_err(|_| ReadError::Slow)?
    {
        let Ok(data) = frame?.into_data() else { continue };
        if first.len() + rest.len() + data.len() > bytes_max {
            drain(body).await;
            return Err(ReadError::TooLarge);
        }
        if first.is_empty() {
            first = data;
        } else {
            rest.extend_from_slice(&data);
        }
    }
    if rest.is_empty() {
        return Ok(first);
    }
    let mut whole = BytesMut::from(first);
    whole.unsplit(rest);
    Ok(whole.freeze())
}

/// The body of a response.
pub(crate) enum Outgoing {
    Whole(Bytes),
    Chunks(Chunks),
}

impl From<selvage_gateway::Body> for Outgoing {
    fn from(body: selvage_gateway::Body) -> Self {
        match body {
            selvage_gateway::Body::Whole(bytes) => Self::Whole(bytes),
            selvage_gateway::Body::Chunks(chunks) => Self::Chunks(chunks),
        }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut *self {
            Self::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Chunks(chunks) => {
                let chunk = chunks.as_mut().poll_next(context);
                chunk.map(|chunk| chunk.map(|chunk| chunk.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Chunks(_) => SizeHint::default(),
        }
    }
}
