//! Reading a room: events by id and position, states, and what a state says.

use selvage_event::auth::{EventLookup, KnownEvent, StateLookup};
use selvage_event::{Event, EventId, Membership};
use selvage_object::{Failure, Fault, Param, Row, Turn};

use crate::client_event;
use crate::error::{forbidden, stored, trie};
use crate::event_ref;
use crate::memory::{self, Head, Memory};
use crate::nodes::Nodes;
use crate::timeline::position;
use crate::trie::State;

/// A room as one turn reads it.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) turn: &'a Turn<'a>,
    pub(crate) memory: &'a Memory,
}

/// An event with what is stored beside it.
#[derive(Clone, Debug)]
pub(crate) struct StoredEvent {
    pub(crate) pos: i64,
    pub(crate) event: Event,
    /// The state before it.
    pub(crate) before: State,
    /// Its sender's device and transaction id.
    pub(crate) txn: Option<String>,
    /// The position of the redaction that was applied to it.
    pub(crate) redacted_by: Option<i64>,
}

/// What [`View::stored_event`] reads, in order; begin each SELECT of an event with it.
pub(crate) const EVENT_COLUMNS: usize = 6;

impl<'a> View<'a> {
    /// The room's head. A room that is not here is refused as one that the user is not in: nobody learns the difference.
    pub(crate) fn head(self) -> Result<&'a Head, Failure> {
        self.memory
            .head
            .as_ref()
            .ok_or_else(|| forbidden("you are not in this room"))
    }

    pub(crate) const fn nodes(self) -> Nodes<'a> {
        Nodes {
            turn: self.turn,
            cache: &self.memory.nodes,
        }
    }

    /// A state, to look things up in.
    pub(crate) const fn at(self, state: State) -> At<'a> {
        At { view: self, state }
    }

    /// The current state.
    pub(crate) fn now(self) -> Result<At<'a>, Failure> {
        Ok(self.at(self.head()?.state))
    }

    /// The current state as it was after a position.
    pub(crate) fn state_after(self, pos: i64) -> Result<State, Fault> {
        let sql = "SELECT state FROM room_states WHERE object = ?1 AND pos <= ?2 ORDER BY pos DESC LIMIT 1";
        match self.turn.row(sql, &[position(pos)])? {
            Some(mut row) => memory::state(&row.blob(0)?),
            None => Ok(State::EMPTY),
        }
    }

    /// An event by its id, as it was sent.
    pub(crate) fn event(self, id: &EventId) -> Result<Option<Event>, Fault> {
        if let Some(event) = self.memory.events.borrow_mut().get(id) {
            return Ok(Some(event));
        }
        let sql = "SELECT json FROM room_events WHERE object = ?1 AND event_id = ?2";
        let Some(mut row) = self
            .turn
            .row(sql, &[Param::Blob(&event_ref::pack(id.as_str()))])?
        else {
            return Ok(None);
        };
        let event = self.parse(&row.text(0)?, id.clone())?;
        self.memory.events.borrow_mut().insert(event.clone());
        Ok(Some(event))
    }

    /// An event that must be there.
    pub(crate) fn known_event(self, id: &EventId) -> Result<Event, Fault> {
        self.event(id)?
            .ok_or_else(|| Fault::corrupt(format!("event {id} is not stored")))
    }

    fn parse(self, json: &str, id: EventId) -> Result<Event, Fault> {
        let head = self
            .memory
            .head
            .as_ref()
            .ok_or_else(|| Fault::corrupt("events without a head"))?;
        Event::from_stored(json, id, head.version).map_err(|error| stored(&error))
    }

    /// An event with what is stored beside it, from a row of `pos, event_id, json, state, txn, redacted_by`.
    pub(crate) fn stored_event(self, row: &mut Row) -> Result<StoredEvent, Fault> {
        debug_assert!(row.0.len() >= EVENT_COLUMNS);
        let id = event_ref::unpack(row.blob(1)?)?;
        let json = row.text(2)?;
        let cached = self.memory.events.borrow_mut().get(&id);
        let event = cached.map_or_else(|| self.parse(&json, id), Ok)?;
        Ok(StoredEvent {
            pos: row.integer(0)?,
            event,
            before: memory::state(&row.blob(3)?)?,
            txn: row.optional_text(4)?,
            redacted_by: row.optional_integer(5)?,
        })
    }

    /// The stored event of this id.
    pub(crate) fn stored_by_id(self, id: &str) -> Result<Option<StoredEvent>, Fault> {
        let sql = "SELECT pos, event_id, json, state, txn, redacted_by FROM room_events \
                   WHERE object = ?1 AND event_id = ?2";
        let row = self.turn.row(sql, &[Param::Blob(&event_ref::pack(id))])?;
        row.map(|mut row| self.stored_event(&mut row)).transpose()
    }

    /// The stored event at this position.
    pub(crate) fn stored_at(self, pos: i64) -> Result<Option<StoredEvent>, Fault> {
        let sql = "SELECT pos, event_id, json, state, txn, redacted_by FROM room_events WHERE object = ?1 AND pos = ?2";
        let row = self.turn.row(sql, &[Param::Integer(pos)])?;
        row.map(|mut row| self.stored_event(&mut row)).transpose()
    }
}

/// One state of the room.
#[derive(Clone, Copy)]
pub(crate) struct At<'a> {
    pub(crate) view: View<'a>,
    pub(crate) state: State,
}

impl At<'_> {
    /// The id of the event for a type and state key.
    pub(crate) fn id(&self, kind: &str, state_key: &str) -> Result<Option<EventId>, Fault> {
        let id = self
            .state
            .get(&self.view.nodes(), kind, state_key)
            .map_err(trie)?;
        id.map(|id| EventId::parse(id).map_err(|error| Fault::corrupt(error.to_string())))
            .transpose()
    }

    /// The event for a type and state key.
    pub(crate) fn event(&self, kind: &str, state_key: &str) -> Result<Option<Event>, Fault> {
        self.id(kind, state_key)?
            .map(|id| self.view.known_event(&id))
            .transpose()
    }

    /// The event with what is stored beside it.
    pub(crate) fn stored(&self, kind: &str, state_key: &str) -> Result<Option<StoredEvent>, Fault> {
        let Some(id) = self.id(kind, state_key)? else {
            return Ok(None);
        };
        self.view.stored_by_id(id.as_str())
    }

    /// The event for a type and state key, as it is shown.
    pub(crate) fn shown(&self, kind: &str, state_key: &str) -> Result<Option<Event>, Fault> {
        self.stored(kind, state_key)?
            .as_ref()
            .map(client_event::shown)
            .transpose()
    }

    /// A user's membership; leave when there is none.
    pub(crate) fn membership(&self, user_id: &str) -> Result<Membership, Fault> {
        let member = self.event("m.room.member", user_id)?;
        Ok(member
            .and_then(|member| member.membership())
            .unwrap_or(Membership::Leave))
    }
}

impl StateLookup for At<'_> {
    type Error = Fault;

    fn get(&self, kind: &str, state_key: &str) -> Result<Option<Event>, Fault> {
        self.event(kind, state_key)
    }
}

impl EventLookup for View<'_> {
    type Error = Fault;

    fn event(&self, id: &EventId) -> Result<Option<KnownEvent>, Fault> {
        let event = View::event(*self, id)?;
        Ok(event.map(|event| KnownEvent {
            event,
            rejected: false,
        }))
    }
}
