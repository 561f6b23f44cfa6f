//! Storing events. The timeline takes what is authorised, and the table of others what is not or has no place: each only as
//! the type that says so.

use std::collections::BTreeSet;

use selvage_event::{
    AuthorisedEvent, Event, EventId, HistoricalEvent, KnownEvent, OutlierEvent, RejectedEvent,
    SoftFailedEvent,
};
use selvage_object::{Failure, Fault, INTEGER_MAX, Param, Refusal};
use selvage_protocol::errcode;

use crate::accept::Work;
use crate::current::Step;
use crate::event_ref;
use crate::extremities::Extremity;
use crate::forks::resolved_with_one_more;
use crate::memory::Head;
use crate::place::{Placed, Placing};
use crate::status::Status;
use crate::timeline::position;
use crate::trie::State;

/// How many positions an event that is placed behind a gap leaves free before it, for what is missing.
const GAP_POSITIONS: i64 = 1 << 30;
/// How many positions one page of the past may take.
const PAGE_POSITIONS: i64 = 1_000;
/// The most forward extremities. Where no local member may merge them, who sends many branches at once could make the head
/// as large as that.
const EXTREMITIES_KEPT_MAX: usize = 500;
/// How many predecessors outside the timeline are followed to find what an event supersedes.
const SUPERSEDED_WALK_MAX: usize = 1_000;

/// An event of the past, with the state before it.
pub(crate) struct Past {
    event: Event,
    before: State,
}

impl Past {
    pub(crate) fn of(historical: &HistoricalEvent, before: State) -> Self {
        Self {
            event: historical.event().clone(),
            before,
        }
    }
}

/// What is written of an event that is not in the timeline.
struct Aside<'e> {
    event: &'e Event,
    status: Status,
    before: Option<State>,
    why: Option<String>,
}

impl Work<'_, '_> {
    /// Stores an event that passed all checks at the end of the timeline, as a forward extremity unless something that is
    /// here follows it already.
    pub(crate) fn store(
        &mut self,
        authorised: AuthorisedEvent,
        before: State,
        how: Placing<'_>,
    ) -> Result<Placed, Failure> {
        let event = authorised.event().clone();
        let old = self.view().any_head()?.clone();
        let mut head = old.clone();
        head.pos += if how.supplied.is_some() && head.pos > 0 {
            GAP_POSITIONS
        } else {
            1
        };
        let pos = head.pos;
        let after = self.view().state_after_event(&event, before)?;
        head.extremities = self.extremities_with(&old, &event, after, how.ours)?;
        self.insert(&mut head, &event, pos, before, how)?;
        let forks = head.extremities.iter().map(|extremity| extremity.after);
        head.state = resolved_with_one_more(self.view(), forks)?;
        self.memory.change().head = Some(head);
        let step = Step {
            event: &event,
            before,
            after,
        };
        self.follow_state(old.state, &step)?;
        self.redactions(&event, how.ours)?;
        self.arrived(event.event_id(), how.ours)?;
        self.tell_everybody();
        Ok(Placed::Accepted(event))
    }

    /// Stores an event of the past before the position `limit`, after what it follows there.
    pub(crate) fn store_past(
        &mut self,
        past: &Past,
        limit: i64,
        how: Placing<'_>,
    ) -> Result<Placed, Failure> {
        let event = past.event.clone();
        let pos = self.past_position(&event, limit, how.supplied.is_some())?;
        let mut head = self.view().any_head()?.clone();
        self.insert(&mut head, &event, pos, past.before, Placing::received(None))?;
        self.memory.change().head = Some(head);
        self.redactions(&event, false)?;
        self.arrived(event.event_id(), false)?;
        Ok(Placed::Accepted(event))
    }

    /// A free position before `limit` that lies after the event's predecessors: the first of a page, or the first after
    /// them, for pages come oldest event first, so that each leaves room for what follows it. Behind a gap there is room
    /// before it too. Where none is left, order gives way.
    fn past_position(&self, event: &Event, limit: i64, behind_gap: bool) -> Result<i64, Failure> {
        let page = limit.saturating_sub(PAGE_POSITIONS);
        let after = match self.last_before(event, limit)? {
            None if behind_gap => self.last_taken(page, limit)?,
            after => after,
        };
        let pos = match after {
            Some(after) if behind_gap => page.max(after + (limit - after) / 2),
            Some(after) => page.max(after + 1),
            None => page,
        };
        let free = self.free_position(pos..limit)?;
        let free = match free {
            Some(free) => Some(free),
            None => self.free_position((page..limit).rev())?,
        };
        free.filter(|free| *free > -INTEGER_MAX).ok_or_else(|| {
            let message = "too many events of the past lie between two positions";
            Refusal::new(errcode::LIMIT_EXCEEDED, message).into()
        })
    }

