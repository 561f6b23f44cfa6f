//! Topological sorting that always takes the smallest of what may come next. spec: `rooms/v2`, "Reverse topological
//! power ordering".

use std::collections::{BTreeMap, BTreeSet};

use super::v2::Graph;
use crate::id::EventId;

/// Sorts the graph's events so that each comes after those it depends on; among those that could come next, the one
/// with the smallest rank does, then the one with the smallest id.
///
/// Events in a cycle are left out. There are none among events whose auth events were checked before them.
pub(super) fn sort<R: Ord + Clone>(graph: &Graph, ranks: &BTreeMap<EventId, R>) -> Vec<EventId> {
    let mut waiting: BTreeMap<&EventId, usize> = BTreeMap::new();
    let mut followers: BTreeMap<&EventId, Vec<&EventId>> = BTreeMap::new();
    let mut ready: BTreeSet<(Option<&R>, &EventId)> = BTreeSet::new();
    for (id, before) in graph {
        if before.is_empty() {
            ready.insert((ranks.get(id), id));
        }
        waiting.insert(id, before.len());
        for earlier in before {
            followers.entry(earlier).or_default().push(id);
        }
    }
    let mut sorted = Vec::with_capacity(graph.len());
    while let Some((_, id)) = ready.pop_first() {
        sorted.push(id.clone());
        for follower in followers.remove(id).unwrap_or_default() {
            let Some(count) = waiting.get_mut(follower) else {
                continue;
            };
            *count = count.saturating_sub(1);
            if *count == 0 {
                ready.insert((ranks.get(follower), follower));
            }
        }
    }
    sorted
}
