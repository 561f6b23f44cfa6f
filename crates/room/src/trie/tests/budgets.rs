//! Counts at 100,000 members, against the budgets.

use super::*;

const MEMBERS: usize = 100_000;
/// What a state event may write in such a room, in bytes.
const STATE_EVENT_MAX_BYTES: usize = 16_384;
/// The nodes on a way from the root to a bucket in such a room: O(log n).
const WAY_MAX_NODES: usize = 6;
/// What the difference of two such states that differ in 100 entries may read, in nodes.
const DIFFERENCE_MAX_NODES: usize = 1_000;

/// The state of a large room, put together in sorted pieces as a join does it.
fn large_room(store: &mut Memory) -> (State, Counts) {
    let mut entries = room(MEMBERS);
    entries.sort_by_cached_key(|(event_type, key, _)| order_key(event_type, key));
    store.take_counts();
    let mut state = State::EMPTY;
    for piece in entries.chunks(5_000) {
        state = state.apply(store, changes(piece)).unwrap();
    }
    (state, store.take_counts())
}

fn reached(store: &Memory, id: NodeId) -> usize {
    let node = store::load_root(store, id).unwrap().unwrap();
    1 + node.child_ids().map(|child| reached(store, child)).sum::<usize>()
}

#[test]
fn a_large_room_keeps_the_budgets() {
    let mut store = Memory::default();
    let (state, built) = large_room(&mut store);
    building_in_sorted_pieces_writes_little_twice(&store, state, built);
    state_events_write_little(&mut store, state);
    differences_read_in_proportion(&mut store, state);
    reading_is_bounded(&store, state);
}

fn building_in_sorted_pieces_writes_little_twice(store: &Memory, state: State, built: Counts) {
    let nodes = reached(store, state.root());
    println!("{MEMBERS} members: {nodes} nodes; {built:?}");
    assert!(nodes <= MEMBERS / 2);
    // 21 pieces, and a way of nodes between each two.
    assert!(built.written <= nodes + 21 * WAY_MAX_NODES);
    assert!(built.written_bytes <= 100 * MEMBERS);
}

fn state_events_write_little(store: &mut Memory, state: State) {
    let mut random = Random(1);
    let (mut most, mut sum) = (Counts::default(), Counts::default());
    for at in 0..1_000 {
        let (event_type, key) = match at % 4 {
            0 => ("m.room.topic", String::new()),
            1 => ("m.room.member", user(MEMBERS + at)),
            _ => ("m.room.member", user(random.below(MEMBERS))),
        };
        store.take_counts();
        let next = state.set(store, event_type, &key, &event_id(at)).unwrap();
        let counts = store.take_counts();
        assert_ne!(next, state);
        assert!(counts.written_bytes <= STATE_EVENT_MAX_BYTES && counts.read <= WAY_MAX_NODES);
        // A bucket that overflows adds its parts to the way.
        assert!(counts.written <= WAY_MAX_NODES + BUCKET_MAX_ENTRIES + 1);
        most.written = most.written.max(counts.written);
        most.written_bytes = most.written_bytes.max(counts.written_bytes);
        sum.written += counts.written;
        sum.written_bytes += counts.written_bytes;
    }
    println!(
        "a state event: at most {most:?}; on average {} nodes, {} bytes",
        sum.written / 1_000,
        sum.written_bytes / 1_000
    );
    assert!(sum.written <= WAY_MAX_NODES * 1_000);
    assert!(sum.written_bytes <= STATE_EVENT_MAX_BYTES / 4 * 1_000);
}

fn differences_read_in_proportion(store: &mut Memory, state: State) {
    let mut random = Random(9);
    for count in [1, 10, 100] {
        let change = |store: &mut Memory, random: &mut Random, side: usize| {
            let names = (0..count / 2 + side).map(|_| user(random.below(MEMBERS)));
            let changes = names.map(|key| Change::set("m.room.member", &key, &event_id(side)).unwrap());
            state.apply(store, changes.collect()).unwrap()
        };
        let (left, right) = (change(store, &mut random, 1), change(store, &mut random, 0));
        store.take_counts();
        let found = left.difference(store, right).unwrap().count();
        let read = store.take_counts().read;
        println!("{found} differences: {read} nodes read");
        assert!(read <= DIFFERENCE_MAX_NODES && read <= 2 * WAY_MAX_NODES * found);
    }
}

fn reading_is_bounded(store: &Memory, state: State) {
    store.take_counts();
    assert_eq!(
        state.get(store, "m.room.member", &user(77)).unwrap(),
        Some(event_id(1_077))
    );
    assert!(store.take_counts().read <= WAY_MAX_NODES);
    assert_eq!(
        state.entry_count_of_type(store, "m.room.member").unwrap(),
        MEMBERS as u64
    );
    assert!(store.take_counts().read <= WAY_MAX_NODES);
    let page = state
        .entries_of_type(store, "m.room.member", Some(&user(5)))
        .unwrap()
        .take(500);
    assert_eq!(page.filter(Result::is_ok).count(), 500);
    // About three members lie in a bucket of a room of this size.
    assert!(store.take_counts().read <= 300);
}

/// Members with the longest names that rooms allow, and events of room version 1 with the longest ids.
#[test]
fn long_names_keep_the_budget() {
    let long = |text: String| format!("{text:x<255}");
    let set = |at: usize| {
        let (key, id) = (long(format!("@{at}:")), long(format!("${at}:")));
        Change::set(&long("org.example.".to_owned()), &key, &id).unwrap()
    };
    let mut store = Memory::default();
    let mut state = State::EMPTY
        .apply(&mut store, (0..3_000).map(set).collect())
        .unwrap();
    let mut most_bytes = 0;
    for at in 3_000..4_000 {
        store.take_counts();
        state = state.apply(&mut store, vec![set(at)]).unwrap();
        most_bytes = most_bytes.max(store.take_counts().written_bytes);
    }
    println!("with long names a state event writes at most {most_bytes} bytes");
    assert!(most_bytes <= STATE_EVENT_MAX_BYTES);
    assert!(
        store
            .nodes
            .values()
            .all(|node| node.len() <= BUCKET_MAX_BYTES + 16 * 9 + 2)
    );
}
