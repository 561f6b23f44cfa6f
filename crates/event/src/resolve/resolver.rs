//! What all algorithms share: the input sorted out, and events looked up once.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::state_map::StateMap;
use super::{Conflicted, ResolveError, Source, StateKey};
use crate::auth::KnownEvent;
use crate::event::Event;
use crate::id::EventId;

pub(super) struct Resolver<'a, S> {
    pub(super) source: &'a S,
    /// The keys that are in conflict, with every distinct event at them.
    pub(super) conflicted: StateMap<Vec<EventId>>,
    /// The keys among the input that turned out not to be.
    agreed: StateMap<EventId>,
    cache: RefCell<BTreeMap<EventId, KnownEvent>>,
}

impl<'a, S: Source> Resolver<'a, S> {
    pub(super) fn new(
        source: &'a S,
        input: &Conflicted,
        is_conflict: impl Fn(&[Option<EventId>]) -> bool,
    ) -> Self {
        let (mut conflicted, mut agreed) = (StateMap::new(), StateMap::new());
        for ((kind, state_key), values) in input {
            let mut ids: Vec<EventId> = values.iter().flatten().cloned().collect();
            ids.sort_unstable();
            ids.dedup();
            if is_conflict(values) {
                conflicted.insert(kind, state_key, ids);
            } else if let Some(id) = ids.into_iter().next() {
                agreed.insert(kind, state_key, id);
            }
        }
        Self {
            source,
            conflicted,
            agreed,
            cache: RefCell::new(BTreeMap::new()),
        }
    }

    /// An event that must be known.
    pub(super) fn event(&self, id: &EventId) -> Result<KnownEvent, ResolveError<S::Error>> {
        if let Some(known) = self.cache.borrow().get(id) {
            return Ok(known.clone());
        }
        let found = self.source.event(id).map_err(ResolveError::Lookup)?;
        let known = found.ok_or_else(|| ResolveError::Missing(id.clone()))?;
        self.cache.borrow_mut().insert(id.clone(), known.clone());
        Ok(known)
    }

    /// What all forks have at a key.
    pub(super) fn unconflicted(
        &self,
        kind: &str,
        state_key: &str,
    ) -> Result<Option<EventId>, ResolveError<S::Error>> {
        if let Some(id) = self.agreed.get(kind, state_key) {
            return Ok(Some(id.clone()));
        }
        if self.conflicted.get(kind, state_key).is_some() {
            return Ok(None);
        }
        self.source
            .unconflicted(kind, state_key)
            .map_err(ResolveError::Lookup)
    }

    /// [`Self::unconflicted`], as an event.
    pub(super) fn unconflicted_event(
        &self,
        kind: &str,
        state_key: &str,
    ) -> Result<Option<Event>, ResolveError<S::Error>> {
        match self.unconflicted(kind, state_key)? {
            Some(id) => self
                .event(&id)
                .map(|known| (!known.rejected).then_some(known.event)),
            None => Ok(None),
        }
    }

    /// The event of that type and key among an event's auth events, unless it was rejected.
    pub(super) fn auth_event(
        &self,
        event: &Event,
        kind: &str,
        state_key: &str,
    ) -> Result<Option<Event>, ResolveError<S::Error>> {
        if kind == "m.room.create" && event.rules().auth.privileged_creators {
            return self.accepted(&event.room_id().to_create_event_id());
        }
        for id in event.auth_events() {
            let known = self.event(id)?;
            if !known.rejected && known.event.is_state_of(kind, state_key) {
                return Ok(Some(known.event));
            }
        }
        Ok(None)
    }

    fn accepted(&self, id: &EventId) -> Result<Option<Event>, ResolveError<S::Error>> {
        self.event(id)
            .map(|known| (!known.rejected).then_some(known.event))
    }

    /// Every event at a conflicted key.
    pub(super) fn conflicted_ids(&self) -> impl Iterator<Item = &EventId> {
        self.conflicted.iter().flat_map(|(_, _, ids)| ids)
    }

    /// The final state, as it differs from what is unconflicted. spec: `rooms/v2 §Algorithm` 5
    pub(super) fn overlay(
        &self,
        resolved: &StateMap<Event>,
    ) -> Result<BTreeMap<StateKey, EventId>, ResolveError<S::Error>> {
        let mut result = BTreeMap::new();
        let mut put = |kind: &str, state_key: &str, id: &EventId| {
            result.insert((kind.to_owned(), state_key.to_owned()), id.clone());
        };
        for (kind, state_key, event) in resolved.iter() {
            let is_open = self.conflicted.get(kind, state_key).is_some()
                || self.unconflicted(kind, state_key)?.is_none();
            if is_open {
                put(kind, state_key, event.event_id());
            }
        }
        for (kind, state_key, id) in self.agreed.iter() {
            put(kind, state_key, id);
        }
        Ok(result)
    }
}
