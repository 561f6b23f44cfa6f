//! What the fuzz targets do with their bytes, and what must hold whatever the bytes are. The ordinary tests run the same
//! functions over the committed corpus and over mutations of it.

use std::collections::BTreeMap;

use selvage_room::trie::{Change, NodeId, NodeStore, State, StoreError, TrieError};

/// How many changes one input makes at most.
const CHANGES_MAX: usize = 400;

/// Nodes in memory.
#[derive(Clone, Default)]
struct Memory(BTreeMap<NodeId, Vec<u8>>);

impl NodeStore for Memory {
    fn get(&self, id: NodeId) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.0.get(&id).cloned())
    }

    fn put(&mut self, id: NodeId, bytes: &[u8]) -> Result<(), StoreError> {
        self.0.insert(id, bytes.to_vec());
        Ok(())
    }
}

/// (type, state key) -> event id.
type Model = BTreeMap<(String, String), String>;

fn listed(store: &Memory, state: State) -> Result<Model, TrieError> {
    let entry = |entry: Result<selvage_room::trie::Entry, TrieError>| {
        let entry = entry?;
        let key = (entry.event_type().to_owned(), entry.state_key().to_owned());
        Ok((key, entry.event_id()))
    };
    state.entries(store)?.map(entry).collect()
}

fn built(store: &mut Memory, model: &Model) -> State {
    let set = |((kind, key), id): (&(String, String), &String)| Change::set(kind, key, id);
    let changes = model.iter().map(set).collect::<Result<Vec<_>, _>>();
    let changes = changes.expect("what was read fits");
    State::EMPTY.apply(store, changes).expect("a whole store")
}

/// Bytes taken for a stored node: every use of it ends, in an answer or in an error; and a state that passes its check is
/// the one that its entries make.
pub fn node(data: &[u8]) {
    let mut store = Memory::default();
    let id = NodeId::of(data);
    store.0.insert(id, data.to_vec());
    let state = State::from_root(id);
    let _ = state.get(&store, "m.room.member", "@a:b");
    let _ = state.entry_count_of_type(&store, "m.room.member");
    let _ = state.set(&mut store.clone(), "m.room.member", "@a:b", "$c");
    let _ = state.remove(&mut store.clone(), "m.room.member", "@a:b");
    let ends =
        |differences: selvage_room::trie::Differences<'_>| differences.take_while(Result::is_ok).count();
    let _ = state.difference(&store, State::EMPTY).map(ends);
    let of_type = state.entries_of_type(&store, "m.room.member", Some("@a:b"));
    let _ = of_type.map(|entries| entries.take_while(Result::is_ok).count());
    let entries = listed(&store, state);
    if let Ok(count) = state.check(&store) {
        let model = entries.expect("a state that passes its check can be read");
        assert_eq!(model.len() as u64, count);
        assert_eq!(built(&mut store, &model), state, "a state has one shape");
    }
}

/// Pairs of bytes taken for changes of two states, which are held against maps: what they say, that they are equal exactly
/// when their names are, and what they differ in.
pub fn changes(data: &[u8]) {
    let mut store = Memory::default();
    let mut states = [(State::EMPTY, Model::new()), (State::EMPTY, Model::new())];
    for pair in data.chunks_exact(2).take(CHANGES_MAX) {
        let (what, id) = (pair[0], pair[1]);
        let (state, model) = &mut states[usize::from(what >> 7)];
        *state = step(&mut store, *state, model, what & 0x7f, id);
    }
    for (state, model) in &states {
        assert_eq!(listed(&store, *state).expect("a whole store"), *model);
        assert_eq!(state.check(&store).ok(), Some(model.len() as u64));
        assert_eq!(built(&mut store.clone(), model), *state, "a state has one shape");
    }
    differ(&store, &states);
}

/// Sets or removes the entry of one of a few types and keys.
fn step(store: &mut Memory, state: State, model: &mut Model, what: u8, id: u8) -> State {
    let kind = ["m.room.member", "m.room.member", "m.room.topic", ""][usize::from(what % 4)];
    let key = match what / 4 {
        0 => String::new(),
        31 => "long".repeat(200),
        number => format!("@user{number}:example.org"),
    };
    let place = (kind.to_owned(), key);
    let next = if id == 0 {
        model.remove(&place);
        state.remove(store, kind, &place.1)
    } else {
        let id = if id.is_multiple_of(2) {
            format!(
                "${}",
                "A".repeat(41) + ["AA", "BA", "CA", "DA"][usize::from(id / 2 % 4)]
            )
        } else {
            format!("${id}:example.org")
        };
        model.insert(place.clone(), id.clone());
        state.set(store, kind, &place.1, &id)
    };
    next.expect("a whole store")
}

fn differ(store: &Memory, [(left, of_left), (right, of_right)]: &[(State, Model); 2]) {
    let mut found = BTreeMap::new();
    for difference in left.difference(store, *right).expect("a whole store") {
        let difference = difference.expect("a whole store");
        assert_ne!(difference.left, difference.right);
        let key = (
            difference.event_type.to_string(),
            difference.state_key.to_string(),
        );
        let earlier = found.insert(key, (difference.left, difference.right));
        assert!(earlier.is_none(), "a key comes once");
    }
    let keys = of_left.keys().chain(of_right.keys());
    let of_key = |key: &(String, String)| (of_left.get(key).cloned(), of_right.get(key).cloned());
    let expected: BTreeMap<_, _> = keys
        .map(|key| (key.clone(), of_key(key)))
        .filter(|(_, (left, right))| left != right)
        .collect();
    assert_eq!(found, expected);
    assert_eq!(
        left == right,
        expected.is_empty(),
        "states are equal when their names are"
    );
}
