//! Version 1. spec: `rooms/v1 §State resolution`; where the text leaves the order of checks open, as Synapse does it,
//! whose behaviour the text describes.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::resolver::Resolver;
use super::sha1::sha1;
use super::state_map::StateMap;
use super::{ResolveError, Source, StateKey};
use crate::auth::{AuthError, StateLookup, check_state};
use crate::event::Event;
use crate::id::EventId;

/// The passes, in order: each resolves the conflicts of one type in the state that the passes before it made.
const PASSES: [&str; 3] = ["m.room.power_levels", "m.room.join_rules", "m.room.member"];

pub(super) fn resolve<S: Source>(
    resolver: &Resolver<'_, S>,
) -> Result<BTreeMap<StateKey, EventId>, ResolveError<S::Error>> {
    let mut resolved = StateMap::new();
    for pass in PASSES {
        let mut made = Vec::new();
        for (kind, state_key, ids) in resolver.conflicted.iter().filter(|(kind, _, _)| *kind == pass) {
            let last = last_allowed(resolver, &resolved, &by_depth(resolver, ids)?)?;
            made.extend(last.map(|event| (kind.to_owned(), state_key.to_owned(), event)));
        }
        for (kind, state_key, event) in made {
            resolved.insert(&kind, &state_key, event);
        }
    }
    let mut others = Vec::new();
    for (kind, state_key, ids) in resolver
        .conflicted
        .iter()
        .filter(|(kind, _, _)| !PASSES.contains(kind))
    {
        let first = first_allowed(resolver, &resolved, by_depth(resolver, ids)?)?;
        others.extend(first.map(|event| (kind.to_owned(), state_key.to_owned(), event)));
    }
    for (kind, state_key, event) in others {
        resolved.insert(&kind, &state_key, event);
    }
    resolver.overlay(&resolved)
}

/// By ascending depth, then descending SHA-1 of the event id.
fn by_depth<S: Source>(
    resolver: &Resolver<'_, S>,
    ids: &[EventId],
) -> Result<Vec<Event>, ResolveError<S::Error>> {
    let mut events = Vec::with_capacity(ids.len());
    for id in ids {
        events.push(resolver.event(id)?.event);
    }
    events.sort_by_cached_key(|event| (event.depth(), Reverse(sha1(event.event_id().as_str().as_bytes()))));
    Ok(events)
}

/// The first event, then each later one as long as the one before allows it.
fn last_allowed<S: Source>(
    resolver: &Resolver<'_, S>,
    resolved: &StateMap<Event>,
    events: &[Event],
) -> Result<Option<Event>, ResolveError<S::Error>> {
    let Some((first, rest)) = events.split_first() else {
        return Ok(None);
    };
    let mut holds = first;
    for event in rest {
        let state = SoFar {
            resolver,
            resolved,
            also: Some(holds),
        };
        if !is_allowed(event, &state)? {
            break;
        }
        holds = event;
    }
    Ok(Some(holds.clone()))
}

/// The deepest event that is allowed; when none is, the least deep.
fn first_allowed<S: Source>(
    resolver: &Resolver<'_, S>,
    resolved: &StateMap<Event>,
    mut events: Vec<Event>,
) -> Result<Option<Event>, ResolveError<S::Error>> {
    let state = SoFar {
        resolver,
        resolved,
        also: None,
    };
    let mut last = None;
    while let Some(event) = events.pop() {
        if is_allowed(&event, &state)? {
            return Ok(Some(event));
        }
        last = Some(event);
    }
    Ok(last)
}

fn is_allowed<S: Source>(event: &Event, state: &SoFar<'_, '_, S>) -> Result<bool, ResolveError<S::Error>> {
    match check_state(event, state) {
        Ok(()) => Ok(true),
        Err(AuthError::Refused(_)) => Ok(false),
        Err(AuthError::Lookup(error)) => Err(error),
    }
}

/// The state resolved so far: one event in particular, the passes before, and what all forks agree on.
struct SoFar<'r, 'a, S> {
    resolver: &'r Resolver<'a, S>,
    resolved: &'r StateMap<Event>,
    also: Option<&'r Event>,
}

impl<S: Source> StateLookup for SoFar<'_, '_, S> {
    type Error = ResolveError<S::Error>;

    fn get(&self, kind: &str, state_key: &str) -> Result<Option<Event>, Self::Error> {
        if let Some(event) = self.also.filter(|event| event.is_state_of(kind, state_key)) {
            return Ok(Some(event.clone()));
        }
        match self.resolved.get(kind, state_key) {
            Some(event) => Ok(Some(event.clone())),
            None => self.resolver.unconflicted_event(kind, state_key),
        }
    }
}
