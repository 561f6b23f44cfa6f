//! One state out of the states of several forks: state resolution over what the forks differ in.

use std::collections::{BTreeMap, BTreeSet};

use selvage_event::auth::{EventLookup, KnownEvent};
use selvage_event::resolve::Conflicted;
use selvage_event::{EventId, ResolveError, Source, resolve};
use selvage_object::{Failure, Fault, Refusal};
use selvage_protocol::errcode;

use crate::chains::Chains;
use crate::error::trie;
use crate::trie::{Change, State};
use crate::view::View;

/// The most keys in which forks may differ. Each costs memory and time, and who cites events from long ago as
/// predecessors can make forks differ in everything.
const CONFLICTS_MAX: usize = 10_000;
/// The most values at those keys, of all forks together: there can be hundreds of forks.
const CONFLICTING_VALUES_MAX: usize = 500_000;
/// How many resolutions are remembered.
const REMEMBERED_MAX: usize = 32;
/// About what one remembered resolution takes for each fork, in bytes.
const REMEMBERED_BYTES: usize = 64;

/// Resolutions, by the states of the forks. A resolution depends on nothing else, so it never goes stale.
#[derive(Debug, Default)]
pub(crate) struct ResolvedCache {
    resolved: BTreeMap<Vec<State>, State>,
    forks: usize,
}

impl ResolvedCache {
    fn insert(&mut self, states: Vec<State>, resolved: State) {
        if self.resolved.len() >= REMEMBERED_MAX {
            *self = Self::default();
        }
        self.forks += states.len();
        self.resolved.insert(states, resolved);
    }

    pub(crate) const fn bytes(&self) -> usize {
        self.forks * REMEMBERED_BYTES
    }
}

/// The state that the states of several forks resolve to (spec: rooms §state-resolution). Work is in proportion to how much
/// they differ, which is at most in [`CONFLICTS_MAX`] keys and [`CONFLICTING_VALUES_MAX`] values. Without forks, the empty
/// state.
pub(crate) fn resolved(view: View<'_>, forks: impl IntoIterator<Item = State>) -> Result<State, Failure> {
    let states = distinct(forks);
    let conflicts_max = conflicts_max(states.len());
    resolved_within(view, states, conflicts_max)
}

/// The most keys in which so many forks may differ.
fn conflicts_max(forks: usize) -> usize {
    CONFLICTS_MAX.min(CONFLICTING_VALUES_MAX / forks.max(1))
}

/// As [`resolved`], of forks to which an event was added that was held against them before: so they differ in one more key
/// at most than was allowed then.
pub(crate) fn resolved_with_one_more(
    view: View<'_>,
    forks: impl IntoIterator<Item = State>,
) -> Result<State, Failure> {
    resolved_within(view, distinct(forks), usize::MAX)
}

fn distinct(forks: impl IntoIterator<Item = State>) -> Vec<State> {
    forks.into_iter().collect::<BTreeSet<_>>().into_iter().collect()
}

fn resolved_within(view: View<'_>, states: Vec<State>, conflicts_max: usize) -> Result<State, Failure> {
    match states.as_slice() {
        [] => return Ok(State::EMPTY),
        [only] => return Ok(*only),
        _ => {}
    }
    if let Some(known) = view.memory.resolved.borrow().resolved.get(&states) {
        return Ok(*known);
    }
    let resolved = resolve_states(view, &states, conflicts_max)?;
    view.memory.resolved.borrow_mut().insert(states, resolved);
    Ok(resolved)
}

fn resolve_states(view: View<'_>, states: &[State], conflicts_max: usize) -> Result<State, Failure> {
    let conflicted = conflicted(view, states, conflicts_max)?;
    let base = states.first().copied().unwrap_or(State::EMPTY);
    let room = Forks {
        view,
        base,
        chains: Chains::new(view, base, &conflicted),
        conflicted: &conflicted,
    };
    let version = view.any_head()?.version;
    let overlay = resolve(version, &conflicted, &room).map_err(fault)?;
    let mut changes = Vec::with_capacity(conflicted.len());
    for (kind, state_key) in conflicted.keys().filter(|key| !overlay.contains_key(*key)) {
        changes.push(Change::remove(kind, state_key).map_err(trie)?);
    }
    for ((kind, state_key), id) in &overlay {
        changes.push(Change::set(kind, state_key, id.as_str()).map_err(trie)?);
    }
    Ok(base.apply(&mut view.nodes(), changes).map_err(trie)?)
}

fn fault(error: ResolveError<Fault>) -> Fault {
    match error {
        ResolveError::Lookup(fault) => fault,
        ResolveError::Missing(id) => Fault::corrupt(format!("event {id} of a state is not stored")),
    }
}

/// The keys in which not all states are alike, with what each state has there.
fn conflicted(view: View<'_>, states: &[State], conflicts_max: usize) -> Result<Conflicted, Failure> {
    let nodes = view.nodes();
    let mut conflicted = Conflicted::new();
    let Some((base, others)) = states.split_first() else {
        return Ok(conflicted);
    };
    for (fork, other) in (1..).zip(others) {
        for difference in base.difference(&nodes, *other).map_err(trie)? {
            let difference = difference.map_err(trie)?;
            let key = (
                difference.event_type.to_string(),
                difference.state_key.to_string(),
            );
            let of_base = id(difference.left)?;
            let values = conflicted
                .entry(key)
                .or_insert_with(|| vec![of_base; states.len()]);
            if let Some(value) = values.get_mut::<usize>(fork) {
                *value = id(difference.right)?;
            }
            if conflicted.len() > conflicts_max {
                return Err(too_many(conflicts_max));
            }
        }
    }
    Ok(conflicted)
}

fn id(id: Option<String>) -> Result<Option<EventId>, Fault> {
    id.map(|id| EventId::parse(id).map_err(|error| Fault::corrupt(error.to_string())))
        .transpose()
}

fn too_many(conflicts_max: usize) -> Failure {
    let message = format!("the forks differ in more than {conflicts_max} state events");
    Refusal::new(errcode::LIMIT_EXCEEDED, message).into()
}

/// What state resolution asks of the room.
struct Forks<'a> {
    view: View<'a>,
    /// One of the states: outside of `conflicted`, all have what it has.
    base: State,
    conflicted: &'a Conflicted,
    chains: Chains<'a>,
}

impl EventLookup for Forks<'_> {
    type Error = Fault;

    fn event(&self, id: &EventId) -> Result<Option<KnownEvent>, Fault> {
        self.view.known(id)
    }
}

impl Source for Forks<'_> {
    fn unconflicted(&self, kind: &str, state_key: &str) -> Result<Option<EventId>, Fault> {
        debug_assert!(
            !self
                .conflicted
                .contains_key(&(kind.to_owned(), state_key.to_owned()))
        );
        self.view.at(self.base).id(kind, state_key)
    }

    fn auth_difference(&self) -> Result<BTreeSet<EventId>, Fault> {
        self.chains.difference()
    }

    fn may_reach(&self, from: &EventId, targets: &BTreeSet<EventId>) -> Result<bool, Fault> {
        self.chains.may_reach(from, targets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_forks_the_less_may_they_differ() {
        for (forks, most) in [(2, 10_000), (50, 10_000), (100, 5_000), (501, 998), (0, 10_000)] {
            assert_eq!(conflicts_max(forks), most, "{forks} forks");
        }
    }
}
