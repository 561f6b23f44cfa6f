//! States and auth chains, as other servers tell them: read as they arrive, checked and kept by the room piece by piece.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::StreamExt as _;
use selvage_event::{EventId, ReceivedEvent, RoomId, RoomVersion, ServerName};
use selvage_protocol::elsewhere::Settle;
use selvage_protocol::federation::Supply;
use selvage_protocol::{Json, room_key};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::failed::WorkflowError;
use crate::pieces::{Piece, Pieces};
use crate::{AskError, Host, RemoteResponse, Workflows};

/// The most bytes of one answer. More is refused: the largest rooms of the network stay below.
const ANSWER_MAX_BYTES: usize = 192 * 1024 * 1024;
/// The most parts of an answer that are no events.
const JUNK_MAX: usize = 100;
/// How many events go to the room at once.
const BATCH_EVENTS_MAX: usize = 200;
/// How many bytes of events go to the room at once, unless a single event is longer.
const BATCH_BYTES_MAX: usize = 512 * 1024;
/// How much of what arrives is looked at before the next is read.
const READ_AT_ONCE_BYTES: usize = 64 * 1024;
/// How often the room goes through what waits: once for servers whose events are deeper than what authorises them.
const SETTLE_PASSES_MAX: usize = 20;

/// What the state and the auth chain are for.
#[derive(Clone, Copy)]
pub(crate) struct Target<'a> {
    pub(crate) room_id: &'a RoomId,
    pub(crate) version: RoomVersion,
    /// The event whose place is looked for.
    pub(crate) event: &'a EventId,
    /// Who tells it.
    pub(crate) server: &'a ServerName,
}

/// How an answer looks.
pub(crate) struct Form {
    /// The list that is the state, if there is one.
    pub(crate) state: Option<&'static str>,
    /// The lists of events.
    pub(crate) lists: &'static [&'static str],
    /// What else is wanted of it.
    pub(crate) members: &'static [&'static str],
}

/// What else was in the answer.
pub(crate) type Members = BTreeMap<&'static str, String>;

#[derive(Deserialize)]
struct Peek {
    #[serde(rename = "type")]
    kind: String,
}

/// Some events of one list.
#[derive(Default)]
struct Batch {
    list: Option<&'static str>,
    events: Vec<Json>,
    bytes: usize,
}

/// An answer as it is taken in.
struct Taking<'a> {
    target: Target<'a>,
    form: &'a Form,
    batch: Batch,
    members: Members,
    junk: usize,
    /// The create events, and whether each was in the state.
    creates: BTreeMap<EventId, bool>,
}

impl<H: Host> Workflows<H> {
    /// Takes an answer in: its events are supplied to the room for the target, and what else was wanted of it is returned.
    pub(crate) async fn supply_answer(
        &self,
        target: Target<'_>,
        answer: RemoteResponse,
        form: &Form,
    ) -> Result<Members, WorkflowError> {
        let mut pieces = Pieces::new(form.lists, form.members);
        let mut taking = Taking::new(target, form);
        let mut body = answer.body;
        let mut bytes = 0;
        while let Some(chunk) = body.next().await {
            let chunk = chunk?;
            bytes += chunk.len();
            if bytes > ANSWER_MAX_BYTES {
                let why = format!("an answer of more than {ANSWER_MAX_BYTES} bytes");
                return Err(WorkflowError::misbehaved(target.server, why));
            }
            for part in chunk.chunks(READ_AT_ONCE_BYTES) {
                pieces.push(part);
                self.take_pieces(&mut pieces, &mut taking).await?;
            }
        }
        if !pieces.is_whole() {
            return Err(WorkflowError::misbehaved(target.server, "its answer was cut off"));
        }
        self.supply_batch(target, form, std::mem::take(&mut taking.batch))
            .await?;
        taking.has_one_create()?;
        self.settle(target).await?;
        Ok(taking.members)
    }

    async fn take_pieces(&self, pieces: &mut Pieces, taking: &mut Taking<'_>) -> Result<(), WorkflowError> {
        let server = taking.target.server;
        while let Some(piece) = pieces
            .next()
            .map_err(|error| WorkflowError::misbehaved(server, error))?
        {
            if let Some(batch) = taking.take(piece)? {
                self.supply_batch(taking.target, taking.form, batch).await?;
            }
        }
        Ok(())
    }

    async fn supply_batch(&self, target: Target<'_>, form: &Form, batch: Batch) -> Result<(), WorkflowError> {
        let is_state = batch.list.is_some() && batch.list == form.state;
        Ok(self.supply(target, batch.events, is_state).await?)
    }

