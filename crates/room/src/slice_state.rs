//! The state that goes with a slice (spec: client-server-api §syncing).
//!
//! A client that takes in `state`, and after it the state events of the timeline, has the state at the window's end. What
//! changed among the events of the window that the client is not shown, because they are hidden from it or it filters them
//! out, therefore comes in `state` too.

use std::collections::{BTreeMap, BTreeSet};

use selvage_object::{Failure, Fault};
use selvage_protocol::Json;
use selvage_protocol::room::Slice;
use selvage_protocol::user::WindowStart;

use crate::client_event::Writer;
use crate::error::trie;
use crate::filter::wants;
use crate::members::stored;
use crate::timeline::Seen;
use crate::trie::State;
use crate::view::View;
use crate::visibility::Eyes;

/// Event ids by type and state key.
type Ids = BTreeMap<(String, String), String>;

/// What the state of a slice depends on.
pub(crate) struct StateReader<'a> {
    pub(crate) view: View<'a>,
    pub(crate) eyes: &'a Eyes<'a>,
    pub(crate) command: &'a Slice,
    pub(crate) timeline: Vec<Seen>,
    pub(crate) writer: Writer<'a>,
}

impl StateReader<'_> {
    /// Shortens the timeline where it shows a state event that one which it does not show has replaced: a client would
    /// take the older for the newer. Returns the position after which it now begins, if that moved.
    pub(crate) fn cut_before_unshown_changes(&mut self) -> Result<Option<i64>, Failure> {
        if self.command.state_after {
            return Ok(None);
        }
        let end = self.readable(self.command.to)?;
        let unshown = self.unshown(self.start(end)?, end)?;
        let replaced = |(stored, _): &&Seen| {
            let key = stored.event.state_key();
            key.is_some_and(|key| unshown.contains_key(&(stored.event.kind().to_owned(), key.to_owned())))
        };
        let last = self.timeline.iter().rev().find(replaced);
        let cut = last.map(|(stored, _)| stored.pos);
        if let Some(cut) = cut {
            self.timeline.retain(|(stored, _)| stored.pos > cut);
        }
        Ok(cut)
    }

    /// What changed in the window and is not shown by the timeline.
    fn unshown(&self, start: State, end: State) -> Result<Ids, Failure> {
        let shown = self.shown();
        let mut unshown = Ids::new();
        self.add_difference(start, end, true, &mut unshown)?;
        unshown.retain(|_, id| !shown.contains(id.as_str()));
        Ok(unshown)
    }

    /// What the client lacks.
    pub(crate) fn state(&self) -> Result<Vec<Json>, Failure> {
        let known = self.known()?;
        let end = self.readable(self.command.to)?;
        let start = if self.command.state_after {
            end
        } else {
            self.start(end)?
        };
        let mut ids = Ids::new();
        self.add_difference(known, start, !self.leaves_members_out(), &mut ids)?;
        ids.extend(self.unshown(start, end)?);
        if self.command.filter.lazy_load_members {
            self.add_senders(start, end, &mut ids)?;
        }
        self.write(ids)
    }

    /// The state after a position, for one who has left at most as it was then; one who never was in the room reads none.
    fn readable(&self, pos: i64) -> Result<State, Fault> {
        self.eyes
            .until()
            .map_or(Ok(State::EMPTY), |until| self.view.state_after(pos.min(until)))
    }

    /// The state that the client knows.
    fn known(&self) -> Result<State, Fault> {
        match self.command.from {
            WindowStart::After(pos) if !self.command.full_state => self.readable(pos),
            _ => Ok(State::EMPTY),
        }
    }

    /// The state before the first event that is shown.
    fn start(&self, end: State) -> Result<State, Fault> {
        let first = self.timeline.first();
        first.map_or(Ok(end), |(first, _)| self.readable(first.pos.saturating_sub(1)))
    }

    /// The ids of the events that the timeline shows.
    fn shown(&self) -> BTreeSet<&str> {
        let events = self.timeline.iter();
        events
            .map(|(stored, _)| stored.event.event_id().as_str())
            .collect()
    }

    /// Whether the client is sent the state anew, and loads members lazily: then only those that the timeline needs.
    fn leaves_members_out(&self) -> bool {
        let anew = self.command.full_state || !matches!(self.command.from, WindowStart::After(_));
        self.command.filter.lazy_load_members && anew
    }

    /// Adds what one state has and another has not.
    fn add_difference(&self, from: State, to: State, members: bool, ids: &mut Ids) -> Result<(), Failure> {
        let nodes = self.view.nodes();
        for difference in from.difference(&nodes, to).map_err(trie)? {
            let difference = difference.map_err(trie)?;
            if !members && &*difference.event_type == "m.room.member" {
                continue;
            }
            if let Some(id) = difference.right {
                let key = (
                    difference.event_type.to_string(),
                    difference.state_key.to_string(),
                );
                ids.insert(key, id);
            }
        }
        Ok(())
    }

    /// The members that a client needs to show the timeline, and the viewer.
    fn add_senders(&self, start: State, end: State, ids: &mut Ids) -> Result<(), Failure> {
        let senders = self.timeline.iter();
        let mut wanted: BTreeSet<&str> = senders
            .map(|(stored, _)| stored.event.sender().as_str())
            .collect();
        if self.command.full_state || !matches!(self.command.from, WindowStart::After(_)) {
            wanted.insert(&self.command.viewer.user_id);
        }
        let shown = self.shown();
        for user_id in wanted {
            let member = |state| self.view.at(state).id("m.room.member", user_id);
            let last = member(end)?.filter(|id| !shown.contains(id.as_str()));
            let id = last.map_or_else(|| member(start), |id| Ok(Some(id)))?;
            if let Some(id) = id {
                ids.insert(
                    ("m.room.member".to_owned(), user_id.to_owned()),
                    id.as_str().to_owned(),
                );
            }
        }
        Ok(())
    }

    fn write(&self, ids: Ids) -> Result<Vec<Json>, Failure> {
        let mut state = Vec::with_capacity(ids.len());
        for id in ids.into_values() {
            let event = stored(self.view, &id)?;
            if wants(&self.command.filter.state, &event.event) {
                state.push(self.writer.write(&event, None)?);
            }
        }
        Ok(state)
    }
}
