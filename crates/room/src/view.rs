//! Reading a room: events by id and position, states, and what a state says.

use selvage_event::auth::{EventLookup, KnownEvent, StateLookup};
use selvage_event::{Event, EventId, Membership};
use selvage_object::{Failure, Fault, INTEGER_MAX, Param, Row, Turn};

use crate::client_event;
use crate::error::{forbidden, stored, trie};
use crate::event_ref;
use crate::memory::{self, Head, Memory};
use crate::nodes::Nodes;
use crate::status::Status;
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

/// Where an event is that has no position: before everything.
pub(crate) const NO_POSITION: i64 = -INTEGER_MAX;

/// An event that is kept and not in the timeline.
#[derive(Clone, Debug)]
pub(crate) struct Other {
    pub(crate) status: Status,
    /// The state before it, where its place is known.
    pub(crate) before: Option<State>,
    pub(crate) event: Event,
    /// The number of a state event.
    pub(crate) ord: Option<i64>,
    /// The position of the redaction that was applied to it.
    pub(crate) redacted_by: Option<i64>,
}

/// What those that follow an event need to know of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// The state after it.
    pub(crate) after: State,
}

/// What [`View::stored_event`] reads, in order; begin each SELECT of an event with it.
pub(crate) const EVENT_COLUMNS: usize = 6;

impl<'a> View<'a> {
    /// The room's head. A room that is not here is refused as one that the user is not in: nobody learns the difference.
    pub(crate) fn head(self) -> Result<&'a Head, Failure> {
        let head = self.memory.head.as_ref().filter(|head| head.is_room());
        head.ok_or_else(|| forbidden("you are not in this room"))
    }

    /// The head, of a room that is being fetched too.
    pub(crate) fn any_head(self) -> Result<&'a Head, Fault> {
        let head = self.memory.head.as_ref();
        head.ok_or_else(|| Fault::corrupt("a room without head"))
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

    /// An event by its id, as it was sent, whether or not it is in the timeline, and whether it was rejected.
    pub(crate) fn known(self, id: &EventId) -> Result<Option<KnownEvent>, Fault> {
        if let Some(known) = self.memory.events.borrow_mut().get(id) {
            return Ok(Some(known));
        }
        let packed = event_ref::pack(id.as_str());
        let sql = "SELECT json, 0 FROM room_events WHERE object = ?1 AND event_id = ?2";
        let mut row = self.turn.row(sql, &[Param::Blob(&packed)])?;
        if row.is_none() {
            let sql = "SELECT json, status FROM room_others WHERE object = ?1 AND event_id = ?2";
            row = self.turn.row(sql, &[Param::Blob(&packed)])?;
        }
        let Some(mut row) = row else { return Ok(None) };
        let known = KnownEvent {
            event: self.parse(&row.text(0)?, id.clone())?,
            rejected: row.integer(1)? == Status::Rejected as i64,
        };
        self.memory.events.borrow_mut().insert(known.clone());
        Ok(Some(known))
    }

    /// An event by its id, whatever became of it.
    pub(crate) fn event(self, id: &EventId) -> Result<Option<Event>, Fault> {
        Ok(self.known(id)?.map(|known| known.event))
    }

    /// An event that is kept and not in the timeline.
    pub(crate) fn other(self, id: &EventId) -> Result<Option<Other>, Fault> {
        let sql = "SELECT status, state, json, ord, redacted_by FROM room_others WHERE object = ?1 AND event_id = ?2";
        let packed = event_ref::pack(id.as_str());
        let Some(mut row) = self.turn.row(sql, &[Param::Blob(&packed)])? else {
            return Ok(None);
        };
        Ok(Some(Other {
            status: Status::of(row.integer(0)?)?,
            before: row.optional_blob(1)?.as_deref().map(memory::state).transpose()?,
            event: self.parse(&row.text(2)?, id.clone())?,
            ord: row.optional_integer(3)?,
            redacted_by: row.optional_integer(4)?,
        }))
    }

    /// The place in the graph of an event, in the timeline or not; `None` when it is not known.
    pub(crate) fn place(self, id: &EventId) -> Result<Option<Place>, Fault> {
        let known_extremity = self
            .any_head()?
            .extremities
            .iter()
            .find(|extremity| extremity.id == *id);
        if let Some(extremity) = known_extremity {
            return Ok(Some(Place {
                after: extremity.after,
            }));
        }
        let (event, before, rejected) = match self.stored_by_id(id.as_str())? {
            Some(stored) => (stored.event, stored.before, false),
            None => match self.other(id)? {
                Some(Other {
                    status,
                    before: Some(before),
                    event,
                    ..
                }) => (event, before, status == Status::Rejected),
                _ => return Ok(None),
            },
        };
        let after = if rejected {
            before
        } else {
            self.state_after_event(&event, before)?
        };
        Ok(Some(Place { after }))
    }

    /// Whether the place of an event is known.
    pub(crate) fn has_place(self, id: &EventId) -> Result<bool, Fault> {
        let sql = "SELECT 1 FROM room_events WHERE object = ?1 AND event_id = ?2 UNION ALL \
                   SELECT 1 FROM room_others WHERE object = ?1 AND event_id = ?2 AND state IS NOT NULL";
        let packed = event_ref::pack(id.as_str());
        Ok(self.turn.row(sql, &[Param::Blob(&packed)])?.is_some())
    }

    /// The state after an event that was not rejected.
    pub(crate) fn state_after_event(self, event: &Event, before: State) -> Result<State, Fault> {
        let Some(state_key) = event.state_key() else {
            return Ok(before);
        };
        before
            .set(
                &mut self.nodes(),
                event.kind(),
                state_key,
                event.event_id().as_str(),
            )
            .map_err(trie)
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
        let event = cached.map_or_else(|| self.parse(&json, id), |known| Ok(known.event))?;
        Ok(StoredEvent {
            pos: row.integer(0)?,
            event,
            before: memory::state(&row.blob(3)?)?,
            txn: row.optional_text(4)?,
            redacted_by: row.optional_integer(5)?,
        })
    }

    /// The event of a state, in the timeline or not. One that is not lies before all positions.
    pub(crate) fn stored_in_state(self, id: &EventId) -> Result<Option<StoredEvent>, Fault> {
        if let Some(stored) = self.stored_by_id(id.as_str())? {
            return Ok(Some(stored));
        }
        Ok(self.other(id)?.map(|other| StoredEvent {
            pos: NO_POSITION,
            event: other.event,
            before: other.before.unwrap_or(State::EMPTY),
            txn: None,
            redacted_by: other.redacted_by,
        }))
    }

    /// The event of this id, when it is in the timeline.
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
        self.view.stored_in_state(&id)
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
        self.known(id)
    }
}
