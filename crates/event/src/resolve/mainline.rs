//! The mainline ordering. spec: `rooms/v2`, "Mainline ordering".
//!
//! The mainline goes back to the room's first power levels, which may be thousands of events away. It is followed
//! only as far as needed: for each event, its own chain of power levels and the mainline are followed in step until
//! one meets the other, so that events near the head cost nothing.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::resolver::Resolver;
use super::{ResolveError, Source};
use crate::event::Event;
use crate::id::EventId;

pub(super) struct Mainline<'r, 'a, S> {
    resolver: &'r Resolver<'a, S>,
    /// What is known of the mainline: position by id.
    positions: BTreeMap<EventId, usize>,
    /// The next of the mainline.
    next: Option<EventId>,
    /// Where chains that were followed meet the mainline; `None` where they never do.
    met: BTreeMap<EventId, Option<usize>>,
}

impl<'r, 'a, S: Source> Mainline<'r, 'a, S> {
    /// The mainline of a power levels event.
    pub(super) fn new(resolver: &'r Resolver<'a, S>, head: Option<EventId>) -> Self {
        Self {
            resolver,
            positions: BTreeMap::new(),
            next: head,
            met: BTreeMap::new(),
        }
    }

    /// Sorts events: those based on older power levels first, those without first of all; then by time and id.
    pub(super) fn order<'i>(
        &mut self,
        ids: impl Iterator<Item = &'i EventId>,
    ) -> Result<Vec<EventId>, ResolveError<S::Error>> {
        let mut keyed = Vec::new();
        for id in ids {
            let event = self.resolver.event(id)?.event;
            let position = self.position(&event)?.unwrap_or(usize::MAX);
            keyed.push((Reverse(position), event.origin_server_ts(), id.clone()));
        }
        keyed.sort_unstable();
        Ok(keyed.into_iter().map(|(_, _, id)| id).collect())
    }

    fn position(&mut self, event: &Event) -> Result<Option<usize>, ResolveError<S::Error>> {
        if self.positions.is_empty() && self.next.is_none() {
            return Ok(None);
        }
        let mut chain: BTreeMap<EventId, usize> = BTreeMap::new();
        let mut at = self.parent(event)?;
        let (met, before) = loop {
            let finished = at.is_none() && self.next.is_none();
            if let Some(id) = at.take() {
                if let Some(met) = self.known(&id) {
                    break (met, chain.len());
                }
                let parent = self.parent_of(&id)?;
                let length = chain.len();
                // A chain that comes back to itself, which only lies about events could make, ends here.
                at = if chain.insert(id, length).is_none() {
                    parent
                } else {
                    None
                };
            }
            if let Some((id, position)) = self.extend()?
                && let Some(before) = chain.get(&id)
            {
                break (Some(position), *before);
            }
            if finished {
                break (None, chain.len());
            }
        };
        // What lies behind the meeting point is on the mainline itself, further down.
        self.met.extend(
            chain
                .into_iter()
                .filter(|(_, at)| *at < before)
                .map(|(id, _)| (id, met)),
        );
        Ok(met)
    }

    fn known(&self, id: &EventId) -> Option<Option<usize>> {
        self.positions
            .get(id)
            .map(|position| Some(*position))
            .or_else(|| self.met.get(id).copied())
    }

    /// Follows the mainline one step.
    fn extend(&mut self) -> Result<Option<(EventId, usize)>, ResolveError<S::Error>> {
        let Some(id) = self.next.take() else {
            return Ok(None);
        };
        if self.positions.contains_key(&id) {
            return Ok(None);
        }
        let position = self.positions.len();
        self.next = self.parent_of(&id)?;
        self.positions.insert(id.clone(), position);
        Ok(Some((id, position)))
    }

    fn parent_of(&self, id: &EventId) -> Result<Option<EventId>, ResolveError<S::Error>> {
        let event = self.resolver.event(id)?.event;
        self.parent(&event)
    }

    /// The power levels that an event cites.
    fn parent(&self, event: &Event) -> Result<Option<EventId>, ResolveError<S::Error>> {
        let parent = self.resolver.auth_event(event, "m.room.power_levels", "")?;
        Ok(parent.map(|event| event.event_id().clone()))
    }
}
