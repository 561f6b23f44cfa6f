//! Reading by type, in pages, and through a cache.

use super::*;

fn page(store: &Memory, state: State, event_type: &str, after: Option<&str>, limit: usize) -> Vec<Entry> {
    let entries = state.entries_of_type(store, event_type, after).unwrap();
    entries.take(limit).collect::<Result<_, _>>().unwrap()
}

/// All entries of a type in pages, each page from the state that `states` gives for it.
fn paged(store: &Memory, states: impl Fn(usize) -> State, event_type: &str, limit: usize) -> Vec<Entry> {
    let mut all: Vec<Entry> = Vec::new();
    for number in 0.. {
        let after = all.last().map(|last| last.state_key().to_owned());
        let page = page(store, states(number), event_type, after.as_deref(), limit);
        assert!(page.len() <= limit);
        if page.is_empty() {
            break;
        }
        all.extend(page);
    }
    all
}

#[test]
fn entries_come_in_the_order_of_their_keys() {
    let mut store = Memory::default();
    let state = state_of(&mut store, &room(700));
    let keys: Vec<_> = state
        .entries(&store)
        .unwrap()
        .map(|entry| {
            entry
                .map(|entry| order_key(entry.event_type(), entry.state_key()))
                .unwrap()
        })
        .collect();
    assert_eq!(keys.len(), 714);
    assert!(keys.is_sorted());
}

#[test]
fn a_type_is_read_whole_and_alone() {
    with_every_mask(|| {
        let mut store = Memory::default();
        for members in [0, 1, 3, 15, 40, 900] {
            let state = state_of(&mut store, &room(members));
            let found = page(&store, state, "m.room.member", None, usize::MAX);
            let keys: std::collections::BTreeSet<_> =
                found.iter().map(|entry| entry.state_key().to_owned()).collect();
            assert_eq!(keys, (0..members).map(user).collect());
            assert_eq!(found.len(), members);
            assert!(found.iter().all(|entry| entry.event_type() == "m.room.member"));
            assert_eq!(page(&store, state, "m.room.topic", None, 10).len(), 1);
            assert_eq!(page(&store, state, "m.room.unheard_of", None, 10).len(), 0);
        }
    });
}

#[test]
fn types_are_counted_without_reading_their_entries() {
    let mut store = Memory::default();
    for members in [0, 1, 3, 15, 40, 900] {
        let state = state_of(&mut store, &room(members));
        store.take_counts();
        assert_eq!(
            state.entry_count_of_type(&store, "m.room.member").unwrap(),
            members as u64
        );
        assert_eq!(state.entry_count_of_type(&store, "m.room.topic").unwrap(), 1);
        assert_eq!(state.entry_count_of_type(&store, "m.room.unheard_of").unwrap(), 0);
        assert_eq!(state.entry_count(&store).unwrap(), members as u64 + 14);
        assert!(store.take_counts().read <= 12);
    }
    assert_eq!(State::EMPTY.entry_count(&store).unwrap(), 0);
    assert_eq!(
        State::EMPTY.entry_count_of_type(&store, "m.room.member").unwrap(),
        0
    );
}

#[test]
fn pages_put_together_are_the_whole() {
    with_every_mask(|| {
        let mut store = Memory::default();
        for members in [1, 15, 40, 300] {
            let state = state_of(&mut store, &room(members));
            let whole = page(&store, state, "m.room.member", None, usize::MAX);
            for limit in [1, 7, 100] {
                assert_eq!(paged(&store, |_| state, "m.room.member", limit), whole);
            }
        }
    });
}

/// Members that leave and come between pages, the one named by the cursor among them, disturb nobody else's place.
#[test]
fn pages_of_different_versions_lose_and_repeat_nobody_who_stayed() {
    with_every_mask(|| {
        let mut store = Memory::default();
        let full = state_of(&mut store, &room(300));
        let odd = (0..300)
            .filter(|at| at % 2 == 1)
            .map(|at| Change::remove("m.room.member", &user(at)).unwrap());
        let halved = full.apply(&mut store, odd.collect()).unwrap();
        let states = |number: usize| if number.is_multiple_of(2) { full } else { halved };
        let found = paged(&store, states, "m.room.member", 9);
        let keys: Vec<&str> = found.iter().map(Entry::state_key).collect();
        let distinct: std::collections::BTreeSet<_> = keys.iter().collect();
        assert_eq!(distinct.len(), keys.len());
        assert!((0..300).step_by(2).all(|at| keys.contains(&user(at).as_str())));
    });
}

#[test]
fn a_page_reads_only_its_part() {
    let mut store = Memory::default();
    let state = state_of(&mut store, &room(10_000));
    let first = page(&store, state, "m.room.member", None, 5_000);
    store.take_counts();
    let next = page(
        &store,
        state,
        "m.room.member",
        Some(first.last().unwrap().state_key()),
        50,
    );
    assert_eq!(next.len(), 50);
    // 10,000 members lie about 10 in a bucket; 50 of them in 6 or so, below at most 5 branches of each edge.
    assert!(store.take_counts().read <= 20);
}

#[test]
fn a_cache_spares_reads_and_keeps_its_bound() {
    const CACHE_BYTES: usize = 100_000;
    let mut store = Memory {
        cache: Some(NodeCache::new(CACHE_BYTES)),
        ..Memory::default()
    };
    let entries = room(20);
    let state = state_of(&mut store, &entries);
    store.take_counts();
    for (event_type, key, id) in &entries {
        assert_eq!(state.get(&store, event_type, key).unwrap().as_ref(), Some(id));
    }
    assert_eq!(store.take_counts().read, 0, "what was written is in the cache");
    let large = state_of(&mut store, &room(5_000));
    assert_eq!(listed(&store, large).len(), 5_014);
    let held = store.cache.as_ref().unwrap().held_bytes();
    assert!(
        (CACHE_BYTES / 2..=CACHE_BYTES).contains(&held),
        "{held} bytes held"
    );
    store.take_counts();
    assert_eq!(listed(&store, state).len(), 34);
    assert!(
        store.take_counts().read > 0,
        "the small state was dropped for the large one"
    );
}

#[test]
fn a_cache_drops_what_was_used_longest_ago() {
    let mut store = Memory::default();
    for at in 0..3 {
        State::EMPTY
            .set(&mut store, "t", &at.to_string(), &event_id(1))
            .unwrap();
    }
    let nodes: Vec<_> = store
        .nodes
        .iter()
        .map(|(id, bytes)| (*id, Arc::new(decode::decode(bytes).unwrap())))
        .collect();
    let one = NodeCache::new(usize::MAX);
    one.insert(nodes[0].0, &nodes[0].1);
    let cache = NodeCache::new(2 * one.held_bytes());
    cache.insert(nodes[0].0, &nodes[0].1);
    cache.insert(nodes[1].0, &nodes[1].1);
    assert!(cache.get(nodes[0].0).is_some());
    cache.insert(nodes[2].0, &nodes[2].1);
    let held: Vec<bool> = nodes.iter().map(|(id, _)| cache.get(*id).is_some()).collect();
    assert_eq!(held, [true, false, true]);
    let none = NodeCache::new(one.held_bytes() - 1);
    none.insert(nodes[0].0, &nodes[0].1);
    assert_eq!((none.get(nodes[0].0), none.held_bytes()), (None, 0));
}
