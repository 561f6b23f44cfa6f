//! Bodies that hold many events: read from the room page by page as they are sent, so that no answer is in memory at once.

use std::collections::VecDeque;

use bytes::Bytes;
use futures_util::stream;
use selvage_event::RoomId;
use selvage_protocol::federation::EventsById;
use selvage_protocol::{Json, room_key};

use crate::{Body, BodyError, Gateway, Host};

/// How many events are read at once: at the most 4 MB.
const PAGE: usize = 64;

/// A body in parts.
pub(super) struct EventsBody<H> {
    gateway: Gateway<H>,
    room_id: RoomId,
    parts: VecDeque<Part>,
}

enum Part {
    Text(String),
    /// Events by their ids, and whether some of the same list have been written.
    Events(VecDeque<String>, bool),
}

impl<H: Host> EventsBody<H> {
    /// A body about a room, so far empty.
    pub(super) const fn new(gateway: Gateway<H>, room_id: RoomId) -> Self {
        Self {
            gateway,
            room_id,
            parts: VecDeque::new(),
        }
    }

    /// Adds a text.
    pub(super) fn text(mut self, text: impl Into<String>) -> Self {
        self.parts.push_back(Part::Text(text.into()));
        self
    }

    /// Adds a list of events, without its brackets.
    pub(super) fn events(mut self, ids: Vec<String>) -> Self {
        self.parts.push_back(Part::Events(ids.into(), false));
        self
    }

    /// Puts texts before and after what is there.
    pub(super) fn between(mut self, before: &str, after: &str) -> Self {
        self.parts.push_front(Part::Text(before.to_owned()));
        self.text(after)
    }

    /// The body.
    pub(super) fn into_body(self) -> Body {
        Body::Chunks(Box::pin(stream::try_unfold(self, Self::next)))
    }

    async fn next(mut self) -> Result<Option<(Bytes, Self)>, BodyError> {
        loop {
            match self.parts.pop_front() {
                None => return Ok(None),
                Some(Part::Text(text)) => return Ok(Some((Bytes::from(text), self))),
                Some(Part::Events(ids, _)) if ids.is_empty() => {}
                Some(Part::Events(mut ids, begun)) => {
                    let rest = ids.split_off(ids.len().min(PAGE));
                    self.parts.push_front(Part::Events(rest, true));
                    let text = written(&self.read(ids.into()).await?, begun);
                    return Ok(Some((Bytes::from(text), self)));
                }
            }
        }
    }

    async fn read(&self, ids: Vec<String>) -> Result<Vec<Json>, BodyError> {
        let wanted = ids.len();
        let ask = EventsById { ids };
        let events = self.gateway.ask(room_key(self.room_id.as_str()), ask).await;
        let events = events.map_err(|error| BodyError(error.to_string()))?;
        if events.len() < wanted {
            return Err(BodyError("an event is not there".to_owned()));
        }
        Ok(events)
    }
}

fn written(events: &[Json], begun: bool) -> String {
    let mut text = String::new();
    for (at, event) in events.iter().enumerate() {
        if begun || at > 0 {
            text.push(',');
        }
        text.push_str(event.get());
    }
    text
}
