//! Versions 2 and 2.1. spec: `rooms/v2 §State resolution`, `rooms/v12 §State resolution`.

use std::collections::{BTreeMap, BTreeSet};

use super::iterate::{Start, iterate};
use super::mainline::Mainline;
use super::resolver::Resolver;
use super::state_map::StateMap;
use super::{ResolveError, Source, StateKey, kahn, subgraph};
use crate::auth::{UserPower, creators};
use crate::event::{Event, Membership};
use crate::id::EventId;

/// The creator's level in sorting where there are no power levels yet (room versions 2 to 11).
const CREATOR_LEVEL: i64 = 100;

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flavour {
    /// Room versions 2 to 11.
    V2,
    /// From room version 12 on.
    V2_1,
}

/// Events by what must come before them.
pub(super) type Graph = BTreeMap<EventId, BTreeSet<EventId>>;

/// The steps of `rooms/v2 §Algorithm`.
pub(super) fn resolve<S: Source>(
    resolver: &Resolver<'_, S>,
    flavour: Flavour,
) -> Result<BTreeMap<StateKey, EventId>, ResolveError<S::Error>> {
    let full = full_conflicted_set(resolver, flavour)?;
    let graph = power_graph(resolver, &full)?;
    let start = match flavour {
        Flavour::V2 => Start::Unconflicted,
        Flavour::V2_1 => Start::Empty,
    };
    let mut resolved = StateMap::new();
    iterate(resolver, start, &mut resolved, &power_order(resolver, &graph)?)?;
    let power = power_levels(resolver, start, &resolved)?;
    let mut mainline = Mainline::new(resolver, power);
    let rest = full.iter().filter(|id| !graph.contains_key(*id));
    let rest = mainline.order(rest)?;
    iterate(resolver, start, &mut resolved, &rest)?;
    resolver.overlay(&resolved)
}

/// spec: "Full conflicted set"
fn full_conflicted_set<S: Source>(
    resolver: &Resolver<'_, S>,
    flavour: Flavour,
) -> Result<BTreeSet<EventId>, ResolveError<S::Error>> {
    let mut full: BTreeSet<EventId> = resolver.conflicted_ids().cloned().collect();
    if flavour == Flavour::V2_1 {
        full = subgraph::with_paths_between(resolver, full)?;
    }
    full.extend(resolver.source.auth_difference().map_err(ResolveError::Lookup)?);
    Ok(full)
}

/// spec: "Power events". Create events count too, as everywhere in the network; they cannot be in conflict unless a
/// server lies about the state.
fn is_power_event(event: &Event) -> bool {
    match event.kind() {
        "m.room.power_levels" | "m.room.join_rules" | "m.room.create" => event.state_key() == Some(""),
        "m.room.member" => {
            matches!(event.membership(), Some(Membership::Leave | Membership::Ban))
                && event.state_key() != Some(event.sender().as_str())
        }
        _ => false,
    }
}

/// Step 1: the power events, and of their auth chains what is in the full conflicted set, with the edges between.
///
/// Chains are followed only as long as they stay in the set. The text could be read so that a chain may leave the set
/// and come back, but no implementation does that, and states must agree.
fn power_graph<S: Source>(
    resolver: &Resolver<'_, S>,
    full: &BTreeSet<EventId>,
) -> Result<Graph, ResolveError<S::Error>> {
    let mut graph = Graph::new();
    let mut open = Vec::new();
    for id in full {
        if is_power_event(&resolver.event(id)?.event) {
            open.push(id.clone());
        }
    }
    while let Some(id) = open.pop() {
        if graph.contains_key(&id) {
            continue;
        }
        let event = resolver.event(&id)?.event;
        let before: BTreeSet<EventId> = event
            .auth_events()
            .iter()
            .filter(|id| full.contains(*id))
            .cloned()
            .collect();
        open.extend(before.iter().cloned());
        graph.insert(id, before);
    }
    Ok(graph)
}

/// spec: "Reverse topological power ordering"
fn power_order<S: Source>(
    resolver: &Resolver<'_, S>,
    graph: &Graph,
) -> Result<Vec<EventId>, ResolveError<S::Error>> {
    let mut ranks = BTreeMap::new();
    for id in graph.keys() {
        let event = resolver.event(id)?.event;
        let power = std::cmp::Reverse(sender_power(resolver, &event)?);
        ranks.insert(id.clone(), (power, event.origin_server_ts()));
    }
    Ok(kahn::sort(graph, &ranks))
}

/// The power of an event's sender by the event's own auth events.
fn sender_power<S: Source>(
    resolver: &Resolver<'_, S>,
    event: &Event,
) -> Result<UserPower, ResolveError<S::Error>> {
    let sender = event.sender().as_str();
    let is_creator = |create: Option<Event>| create.is_some_and(|create| creators(&create).contains(&sender));
    if event.rules().auth.privileged_creators
        && is_creator(resolver.auth_event(event, "m.room.create", "")?)
    {
        return Ok(UserPower::Infinite);
    }
    let Some(power) = resolver.auth_event(event, "m.room.power_levels", "")? else {
        let founded = !event.rules().auth.privileged_creators
            && is_creator(resolver.auth_event(event, "m.room.create", "")?);
        return Ok(UserPower::Level(if founded { CREATOR_LEVEL } else { 0 }));
    };
    // Power levels that cannot be read were refused when they came; should some be here, they grant nothing.
    let level = power.levels().ok().and_then(|levels| {
        levels
            .users
            .get(sender)
            .copied()
            .or_else(|| levels.single("users_default"))
    });
    Ok(UserPower::Level(level.unwrap_or(0)))
}

/// The power levels in the partially resolved state.
fn power_levels<S: Source>(
    resolver: &Resolver<'_, S>,
    start: Start,
    resolved: &StateMap<Event>,
) -> Result<Option<EventId>, ResolveError<S::Error>> {
    match (resolved.get("m.room.power_levels", ""), start) {
        (Some(event), _) => Ok(Some(event.event_id().clone())),
        (None, Start::Unconflicted) => resolver.unconflicted("m.room.power_levels", ""),
        (None, Start::Empty) => Ok(None),
    }
}