    /// Supplies events to the room, with the keys that verify them.
    pub(crate) async fn supply(
        &self,
        target: Target<'_>,
        events: Vec<Json>,
        is_state: bool,
    ) -> Result<(), AskError> {
        if events.is_empty() {
            return Ok(());
        }
        let keys = self.keys_of(&events, target.version).await;
        let supply = Supply {
            events,
            keys,
            place: Some(target.event.as_str().to_owned()),
            is_state,
        };
        self.ask(room_key(target.room_id.as_str()), supply).await?;
        Ok(())
    }

    /// Has the room take in what came before what authorises it. What is left after that is left out.
    pub(crate) async fn settle(&self, target: Target<'_>) -> Result<(), AskError> {
        for _ in 0..SETTLE_PASSES_MAX {
            let (taken, left) = self.go_through(target, false).await?;
            if left == 0 || taken == 0 {
                break;
            }
        }
        self.go_through(target, true).await?;
        Ok(())
    }

    /// One pass through what waits: how much was taken in, and how much is left.
    async fn go_through(&self, target: Target<'_>, finish: bool) -> Result<(u64, u64), AskError> {
        let (mut taken, mut left, mut after) = (0, 0, None);
        loop {
            let settle = Settle {
                event_id: target.event.as_str().to_owned(),
                after,
                finish,
            };
            let reply = self.ask(room_key(target.room_id.as_str()), settle).await?;
            taken += reply.taken;
            left += reply.left;
            after = reply.next;
            if after.is_none() {
                return Ok((taken, left));
            }
        }
    }
}

impl<'a> Taking<'a> {
    fn new(target: Target<'a>, form: &'a Form) -> Self {
        Self {
            target,
            form,
            batch: Batch::default(),
            members: Members::new(),
            junk: 0,
            creates: BTreeMap::new(),
        }
    }

    /// Takes one piece; the batch that is full with it, or that ends before it.
    fn take(&mut self, piece: Piece) -> Result<Option<Batch>, WorkflowError> {
        let (list, text) = match piece {
            Piece::Member(name, text) => {
                self.members.insert(name, text);
                return Ok(None);
            }
            Piece::Element(list, text) => (list, text),
        };
        let bytes = text.len();
        let Some(event) = self.event(list, text)? else {
            return Ok(None);
        };
        let full = self.batch.events.len() >= BATCH_EVENTS_MAX
            || (self.batch.bytes + bytes > BATCH_BYTES_MAX && !self.batch.events.is_empty())
            || self.batch.list.is_some_and(|before| before != list);
        let ended = full.then(|| std::mem::take(&mut self.batch));
        self.batch.list = Some(list);
        self.batch.bytes += bytes;
        self.batch.events.push(event);
        Ok(ended)
    }

    fn event(&mut self, list: &str, text: String) -> Result<Option<Json>, WorkflowError> {
        let kind = serde_json::from_str::<Peek>(&text).map(|peek| peek.kind);
        let (Ok(kind), Ok(event)) = (kind, RawValue::from_string(text)) else {
            self.junk += 1;
            if self.junk > JUNK_MAX {
                return Err(WorkflowError::misbehaved(
                    self.target.server,
                    "its events are none",
                ));
            }
            return Ok(None);
        };
        if kind == "m.room.create" {
            self.note_create(list, &event)?;
        }
        Ok(Some(event))
    }

    /// Notes a create event, which must be this room's and of the version that was agreed on.
    fn note_create(&mut self, list: &str, event: &RawValue) -> Result<(), WorkflowError> {
        let wrong = |why: &str| Err(WorkflowError::misbehaved(self.target.server, why));
        let Ok(received) = ReceivedEvent::parse(event.get().as_bytes(), self.target.version) else {
            return wrong("its create event is none");
        };
        let event = received.event();
        if event.room_id() != self.target.room_id {
            return wrong("its create event makes another room");
        }
        let version = event
            .content()
            .get("room_version")
            .map_or(Some("1"), Value::as_str);
        if version != Some(self.target.version.as_str()) {
            return wrong("its create event is of another room version");
        }
        let in_state = self.creates.entry(event.event_id().clone()).or_default();
        *in_state |= self.form.state == Some(list);
        if self.creates.len() > 1 {
            return wrong("it tells of two create events");
        }
        Ok(())
    }

    /// Whether the state has the create event (spec: server-server-api §put_matrixfederationv2send_joinroomideventid).
    fn has_one_create(&self) -> Result<(), WorkflowError> {
        let in_state: BTreeSet<bool> = self.creates.values().copied().collect();
        if self.form.state.is_none() || in_state.contains(&true) {
            return Ok(());
        }
        Err(WorkflowError::misbehaved(
            self.target.server,
            "the state that it tells has no create event",
        ))
    }
}
