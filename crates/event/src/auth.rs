//! Authorisation rules: who may send what, against a given state.
//!
//! Two checks make up the rules. [`check_auth_events`] looks at the event's own `auth_events` and needs no state;
//! [`check_state`] looks at the event in the light of a state, which may be the one that its `auth_events` make,
//! the state before it, the current state, or a state half resolved. Both are pure; [`crate::pipeline`] puts them
//! in order.
//!
//! spec: `rooms §Authorisation rules` of each version, `server-server-api §Authorisation rules`

use std::collections::BTreeMap;
use std::convert::Infallible;

use crate::event::Event;
use crate::id::EventId;

mod chain;
mod levels;
mod member;
mod power;
mod redaction;
mod rule;
mod selection;
mod state;
mod third_party;

#[cfg(test)]
mod tests;

pub use chain::{AuthEvents, ChainRefusal, check_auth_events};
pub use levels::{Levels, LevelsError};
pub use power::{PowerLevels, UserPower, creators};
pub use redaction::may_redact;
pub use rule::{Refusal, Rule};
pub use selection::auth_types_for;
pub use state::check_state;

/// Where state events are looked up.
pub trait StateLookup {
    /// What goes wrong in looking up; [`Infallible`] for states in memory.
    type Error;

    /// The state event of that type and state key, if the state has one. A lookup must answer for
    /// `m.room.create` in every room version.
    ///
    /// # Errors
    /// Whatever goes wrong in looking up.
    fn get(&self, kind: &str, state_key: &str) -> Result<Option<Event>, Self::Error>;
}

impl<S: StateLookup + ?Sized> StateLookup for &S {
    type Error = S::Error;
    fn get(&self, kind: &str, state_key: &str) -> Result<Option<Event>, S::Error> {
        (**self).get(kind, state_key)
    }
}

impl StateLookup for BTreeMap<(String, String), Event> {
    type Error = Infallible;
    fn get(&self, kind: &str, state_key: &str) -> Result<Option<Event>, Infallible> {
        Ok(BTreeMap::get(self, &(kind.to_owned(), state_key.to_owned())).cloned())
    }
}

/// An event as the room knows it.
#[derive(Debug, Clone)]
pub struct KnownEvent {
    /// The event.
    pub event: Event,
    /// Whether it was rejected, at whatever step.
    pub rejected: bool,
}

/// Where events are looked up by id.
pub trait EventLookup {
    /// What goes wrong in looking up; [`Infallible`] for events in memory.
    type Error;

    /// The event of that id, if it is known.
    ///
    /// # Errors
    /// Whatever goes wrong in looking up.
    fn event(&self, id: &EventId) -> Result<Option<KnownEvent>, Self::Error>;
}

impl<L: EventLookup + ?Sized> EventLookup for &L {
    type Error = L::Error;
    fn event(&self, id: &EventId) -> Result<Option<KnownEvent>, L::Error> {
        (**self).event(id)
    }
}

impl EventLookup for BTreeMap<EventId, KnownEvent> {
    type Error = Infallible;
    fn event(&self, id: &EventId) -> Result<Option<KnownEvent>, Infallible> {
        Ok(self.get(id).cloned())
    }
}

/// Why a check against a state did not end in "allowed".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError<E> {
    /// A rule refuses the event.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The state could not be looked up.
    #[error("looking up state: {0}")]
    Lookup(E),
}
