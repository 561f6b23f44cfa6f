//! Events for other servers.

use std::collections::BTreeSet;

use selvage_event::{Event, EventId};
use selvage_object::{Failure, Fault};
use selvage_protocol::Json;
use selvage_protocol::federation::{Backfill, EventForServer, EventsById, GetMissingEvents};
use serde_json::value::RawValue;

use crate::error::{json, not_found, stored as damaged};
use crate::server_eyes::ServerEyes;
use crate::trie::State;
use crate::view::View;

/// The most events of one answer about missing events.
const MISSING_EVENTS_MAX: usize = 20;
/// The most events of one answer to paging back.
const BACKFILL_MAX: usize = 100;
/// The most events of other answers.
const EVENTS_MAX: usize = 500;

/// An event as it is kept, with what decides how it is shown.
struct Kept {
    event: Event,
    before: Option<State>,
    is_redacted: bool,
}

/// Events between some; see [`GetMissingEvents`].
pub(crate) fn missing_events(view: View<'_>, command: &GetMissingEvents) -> Result<Vec<Json>, Failure> {
    let eyes = ServerEyes::new(view, &command.server)?;
    let limit = usize::try_from(command.limit)
        .unwrap_or(MISSING_EVENTS_MAX)
        .min(MISSING_EVENTS_MAX);
    let mut walk = Walk::new(view, limit);
    walk.known.extend(ids(&command.earliest));
    for latest in ids(&command.latest) {
        if let Some(kept) = kept(view, &latest)? {
            walk.known.insert(latest);
            walk.open(kept.event.prev_events())?;
        }
    }
    let mut events = walk.run(command.min_depth)?;
    events.reverse();
    show_all(&eyes, &events)
}

/// Some events and what came before; see [`Backfill`].
pub(crate) fn backfill(view: View<'_>, command: &Backfill) -> Result<Vec<Json>, Failure> {
    let eyes = ServerEyes::new(view, &command.server)?;
    let limit = usize::try_from(command.limit)
        .unwrap_or(BACKFILL_MAX)
        .min(BACKFILL_MAX);
    let mut walk = Walk::new(view, limit);
    walk.open(&ids(&command.from))?;
    let events = walk.run(i64::MIN)?;
    show_all(&eyes, &events)
}

/// One event; see [`EventForServer`].
pub(crate) fn event(view: View<'_>, command: &EventForServer) -> Result<Json, Failure> {
    let eyes = ServerEyes::new(view, &command.server)?;
    let nothing = || not_found("no such event in this room");
    let id = EventId::parse(&command.event_id).map_err(|_| nothing())?;
    let kept = kept(view, &id)?.ok_or_else(nothing)?;
    show(&eyes, &kept)
}

/// Events by their ids; see [`EventsById`].
pub(crate) fn events_by_id(view: View<'_>, command: &EventsById) -> Result<Vec<Json>, Failure> {
    view.head()?;
    let mut events = Vec::with_capacity(command.ids.len().min(EVENTS_MAX));
    for id in ids(&command.ids).iter().take(EVENTS_MAX) {
        if let Some(kept) = kept(view, id)? {
            let event = if kept.is_redacted {
                kept.event.redacted().map_err(|error| damaged(&error))?
            } else {
                kept.event
            };
            events.push(raw(&event)?);
        }
    }
    Ok(events)
}

/// The ids among some texts. What is no id names nothing.
fn ids(texts: &[String]) -> Vec<EventId> {
    texts
        .iter()
        .filter_map(|text| EventId::parse(text).ok())
        .collect()
}

fn kept(view: View<'_>, id: &EventId) -> Result<Option<Kept>, Fault> {
    if let Some(stored) = view.stored_by_id(id.as_str())? {
        return Ok(Some(Kept {
            event: stored.event,
            before: Some(stored.before),
            is_redacted: stored.redacted_by.is_some(),
        }));
    }
    Ok(view.other(id)?.map(|other| Kept {
        event: other.event,
        before: other.before,
        is_redacted: other.redacted_by.is_some(),
    }))
}

fn show_all(eyes: &ServerEyes<'_>, events: &[Kept]) -> Result<Vec<Json>, Failure> {
    events.iter().map(|kept| show(eyes, kept)).collect()
}

fn show(eyes: &ServerEyes<'_>, kept: &Kept) -> Result<Json, Failure> {
    let shown = eyes.show(&kept.event, kept.before, kept.is_redacted)?;
    Ok(raw(&shown)?)
}

pub(crate) fn raw(event: &Event) -> Result<Json, Fault> {
    RawValue::from_string(event.json().to_owned()).map_err(|error| json(&error))
}

/// A walk from events to their predecessors, the deepest first.
struct Walk<'a> {
    view: View<'a>,
    limit: usize,
    /// Events that were opened, or are not wanted.
    known: BTreeSet<EventId>,
    /// What is next: by depth.
    open: Vec<Kept>,
}

impl<'a> Walk<'a> {
    const fn new(view: View<'a>, limit: usize) -> Self {
        Self {
            view,
            limit,
            known: BTreeSet::new(),
            open: Vec::new(),
        }
    }

    fn open(&mut self, ids: &[EventId]) -> Result<(), Fault> {
        for id in ids {
            if self.known.insert(id.clone()) {
                // What has no place here is in nobody's past as far as this server knows.
                self.open
                    .extend(kept(self.view, id)?.filter(|kept| kept.before.is_some()));
            }
        }
        self.open.sort_by_key(|kept| kept.event.depth());
        Ok(())
    }

    fn run(mut self, min_depth: i64) -> Result<Vec<Kept>, Fault> {
        let mut found = Vec::new();
        while let Some(next) = self.open.pop() {
            if next.event.depth() < min_depth {
                continue;
            }
            if found.len() >= self.limit {
                break;
            }
            self.open(next.event.prev_events())?;
            found.push(next);
        }
        Ok(found)
    }
}
