//! A room's part of sync: a piece of timeline, and the state that goes with it (spec: client-server-api §syncing).

use std::collections::{BTreeMap, BTreeSet};

use selvage_object::{Failure, Fault};
use selvage_protocol::Json;
use selvage_protocol::room::{Slice, SliceReply, Summary};
use selvage_protocol::user::WindowStart;

use crate::client_event::Writer;
use crate::error::{forbidden, trie};
use crate::filter::wants;
use crate::members::stored;
use crate::receipts;
use crate::summary::summary;
use crate::timeline::{Seen, Span, walk};
use crate::trie::State;
use crate::view::View;
use crate::visibility::Eyes;

/// The most timeline events of one answer.
const TIMELINE_MAX: usize = 1_000;
/// Before the first event that arrived in order; what was fetched from before that lies at positions up to here.
const BEGINNING: i64 = 0;

/// Answers with the newest events of the window, oldest first, and the state that the client lacks.
pub(crate) fn slice(view: View<'_>, command: &Slice) -> Result<SliceReply, Failure> {
    let eyes = Eyes::new(view, &command.viewer.user_id)?;
    if !eyes.was_in_room() && !own_membership(view, command)? {
        return Err(forbidden("you are not in this room"));
    }
    let after = match command.from {
        WindowStart::After(pos) => pos,
        WindowStart::Nothing | WindowStart::Lost => BEGINNING,
    };
    let limit = usize::try_from(command.filter.limit)
        .unwrap_or(TIMELINE_MAX)
        .min(TIMELINE_MAX);
    let span = Span {
        after,
        to: command.to,
    };
    let mut walk = walk(view, &eyes, &command.filter.timeline, span, (true, limit))?;
    walk.events.reverse();
    let prev_batch = if walk.cut { walk.reached } else { after };
    let writer = Writer {
        view,
        viewer: &command.viewer,
        with_room_id: false,
    };
    let state = StateReader {
        view,
        command,
        timeline: &walk.events,
        writer,
    }
    .state(prev_batch)?;
    let write = |(event, membership): &Seen| writer.write(event, Some(*membership));
    Ok(SliceReply {
        timeline: walk.events.iter().map(write).collect::<Result<_, _>>()?,
        limited: walk.cut || command.from == WindowStart::Lost,
        prev_batch,
        state,
        receipts: receipts::changed(view, &command.viewer.user_id, after, command.to)?,
        summary: changed_summary(view, command, &walk.events)?,
    })
}

/// Whether the room knows the viewer at all: one who was invited and never joined sees the own membership event.
fn own_membership(view: View<'_>, command: &Slice) -> Result<bool, Failure> {
    Ok(view
        .now()?
        .id("m.room.member", &command.viewer.user_id)?
        .is_some())
}

fn changed_summary(view: View<'_>, command: &Slice, timeline: &[Seen]) -> Result<Option<Summary>, Failure> {
    let anew = !matches!(command.from, WindowStart::After(_)) || command.full_state;
    let members = timeline
        .iter()
        .any(|(stored, _)| stored.event.kind() == "m.room.member");
    if !anew && !members && view.head()?.state == view.state_after(from(command))? {
        return Ok(None);
    }
    summary(view, &command.viewer.user_id).map(Some)
}

const fn from(command: &Slice) -> i64 {
    match command.from {
        WindowStart::After(pos) => pos,
        WindowStart::Nothing | WindowStart::Lost => BEGINNING,
    }
}

struct StateReader<'a> {
    view: View<'a>,
    command: &'a Slice,
    timeline: &'a [Seen],
    writer: Writer<'a>,
}

impl StateReader<'_> {
    /// What the client lacks: the difference of the state that it knows and the one before, or after, the timeline.
    fn state(&self, prev_batch: i64) -> Result<Vec<Json>, Failure> {
        let target = if self.command.state_after {
            self.command.to
        } else {
            prev_batch
        };
        let target = self.view.state_after(target)?;
        let mut ids = self.difference(self.known()?, target)?;
        if self.command.filter.lazy_load_members {
            self.add_senders(target, &mut ids)?;
        }
        let mut state = Vec::with_capacity(ids.len());
        for id in ids.into_values() {
            let event = stored(self.view, &id)?;
            if wants(&self.command.filter.state, &event.event) {
                state.push(self.writer.write(&event, None)?);
            }
        }
        Ok(state)
    }

    /// The state that the client knows.
    fn known(&self) -> Result<State, Fault> {
        match self.command.from {
            WindowStart::After(pos) if !self.command.full_state => self.view.state_after(pos),
            _ => Ok(State::EMPTY),
        }
    }

    fn difference(&self, known: State, target: State) -> Result<BTreeMap<(String, String), String>, Failure> {
        let lazy = self.command.filter.lazy_load_members && known == State::EMPTY;
        let nodes = self.view.nodes();
        let mut ids = BTreeMap::new();
        for difference in known.difference(&nodes, target).map_err(trie)? {
            let difference = difference.map_err(trie)?;
            if lazy && &*difference.event_type == "m.room.member" {
                continue;
            }
            if let Some(id) = difference.right {
                ids.insert(
                    (
                        difference.event_type.to_string(),
                        difference.state_key.to_string(),
                    ),
                    id,
                );
            }
        }
        Ok(ids)
    }

    /// The members that a client needs to show the timeline, and the viewer.
    fn add_senders(
        &self,
        target: State,
        ids: &mut BTreeMap<(String, String), String>,
    ) -> Result<(), Failure> {
        let senders = self
            .timeline
            .iter()
            .map(|(stored, _)| stored.event.sender().as_str());
        let mut wanted: BTreeSet<&str> = senders.collect();
        if self.command.full_state || !matches!(self.command.from, WindowStart::After(_)) {
            wanted.insert(&self.command.viewer.user_id);
        }
        for user_id in wanted {
            if let Some(id) = self.view.at(target).id("m.room.member", user_id)? {
                ids.insert(
                    ("m.room.member".to_owned(), user_id.to_owned()),
                    id.as_str().to_owned(),
                );
            }
        }
        Ok(())
    }
}
