//! State resolution: one state out of the states of several forks. spec: `rooms §State resolution`.
//!
//! The input is the *difference* of the forks only: the keys whose values are not the same everywhere. What they
//! agree on is asked for key by key when a rule needs it, and the auth difference comes from the caller, who has an
//! index for it. So the work is in proportion to how much the forks differ, and not to how large the room is.

use std::collections::{BTreeMap, BTreeSet};

use crate::auth::EventLookup;
use crate::id::EventId;
use crate::version::{RoomVersion, StateResolution};

mod iterate;
mod kahn;
mod mainline;
mod resolver;
mod sha1;
mod state_map;
mod subgraph;
mod v1;
mod v2;

#[cfg(test)]
mod tests;

use resolver::Resolver;

/// Type and state key of a state event.
pub type StateKey = (String, String);

/// The keys on which forks differ, each with its value in every fork, in the order of the forks; `None` where a fork
/// has no such key. Keys on which all forks agree may be left out, and should be.
pub type Conflicted = BTreeMap<StateKey, Vec<Option<EventId>>>;

/// What resolution asks of the room beyond events by id.
pub trait Source: EventLookup {
    /// The event at a key that is not in the [`Conflicted`] given to [`resolve`]: the one that all forks have there.
    ///
    /// # Errors
    /// Whatever goes wrong in looking up.
    fn unconflicted(&self, kind: &str, state_key: &str) -> Result<Option<EventId>, Self::Error>;

    /// The auth difference of the forks: the events in the auth chain of some fork's state and not of every fork's.
    /// Not asked for in room version 1. spec: `rooms/v2 §Definitions`, "Auth difference"
    ///
    /// # Errors
    /// Whatever goes wrong in looking up.
    fn auth_difference(&self) -> Result<BTreeSet<EventId>, Self::Error>;

    /// Whether any of `targets` is in the auth chain of `from`. Only a hint that saves work: `true` is always right,
    /// `false` only when none is. Asked in room versions from 12 on, to find the conflicted state subgraph without
    /// walking whole auth chains.
    ///
    /// # Errors
    /// Whatever goes wrong in looking up.
    fn may_reach(&self, _from: &EventId, _targets: &BTreeSet<EventId>) -> Result<bool, Self::Error> {
        Ok(true)
    }
}

/// Why states could not be resolved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError<E> {
    /// An event of the forks' states or their auth chains is not known. It must be fetched first: the result without
    /// it might be wrong.
    #[error("unknown event {0}")]
    Missing(EventId),
    /// A lookup failed.
    #[error("lookup: {0}")]
    Lookup(E),
}

/// Resolves forks that differ in `conflicted`.
///
/// Gives the keys of the resolved state that differ from, or are missing in, what [`Source::unconflicted`] tells: for
/// each key of `conflicted` the event that holds, unless none does, and seldom a key that no fork had (an event of
/// the auth difference that turned out allowed).
///
/// The result depends on the events alone: neither on the order of forks nor on that of lookups. Each event is looked
/// up once.
///
/// # Errors
/// [`ResolveError`].
pub fn resolve<S: Source>(
    version: RoomVersion,
    conflicted: &Conflicted,
    source: &S,
) -> Result<BTreeMap<StateKey, EventId>, ResolveError<S::Error>> {
    match version.rules().state_resolution {
        StateResolution::V1 => v1::resolve(&Resolver::new(source, conflicted, is_conflict_v1)),
        StateResolution::V2 => v2::resolve(&Resolver::new(source, conflicted, is_conflict), v2::Flavour::V2),
        StateResolution::V2_1 => {
            v2::resolve(&Resolver::new(source, conflicted, is_conflict), v2::Flavour::V2_1)
        }
    }
}

/// A key is conflicted unless every fork has the same event there.
fn is_conflict(values: &[Option<EventId>]) -> bool {
    values
        .first()
        .is_none_or(|first| first.is_none() || values.iter().any(|value| value != first))
}

/// In room version 1, forks that lack a key do not make it conflicted. spec: `rooms/v1 §State resolution`
fn is_conflict_v1(values: &[Option<EventId>]) -> bool {
    values.iter().flatten().collect::<BTreeSet<_>>().len() != 1
}
