//! The past of a room that was entered in its middle: which received events lie before what is held.
//!
//! Behind a gap, what was sent before it and what was sent beside it look alike. An event counts as one of the past when
//! something held is known to follow it: directly, or through events that wait and name it as predecessor. Ids are hashes,
//! so nobody can claim that falsely. Taken for a new one it would be a forward extremity with a state of long ago, and the
//! current state would lose what happened since.

use std::collections::{BTreeMap, BTreeSet};

use selvage_event::{Event, EventId};
use selvage_object::{Failure, Fault, Param};

use crate::accept::Work;
use crate::current::Step;
use crate::event_ref;
use crate::forks::resolved;
use crate::timeline::position;

/// How many waiting events are followed up to a gap, and how many events down to forward extremities.
const WALK_MAX: usize = 1_000;

impl Work<'_, '_> {
    /// Whether there are gaps before events of the timeline.
    pub(crate) fn has_gaps(&self) -> Result<bool, Fault> {
        let sql = "SELECT 1 FROM room_gaps WHERE object = ?1 LIMIT 1";
        Ok(self.turn.row(sql, &[])?.is_some())
    }

    /// Which of some events, in any order, are known to be followed across a gap, and at which position.
    pub(crate) fn followed_among(&self, events: &[&Event]) -> Result<BTreeMap<EventId, i64>, Fault> {
        let mut followed = BTreeMap::new();
        if !self.has_gaps()? {
            return Ok(followed);
        }
        let by_id: BTreeMap<&EventId, &Event> =
            events.iter().map(|event| (event.event_id(), *event)).collect();
        let mut open = Vec::new();
        for id in by_id.keys() {
            open.extend(self.followed_at(id)?.map(|at| (*id, at)));
        }
        while let Some((id, at)) = open.pop() {
            if let Some(event) = by_id.get(id)
                && followed.insert(id.clone(), at).is_none()
            {
                open.extend(event.prev_events().iter().map(|prev| (prev, at)));
            }
        }
        Ok(followed)
    }

    /// The position of an event of the timeline that is known to follow this one across a gap, directly or through events
    /// that wait.
    pub(crate) fn followed_at(&self, id: &EventId) -> Result<Option<i64>, Fault> {
        let mut seen = BTreeSet::new();
        let mut open = vec![event_ref::pack(id.as_str())];
        while let Some(next) = open.pop() {
            let sql = "SELECT min(e.pos) FROM room_gaps AS g JOIN room_events AS e \
                       ON e.object = g.object AND e.event_id = g.event_id WHERE g.object = ?1 AND g.missing = ?2";
            let edge = self.turn.row(sql, &[Param::Blob(&next)])?;
            if let Some(pos) = edge.map(|row| row.optional_integer(0)).transpose()?.flatten() {
                return Ok(Some(pos));
            }
            let sql = "SELECT event_id FROM room_waits WHERE object = ?1 AND needs = ?2 AND is_auth = 0";
            for mut row in self.turn.rows(sql, &[Param::Blob(&next)])? {
                let waiting = row.blob(0)?;
                if seen.len() < WALK_MAX && seen.insert(waiting.clone()) {
                    open.push(waiting);
                }
            }
        }
        Ok(None)
    }

    /// The position of the next gap after all predecessors of an event that came as part of a state or an auth chain, or
    /// that has none: such an event was there before the gap, unless it follows something that was not.
    pub(crate) fn gap_after(&self, event: &Event) -> Result<Option<i64>, Fault> {
        let is_outlier = self.view().other(event.event_id())?.is_some();
        if !is_outlier && !event.prev_events().is_empty() {
            return Ok(None);
        }
        let mut after = i64::MIN;
        for prev in event.prev_events() {
            let Some(stored) = self.view().stored_by_id(prev.as_str())? else {
                return Ok(None);
            };
            after = after.max(stored.pos);
        }
        let sql = "SELECT min(e.pos) FROM room_gaps AS g JOIN room_events AS e \
                   ON e.object = g.object AND e.event_id = g.event_id WHERE g.object = ?1 AND e.pos > ?2";
        let row = self.turn.row(sql, &[position(after)])?;
        Ok(row.map(|row| row.optional_integer(0)).transpose()?.flatten())
    }

    /// Whether an event follows something at a position or after it. Then it does not lie before that position, though it came
    /// with a page of the past, whose sender can put anything in.
    pub(crate) fn follows_from(&self, event: &Event, limit: i64) -> Result<bool, Fault> {
        for prev in event.prev_events() {
            let stored = self.view().stored_by_id(prev.as_str())?;
            if stored.is_some_and(|stored| stored.pos >= limit) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// An event that something held follows has got its place: what it follows is no forward extremity any more.
    pub(crate) fn supersede(&mut self, step: &Step<'_>) -> Result<(), Failure> {
        let superseded = self.extremities_before(step.event)?;
        if superseded.is_empty() {
            return Ok(());
        }
        let old = self.view().any_head()?.clone();
        let mut head = old.clone();
        head.extremities
            .retain(|extremity| !superseded.contains(&extremity.id));
        if head.extremities.is_empty() {
            return Ok(());
        }
        head.state = resolved(
            self.view(),
            head.extremities.iter().map(|extremity| extremity.after),
        )?;
        if head.state != old.state {
            head.pos += 1;
            self.tell_everybody();
        }
        self.memory.change().head = Some(head);
        self.follow_state(old.state, step)
    }

    /// The forward extremities that an event follows, through events of the past and others that are no extremities.
    fn extremities_before(&self, event: &Event) -> Result<BTreeSet<EventId>, Fault> {
        let view = self.view();
        let extremities: BTreeSet<EventId> = view
            .any_head()?
            .extremities
            .iter()
            .map(|extremity| extremity.id.clone())
            .collect();
        let mut found = BTreeSet::new();
        let mut seen = BTreeSet::new();
        let mut open: Vec<EventId> = event.prev_events().to_vec();
        while let Some(id) = open.pop() {
            if extremities.contains(&id) {
                found.insert(id);
            } else if seen.len() < WALK_MAX
                && seen.insert(id.clone())
                && let Some(before) = view.event(&id)?
            {
                open.extend_from_slice(before.prev_events());
            }
        }
        Ok(found)
    }
}
