//! Stores that fail, lose nodes or hold other bytes.

use super::{encode::encode, node::Branch, node::Bucket, node::Child, *};

/// A way to read or change a state to its end.
type Use = fn(&mut Memory, State) -> Result<(), TrieError>;

const USES: [Use; 6] = [
    |store, state| state.get(store, "m.room.member", &user(1)).map(drop),
    |store, state| state.set(store, "m.room.member", &user(1), "$other").map(drop),
    |store, state| state.entries(store)?.try_for_each(|entry| entry.map(drop)),
    |store, state| {
        state
            .entries_of_type(store, "m.room.member", None)?
            .try_for_each(|entry| entry.map(drop))
    },
    |store, state| {
        state
            .difference(store, State::EMPTY)?
            .try_for_each(|difference| difference.map(drop))
    },
    |store, state| state.check(store).map(drop),
];

/// Each use of a state must fail as expected once `damage` has been done to every node but the root, and to the root.
fn fails(damage: impl Fn(&mut Memory, NodeId), expected: impl Fn(&TrieError) -> bool) {
    let mut whole = Memory::default();
    let state = state_of(&mut whole, &room(100));
    for spared in [Some(state.root()), None] {
        for (at, act) in USES.iter().enumerate() {
            let mut store = Memory {
                nodes: whole.nodes.clone(),
                ..Memory::default()
            };
            let ids: Vec<NodeId> = whole
                .nodes
                .keys()
                .copied()
                .filter(|id| Some(*id) != spared)
                .collect();
            ids.into_iter().for_each(|id| damage(&mut store, id));
            let error = act(&mut store, state).unwrap_err();
            assert!(expected(&error), "use {at}: {error}");
        }
    }
}

#[test]
fn missing_nodes_are_reported() {
    fails(
        |store, id| drop(store.nodes.remove(&id)),
        |error| matches!(error, TrieError::Missing(_)),
    );
}

#[test]
fn changed_bytes_are_reported() {
    let damage = |store: &mut Memory, id: NodeId| *store.nodes.get_mut(&id).unwrap().last_mut().unwrap() ^= 1;
    fails(damage, |error| matches!(error, TrieError::Damaged(_)));
}

#[test]
fn iterations_end_at_an_error() {
    let mut store = Memory::default();
    let state = state_of(&mut store, &room(100));
    store.nodes.retain(|id, _| *id == state.root());
    assert_eq!(state.entries(&store).unwrap().count(), 1);
    assert_eq!(state.difference(&store, State::EMPTY).unwrap().count(), 1);
}

#[test]
fn a_store_that_fails_is_reported_with_its_error() {
    struct Full;
    impl NodeStore for Full {
        fn get(&self, _: NodeId) -> Result<Option<Vec<u8>>, StoreError> {
            Ok(None)
        }
        fn put(&mut self, _: NodeId, _: &[u8]) -> Result<(), StoreError> {
            Err(std::fmt::Error.into())
        }
    }
    let error = State::EMPTY.set(&mut Full, "t", "", "$e").unwrap_err();
    assert!(matches!(error, TrieError::Store(error) if error.downcast_ref() == Some(&std::fmt::Error)));
}

#[test]
fn unknown_versions_are_reported() {
    let mut store = Memory::default();
    let id = NodeId::of(&[9, 9]);
    store.nodes.insert(id, vec![9, 9]);
    let error = State::from_root(id).entry_count(&store).unwrap_err();
    assert!(matches!(error, TrieError::Unreadable(_, DecodeError::Format)));
}

fn stored(store: &mut Memory, node: &Node) -> Child {
    let bytes = encode(node);
    let id = NodeId::of(&bytes);
    store.nodes.insert(id, bytes);
    Child {
        id,
        entries: node.entry_count(),
    }
}

fn bucket(names: &[usize]) -> Node {
    let mut changes: Vec<Change> = names
        .iter()
        .map(|at| Change::set("t", &user(*at), "$e").unwrap())
        .collect();
    changes.sort_by(|a, b| a.slot.cmp(&b.slot));
    let entries = changes.into_iter().map(|change| Entry {
        slot: change.slot,
        event: change.event.unwrap(),
    });
    Node::Bucket(Bucket {
        entries: entries.collect(),
    })
}

fn checked(store: &mut Memory, skip: Vec<u8>, children: Vec<(u8, Child)>) -> Result<u64, TrieError> {
    let root = stored(store, &Node::Branch(Branch { skip, children }));
    State::from_root(root.id).check(store)
}

/// Well-formed nodes that no change of a state would have put together.
#[test]
fn nodes_out_of_place_are_reported() {
    let mut store = Memory::default();
    let small = stored(&mut store, &bucket(&[1, 2]));
    let full = stored(&mut store, &bucket(&(0..16).collect::<Vec<_>>()));
    let nested = stored(
        &mut store,
        &Node::Branch(Branch {
            skip: vec![0; 40],
            children: vec![(0, full), (1, full)],
        }),
    );
    let cases = [
        (vec![], vec![(0, small), (1, small)], Inconsistency::Shape),
        (vec![], vec![(0, full), (1, full)], Inconsistency::Place),
        (
            vec![],
            vec![(0, Child { entries: 17, ..full }), (1, full)],
            Inconsistency::Count,
        ),
        (vec![0; 40], vec![(0, nested), (1, nested)], Inconsistency::Depth),
    ];
    for (skip, children, expected) in cases {
        let error = checked(&mut store, skip, children).unwrap_err();
        assert!(
            matches!(error, TrieError::Inconsistent(_, found) if found == expected),
            "{error}"
        );
    }
}