    /// The position of the last predecessor that lies before `limit`.
    fn last_before(&self, event: &Event, limit: i64) -> Result<Option<i64>, Fault> {
        let mut last = None;
        for prev in event.prev_events() {
            let stored = self.view().stored_by_id(prev.as_str())?;
            last = last.max(stored.map(|stored| stored.pos).filter(|pos| *pos < limit));
        }
        Ok(last)
    }

    /// The last position from `from` on and before `limit` that is taken.
    fn last_taken(&self, from: i64, limit: i64) -> Result<Option<i64>, Fault> {
        let sql = "SELECT max(pos) FROM room_events WHERE object = ?1 AND pos >= ?2 AND pos < ?3";
        let row = self.turn.row(sql, &[position(from), position(limit)])?;
        Ok(row.map(|row| row.optional_integer(0)).transpose()?.flatten())
    }

    fn free_position(&self, among: impl Iterator<Item = i64>) -> Result<Option<i64>, Fault> {
        let sql = "SELECT 1 FROM room_events WHERE object = ?1 AND pos = ?2";
        for pos in among {
            if self.turn.row(sql, &[position(pos)])?.is_none() {
                return Ok(Some(pos));
            }
        }
        Ok(None)
    }

    /// The forward extremities when an event has come. Refused when there would be too many: one that follows an extremity
    /// always finds room, so nobody shuts others out by making many.
    fn extremities_with(
        &self,
        head: &Head,
        event: &Event,
        after: State,
        ours: bool,
    ) -> Result<Vec<Extremity>, Failure> {
        let superseded = self.superseded(head, event)?;
        let mut extremities = head.extremities.clone();
        extremities.retain(|extremity| !superseded.contains(&extremity.id));
        if ours || !self.is_followed(event.event_id())? {
            extremities.push(Extremity {
                id: event.event_id().clone(),
                after,
                depth: event.depth(),
            });
        }
        if extremities.len() > head.extremities.len().max(EXTREMITIES_KEPT_MAX) {
            let message = format!("the room has {EXTREMITIES_KEPT_MAX} forward extremities");
            return Err(Refusal::new(errcode::LIMIT_EXCEEDED, message).into());
        }
        Ok(extremities)
    }

    /// The events that an event follows: its predecessors, and those of predecessors that are no extremities because they
    /// were rejected or failed softly.
    fn superseded(&self, head: &Head, event: &Event) -> Result<BTreeSet<EventId>, Failure> {
        let mut superseded = BTreeSet::new();
        let mut open: Vec<EventId> = event.prev_events().to_vec();
        while let Some(id) = open.pop() {
            let is_extremity = head.extremities.iter().any(|extremity| extremity.id == id);
            if !superseded.insert(id.clone()) || is_extremity || superseded.len() > SUPERSEDED_WALK_MAX {
                continue;
            }
            if let Some(other) = self.view().other(&id)? {
                self.take_over_gaps(&id, event.event_id())?;
                open.extend_from_slice(other.event.prev_events());
            }
        }
        Ok(superseded)
    }

    /// Writes an event into the timeline.
    fn insert(
        &mut self,
        head: &mut Head,
        event: &Event,
        pos: i64,
        before: State,
        how: Placing<'_>,
    ) -> Result<(), Failure> {
        let known = if how.ours {
            None
        } else {
            self.take_other(event.event_id())?
        };
        let ord = self.number(head, event, known)?;
        let sql = "INSERT INTO room_events (object, pos, event_id, json, state, ord, txn) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let id = event_ref::pack(event.event_id().as_str());
        let root = before.root();
        let params = [
            Param::Integer(pos),
            Param::Blob(&id),
            Param::Text(event.json()),
            Param::Blob(root.as_bytes()),
            ord.map_or(Param::Null, Param::Integer),
            Param::optional_text(how.txn),
        ];
        self.turn.write(sql, &params)?;
        self.know(event, false);
        Ok(())
    }

    pub(crate) fn know(&self, event: &Event, rejected: bool) {
        self.memory.events.borrow_mut().insert(KnownEvent {
            event: event.clone(),
            rejected,
        });
    }

