//! Differences beside the naive ones.

use super::*;

fn naive(
    left: &BTreeMap<(String, String), String>,
    right: &BTreeMap<(String, String), String>,
) -> Vec<Difference> {
    let keys: std::collections::BTreeSet<_> = left.keys().chain(right.keys()).collect();
    let differing = keys.into_iter().filter(|key| left.get(*key) != right.get(*key));
    let mut differences: Vec<Difference> = differing
        .map(|key| Difference {
            event_type: key.0.as_str().into(),
            state_key: key.1.as_str().into(),
            left: left.get(key).cloned(),
            right: right.get(key).cloned(),
        })
        .collect();
    differences.sort_by_cached_key(|difference| {
        let key = order_key(&difference.event_type, &difference.state_key);
        (key, difference.event_type.clone(), difference.state_key.clone())
    });
    differences
}

fn found(store: &Memory, left: State, right: State) -> Vec<Difference> {
    left.difference(store, right)
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap()
}

/// A state that differs from this one in about `count` entries.
fn forked(store: &mut Memory, random: &mut Random, state: State, count: usize) -> State {
    let changes = (0..count).map(|_| {
        let key = user(random.below(600));
        match random.below(3) {
            0 => Change::remove("m.room.member", &key),
            1 => Change::set(
                &format!("org.example.{}", random.below(9)),
                &key,
                &event_id(random.below(50)),
            ),
            _ => Change::set("m.room.member", &key, &event_id(random.below(50))),
        }
    });
    let changes = changes.collect::<Result<_, _>>().unwrap();
    state.apply(store, changes).unwrap()
}

#[test]
fn differences_are_the_naive_ones_in_order() {
    with_every_mask(|| {
        let mut store = Memory::default();
        let mut random = Random(3);
        for members in [0, 1, 5, 16, 30, 500] {
            let base = state_of(&mut store, &room(members));
            let mut states = vec![State::EMPTY, base];
            for count in [1, 2, 20, 300] {
                states.push(forked(&mut store, &mut random, base, count));
            }
            let states: Vec<_> = states
                .into_iter()
                .map(|state| (state, listed(&store, state)))
                .collect();
            for (left, left_entries) in &states {
                for (right, right_entries) in &states {
                    assert_eq!(found(&store, *left, *right), naive(left_entries, right_entries));
                }
            }
        }
    });
}

#[test]
fn equal_states_are_not_read_at_all() {
    let mut store = Memory::default();
    let state = state_of(&mut store, &room(100));
    store.take_counts();
    assert_eq!(found(&store, state, state), []);
    assert_eq!(store.take_counts(), Counts::default());
}
