//! State resolution on generated graphs, against ruma's.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use ruma::state_res;
use selvage_event::resolve::Conflicted;
use selvage_event::{EventId, EventLookup, KnownEvent, RoomVersion, Source, StateKey, resolve};

use super::pdu::{RumaState, ruma_id, ruma_rules};
use super::room::{Room, State};
use super::setting;

/// The versions whose resolution ruma implements.
const VERSIONS: [RoomVersion; 7] = [
    RoomVersion::V6,
    RoomVersion::V7,
    RoomVersion::V8,
    RoomVersion::V9,
    RoomVersion::V10,
    RoomVersion::V11,
    RoomVersion::V12,
];

/// How often a room forks and is resolved.
const ROUNDS: usize = 3;

/// What is looked up is taken from whole states, and counted.
struct Forks<'a> {
    room: &'a Room,
    states: &'a [State],
    lookups: Cell<usize>,
}

impl EventLookup for Forks<'_> {
    type Error = Infallible;
    fn event(&self, id: &EventId) -> Result<Option<KnownEvent>, Infallible> {
        self.lookups.set(self.lookups.get() + 1);
        Ok(self.room.events.get(id).cloned())
    }
}

impl Source for Forks<'_> {
    fn unconflicted(&self, kind: &str, state_key: &str) -> Result<Option<EventId>, Infallible> {
        let key = (kind.to_owned(), state_key.to_owned());
        let mut values = self.states.iter().map(|state| state.get(&key));
        let first = values.next().flatten();
        Ok(values
            .all(|value| value == first)
            .then(|| first.cloned())
            .flatten())
    }

    fn auth_difference(&self) -> Result<BTreeSet<EventId>, Infallible> {
        let chains: Vec<_> = self
            .states
            .iter()
            .map(|state| self.room.auth_chain(state))
            .collect();
        let all: BTreeSet<EventId> = chains.iter().flatten().cloned().collect();
        Ok(all
            .into_iter()
            .filter(|id| !chains.iter().all(|chain| chain.contains(id)))
            .collect())
    }

    /// As sharp as an index can be.
    fn may_reach(&self, from: &EventId, targets: &BTreeSet<EventId>) -> Result<bool, Infallible> {
        let only = State::from([((String::new(), String::new()), from.clone())]);
        Ok(!self.room.auth_chain(&only).is_disjoint(targets))
    }
}

/// The keys on which states differ.
fn difference(states: &[State]) -> Conflicted {
    let keys: BTreeSet<&StateKey> = states.iter().flat_map(BTreeMap::keys).collect();
    let values = |key: &StateKey| {
        states
            .iter()
            .map(|state| state.get(key).cloned())
            .collect::<Vec<_>>()
    };
    let differing = |key: &&StateKey| !values(key).windows(2).all(|pair| pair[0] == pair[1]);
    keys.into_iter()
        .filter(differing)
        .map(|key| (key.clone(), values(key)))
        .collect()
}

fn ours(room: &Room, states: &[State]) -> State {
    let conflicted = difference(states);
    let forks = Forks {
        room,
        states,
        lookups: Cell::new(0),
    };
    let resolved = resolve(room.version, &conflicted, &forks).unwrap();
    assert!(
        forks.lookups.get() <= room.events.len(),
        "every event is looked up once at most"
    );
    let mut state: State = states[0]
        .iter()
        .filter(|(key, _)| !conflicted.contains_key(*key))
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    state.extend(resolved);
    state
}

/// Paths between conflicted events by the definition: what a conflicted event reaches and what reaches one.
fn subgraph(room: &Room, conflicted: &BTreeSet<EventId>) -> BTreeSet<EventId> {
    let below = |id: &EventId| {
        let state = State::from([((String::new(), String::new()), id.clone())]);
        let mut chain = room.auth_chain(&state);
        chain.insert(id.clone());
        chain
    };
    let reached: BTreeSet<EventId> = conflicted.iter().flat_map(below).collect();
    reached
        .into_iter()
        .filter(|id| !below(id).is_disjoint(conflicted))
        .collect()
}