    /// Removes an event from among the others, as it is about to come into the timeline; returns its number.
    fn take_other(&self, id: &EventId) -> Result<Option<i64>, Failure> {
        let Some(other) = self.view().other(id)? else {
            return Ok(None);
        };
        let sql = "DELETE FROM room_others WHERE object = ?1 AND event_id = ?2";
        self.turn
            .write(sql, &[Param::Blob(&event_ref::pack(id.as_str()))])?;
        Ok(other.ord)
    }

    /// Numbers a state event and writes what it cites, unless it has been numbered before.
    fn number(&self, head: &mut Head, event: &Event, known: Option<i64>) -> Result<Option<i64>, Failure> {
        if known.is_some() || !event.is_state() {
            return Ok(known);
        }
        head.ord += 1;
        let citing = event_ref::pack(event.event_id().as_str());
        for cited in event.auth_events() {
            if self.view().known_event(cited)?.kind() == "m.room.create" {
                continue;
            }
            let sql =
                "INSERT OR IGNORE INTO room_citations (object, cited, ord, citing) VALUES (?1, ?2, ?3, ?4)";
            let packed = event_ref::pack(cited.as_str());
            let params = [
                Param::Blob(&packed),
                Param::Integer(head.ord),
                Param::Blob(&citing),
            ];
            self.turn.write(sql, &params)?;
        }
        Ok(Some(head.ord))
    }

    /// Keeps an event that is refused.
    pub(crate) fn keep_rejected(
        &mut self,
        rejected: &RejectedEvent,
        before: Option<State>,
        how: Placing<'_>,
    ) -> Result<Placed, Failure> {
        let refusal = rejected.refusal();
        // What was made here is made only if it is allowed.
        if how.ours {
            return Ok(Placed::Rejected(refusal));
        }
        self.set_aside(&Aside {
            event: rejected.event(),
            status: Status::Rejected,
            before,
            why: Some(refusal.to_string()),
        })?;
        if before.is_some() {
            self.arrived(rejected.event().event_id(), false)?;
        }
        Ok(Placed::Rejected(refusal))
    }

    /// Keeps an event that the current state refuses.
    pub(crate) fn keep_soft_failed(
        &mut self,
        failed: &SoftFailedEvent,
        before: State,
        how: Placing<'_>,
    ) -> Result<Placed, Failure> {
        let refusal = failed.refusal();
        if how.ours {
            return Ok(Placed::SoftFailed(refusal));
        }
        // What follows it has it in its state, so its nodes must be there.
        self.view().state_after_event(failed.event(), before)?;
        self.set_aside(&Aside {
            event: failed.event(),
            status: Status::SoftFailed,
            before: Some(before),
            why: Some(refusal.to_string()),
        })?;
        self.arrived(failed.event().event_id(), false)?;
        Ok(Placed::SoftFailed(refusal))
    }

    /// Keeps an event whose place is not known.
    pub(crate) fn keep_outlier(&mut self, outlier: &OutlierEvent) -> Result<(), Failure> {
        self.set_aside(&Aside {
            event: outlier.event(),
            status: Status::Outlier,
            before: None,
            why: None,
        })
    }

    fn set_aside(&mut self, aside: &Aside<'_>) -> Result<(), Failure> {
        let event = aside.event;
        let mut head = self.view().any_head()?.clone();
        let other = self.view().other(event.event_id())?;
        let redacted_by = other.as_ref().and_then(|other| other.redacted_by);
        let known = other.and_then(|other| other.ord);
        let ord = match aside.status {
            // A rejected event is in no chain.
            Status::Rejected => known,
            Status::Outlier | Status::SoftFailed => self.number(&mut head, event, known)?,
        };
        let sql = "INSERT OR REPLACE INTO room_others (object, event_id, status, state, ord, why, redacted_by, json) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
        let id = event_ref::pack(event.event_id().as_str());
        let root = aside.before.map(State::root);
        let params = [
            Param::Blob(&id),
            Param::Integer(aside.status as i64),
            root.as_ref()
                .map_or(Param::Null, |root| Param::Blob(root.as_bytes())),
            ord.map_or(Param::Null, Param::Integer),
            Param::optional_text(aside.why.as_deref()),
            redacted_by.map_or(Param::Null, Param::Integer),
            Param::Text(event.json()),
        ];
        self.turn.write(sql, &params)?;
        self.memory.change().head = Some(head);
        self.know(event, aside.status == Status::Rejected);
        self.redact_aside_by_held(event)
    }
}
