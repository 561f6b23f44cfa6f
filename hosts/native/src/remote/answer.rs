//! The body of an answer, as it arrives.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use selvage_workflow::discovery::Authority;
use selvage_workflow::{RemoteBody, RemoteError, patience_ms};
use tokio::time::{Instant, timeout};

use super::describe;
use super::line::Line;
use super::places::Place;
use super::pool::Pool;

/// An answer that is being read.
pub(super) struct Answer {
    pub(super) body: Incoming,
    /// How long it may be silent.
    pub(super) silence_max: Duration,
    pub(super) authority: Authority,
    pub(super) line: Line,
    pub(super) pool: Arc<Pool>,
    pub(super) place: Place,
}

struct Reading {
    answer: Answer,
    since: Instant,
    bytes: u64,
}

impl Answer {
    /// Its body. When that was read to its end, the connection is kept for the next request; when it is dropped before, the
    /// connection ends, or over HTTP/2 the answer alone.
    pub(super) fn into_body(self) -> RemoteBody {
        let reading = Reading {
            answer: self,
            since: Instant::now(),
            bytes: 0,
        };
        Box::pin(stream::try_unfold(reading, Reading::next))
    }

    fn end(self) {
        let Self {
            pool,
            line,
            place,
            authority,
            ..
        } = self;
        pool.give_back(&authority, line);
        drop(place);
    }
}

impl Reading {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, RemoteError> {
        loop {
            let Some(frame) = timeout(self.patience(), self.answer.body.frame())
                .await
                .map_err(|_| self.broken("it stopped in the middle of an answer, or goes on too slowly"))?
            else {
                self.answer.end();
                return Ok(None);
            };
            let frame = frame.map_err(|error| self.broken(&describe(&error)))?;
            // What is no data is a trailer, which Matrix has no use for.
            if let Ok(chunk) = frame.into_data() {
                self.bytes = self.bytes.saturating_add(chunk.len() as u64);
                return Ok(Some((chunk, self)));
            }
        }
    }

    /// How long the next chunk may take.
    fn patience(&self) -> Duration {
        let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let left_ms = patience_ms(ms(self.answer.silence_max), ms(self.since.elapsed()), self.bytes);
        Duration::from_millis(left_ms)
    }

    fn broken(&self, why: &str) -> RemoteError {
        RemoteError::Unreachable(format!("{}: {why}", self.answer.authority))
    }
}