fn theirs(room: &Room, states: &[State]) -> State {
    let rules = ruma_rules(room.version);
    let map = |state: &State| -> RumaState {
        state
            .iter()
            .map(|((kind, key), id)| ((kind.as_str().into(), key.clone()), ruma_id(id)))
            .collect()
    };
    let maps: Vec<RumaState> = states.iter().map(map).collect();
    let chains = states
        .iter()
        .map(|state| room.auth_chain(state).iter().map(ruma_id).collect())
        .collect();
    let ids = |map: &state_res::StateMap<Vec<_>>| -> BTreeSet<EventId> {
        map.values()
            .flatten()
            .map(|id: &ruma::OwnedEventId| EventId::parse(id.as_str()).unwrap())
            .collect()
    };
    let resolved = state_res::resolve(
        &rules.authorization,
        rules.state_res.v2_rules().unwrap(),
        maps.iter(),
        chains,
        |id| room.pdus.get(id.as_str()),
        |conflicted| Some(subgraph(room, &ids(conflicted)).iter().map(ruma_id).collect()),
    );
    let resolved = resolved.unwrap().into_iter();
    resolved
        .map(|((kind, key), id)| ((kind.to_string(), key), EventId::parse(id.as_str()).unwrap()))
        .collect()
}

/// Everything that is needed to understand a disagreement.
fn report(room: &Room, states: &[State]) -> String {
    let events = room
        .events
        .values()
        .map(|known| format!("{} {}\n", known.event.event_id(), known.event.json()));
    let states = states.iter().map(|state| format!("fork {state:?}\n"));
    events.chain(states).collect()
}

/// Forks a room, lets each branch grow, resolves, and goes on from there.
fn check_room(seed: u64) -> usize {
    let version = VERSIONS[usize::try_from(seed).unwrap() % VERSIONS.len()];
    let mut room = Room::new(version, seed);
    let mut base = room.found();
    let mut differing = 0;
    for round in 0..ROUNDS {
        let forks = 2 + if room.rng.one_in(3) {
            room.rng.below(9)
        } else {
            room.rng.below(2)
        };
        let mut states = Vec::new();
        for _ in 0..forks {
            let mut state = base.clone();
            for _ in 0..1 + room.rng.below(6) {
                let wish = room.wish(&state);
                room.add(&mut state, wish, &[EventId::parse("$prev").unwrap()]);
            }
            states.push(state);
        }
        // A fork may lack what the others have, as after a gap.
        if room.rng.one_in(4) {
            let lost = room.rng.pick(&base.keys().cloned().collect::<Vec<_>>()).clone();
            if lost.0 != "m.room.create" && lost.0 != "m.room.join_rules" {
                states[0].remove(&lost);
            }
        }
        let resolved = ours(&room, &states);
        let theirs = theirs(&room, &states);
        let report = || report(&room, &states);
        assert_eq!(
            resolved,
            theirs,
            "seed {seed}, version {version}, round {round}
{}",
            report()
        );
        states.reverse();
        assert_eq!(
            resolved,
            ours(&room, &states),
            "seed {seed}: the order of forks must not matter"
        );
        differing += usize::from(states.iter().any(|state| *state != resolved));
        // Where a reset has lost the join rules, we take the room for one that needs an invite, as Synapse does; ruma
        // refuses every join.
        if !resolved.contains_key(&("m.room.join_rules".to_owned(), String::new())) {
            break;
        }
        base = resolved;
    }
    differing
}

#[test]
fn resolution_is_the_same_as_rumas() {
    let first = setting("SELVAGE_ORACLE_SEED", 0);
    let graphs = setting("SELVAGE_ORACLE_GRAPHS", 2_100);
    let differing: usize = (first..first + graphs).map(check_room).sum();
    let rounds = usize::try_from(graphs).unwrap() * ROUNDS;
    assert!(
        differing * 2 > rounds,
        "only {differing} of {rounds} rounds had anything to resolve"
    );
}
