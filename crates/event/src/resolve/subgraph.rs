//! The conflicted state subgraph. spec: `rooms/v12`, "Conflicted state subgraph".

use std::collections::{BTreeMap, BTreeSet};

use super::resolver::Resolver;
use super::{ResolveError, Source};
use crate::id::EventId;

/// A node on the way down: the event, what it cites that is still to be looked at, and whether a conflicted event was
/// found below.
struct Step {
    id: EventId,
    left: Vec<EventId>,
    reaches: bool,
}

/// The conflicted events, and every event on a path along auth events from one of them to another.
///
/// Walks down from each conflicted event, each event once, and not below events from which, as the source says, no
/// conflicted event can be reached. A loop and not a recursion, because auth chains are long.
pub(super) fn with_paths_between<S: Source>(
    resolver: &Resolver<'_, S>,
    conflicted: BTreeSet<EventId>,
) -> Result<BTreeSet<EventId>, ResolveError<S::Error>> {
    let mut reaches: BTreeMap<EventId, bool> = BTreeMap::new();
    for root in &conflicted {
        walk(resolver, &conflicted, root, &mut reaches)?;
    }
    let on_paths = reaches
        .into_iter()
        .filter(|(_, reaches)| *reaches)
        .map(|(id, _)| id);
    let mut subgraph = conflicted.clone();
    subgraph.extend(on_paths);
    Ok(subgraph)
}

fn walk<S: Source>(
    resolver: &Resolver<'_, S>,
    conflicted: &BTreeSet<EventId>,
    root: &EventId,
    reaches: &mut BTreeMap<EventId, bool>,
) -> Result<(), ResolveError<S::Error>> {
    let mut path = Vec::new();
    path.extend(enter(resolver, conflicted, root, reaches)?);
    while let Some(step) = path.last_mut() {
        if let Some(next) = step.left.pop() {
            let entered = enter(resolver, conflicted, &next, reaches)?;
            if entered.is_none() {
                // It was looked at before, or nothing lies below it; it may be a conflicted event all the same.
                step.reaches |= reaches.get(&next).copied().unwrap_or(false);
            }
            path.extend(entered);
            continue;
        }
        let (id, found) = (step.id.clone(), step.reaches);
        path.pop();
        if let Some(above) = path.last_mut() {
            above.reaches |= found;
        }
        reaches.insert(id, found);
    }
    Ok(())
}

/// Begins an event, unless it is known or nothing can be found below it.
fn enter<S: Source>(
    resolver: &Resolver<'_, S>,
    conflicted: &BTreeSet<EventId>,
    id: &EventId,
    reaches: &mut BTreeMap<EventId, bool>,
) -> Result<Option<Step>, ResolveError<S::Error>> {
    if reaches.contains_key(id) {
        return Ok(None);
    }
    let is_conflicted = conflicted.contains(id);
    // Noted before its end is known, so that a cycle, which only lies could make, ends.
    reaches.insert(id.clone(), is_conflicted);
    if !resolver
        .source
        .may_reach(id, conflicted)
        .map_err(ResolveError::Lookup)?
    {
        return Ok(None);
    }
    let left = resolver.event(id)?.event.auth_events().to_vec();
    Ok(Some(Step {
        id: id.clone(),
        left,
        reaches: is_conflicted,
    }))
}
