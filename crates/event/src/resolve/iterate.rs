//! The iterative auth checks. spec: `rooms/v2`, "Iterative auth checks".

use super::resolver::Resolver;
use super::state_map::StateMap;
use super::{ResolveError, Source};
use crate::auth::{AuthError, StateLookup, check_state};
use crate::event::Event;
use crate::id::EventId;

/// The state that the checks start from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// What all forks agree on (room versions 2 to 11).
    Unconflicted,
    /// Nothing (from 12 on).
    Empty,
}

/// Takes the events one by one into the state, those that the state so far allows.
///
/// Events that were rejected before are left out, as Synapse does. The text would let them in when the state resolved
/// so far allows them; but a rejected event is in no accepted event's auth chain and in no honest state, and where
/// the network leaves it out, letting it in would part us from the network.
pub(super) fn iterate<S: Source>(
    resolver: &Resolver<'_, S>,
    start: Start,
    resolved: &mut StateMap<Event>,
    events: &[EventId],
) -> Result<(), ResolveError<S::Error>> {
    for id in events {
        let known = resolver.event(id)?;
        let Some(state_key) = known.event.state_key().filter(|_| !known.rejected) else {
            continue;
        };
        let state = SoFar {
            resolver,
            start,
            resolved,
            event: &known.event,
        };
        match check_state(&known.event, &state) {
            Ok(()) => resolved.insert(known.event.kind(), state_key, known.event.clone()),
            Err(AuthError::Refused(_)) => {}
            Err(AuthError::Lookup(error)) => return Err(error),
        }
    }
    Ok(())
}

/// The state resolved so far, then the start, then the event's own auth events.
struct SoFar<'r, 'a, S> {
    resolver: &'r Resolver<'a, S>,
    start: Start,
    resolved: &'r StateMap<Event>,
    event: &'r Event,
}

impl<S: Source> StateLookup for SoFar<'_, '_, S> {
    type Error = ResolveError<S::Error>;

    fn get(&self, kind: &str, state_key: &str) -> Result<Option<Event>, Self::Error> {
        if let Some(event) = self.resolved.get(kind, state_key) {
            return Ok(Some(event.clone()));
        }
        if self.start == Start::Unconflicted
            && let Some(event) = self.resolver.unconflicted_event(kind, state_key)?
        {
            return Ok(Some(event));
        }
        self.resolver.auth_event(self.event, kind, state_key)
    }
}
