//! The shape is a function of the entries.

use super::*;

#[test]
fn no_entries_have_the_empty_root_and_no_node() {
    let mut store = Memory::default();
    let state = State::EMPTY
        .set(&mut store, "m.room.name", "", &event_id(1))
        .unwrap();
    assert_ne!(state, State::EMPTY);
    assert_eq!(state.remove(&mut store, "m.room.name", "").unwrap(), State::EMPTY);
    store.take_counts();
    assert_eq!(State::EMPTY.apply(&mut store, Vec::new()).unwrap(), State::EMPTY);
    assert_eq!(
        State::EMPTY.remove(&mut store, "m.room.name", "").unwrap(),
        State::EMPTY
    );
    assert_eq!(store.take_counts(), Counts::default());
}

#[test]
fn any_order_and_any_batches_give_one_root() {
    with_every_mask(|| {
        let mut entries = room(300);
        let mut store = Memory::default();
        let whole = state_of(&mut store, &entries);
        let mut random = Random(11);
        for batch in [1, 7, 100] {
            random.shuffle(&mut entries);
            let mut state = State::EMPTY;
            for piece in entries.chunks(batch) {
                state = state.apply(&mut store, changes(piece)).unwrap();
            }
            assert_eq!(state, whole, "in batches of {batch}");
        }
        assert_eq!(whole.check(&store).unwrap(), entries.len() as u64);
    });
}

#[test]
fn removing_what_was_set_gives_the_earlier_roots() {
    with_every_mask(|| {
        let mut store = Memory::default();
        let mut entries = room(120);
        Random(5).shuffle(&mut entries);
        let mut states = vec![State::EMPTY];
        for (event_type, key, id) in &entries {
            let next = states
                .last()
                .unwrap()
                .set(&mut store, event_type, key, id)
                .unwrap();
            states.push(next);
        }
        for (event_type, key, _) in entries.iter().rev() {
            let last = states.pop().unwrap();
            assert_eq!(
                last.remove(&mut store, event_type, key).unwrap(),
                *states.last().unwrap()
            );
        }
        assert_eq!(states, [State::EMPTY]);
    });
}

#[test]
fn the_last_change_of_a_batch_to_one_slot_counts() {
    let mut store = Memory::default();
    let set = |number| Change::set("m.room.topic", "", &event_id(number)).unwrap();
    let remove = || Change::remove("m.room.topic", "").unwrap();
    let cases = [
        (vec![set(1), set(2)], Some(2)),
        (vec![set(2), remove(), set(1)], Some(1)),
        (vec![remove(), set(1), remove()], None),
    ];
    for (changes, expected) in cases {
        let state = State::EMPTY.apply(&mut store, changes).unwrap();
        assert_eq!(
            state.get(&store, "m.room.topic", "").unwrap(),
            expected.map(event_id)
        );
    }
}

#[test]
fn a_change_that_changes_nothing_writes_nothing() {
    with_every_mask(|| {
        let mut store = Memory::default();
        let entries = room(400);
        let state = state_of(&mut store, &entries);
        store.take_counts();
        assert_eq!(state.apply(&mut store, changes(&entries[..200])).unwrap(), state);
        let absent = (0..50).map(|at| Change::remove("m.room.member", &user(9_000 + at)).unwrap());
        assert_eq!(state.apply(&mut store, absent.collect()).unwrap(), state);
        assert_eq!(store.take_counts().written, 0);
        // All keys of one type: the root skips digits that other types do not share.
        let members = state_of(&mut store, &entries[14..]);
        store.take_counts();
        assert_eq!(members.remove(&mut store, "m.room.topic", "").unwrap(), members);
        assert_eq!(store.take_counts().written, 0);
    });
}

/// A bucket is full by number of entries or by bytes, and shrinks back from either.
#[test]
fn buckets_split_at_their_limits() {
    let nodes = |entries: &[(String, String, String)]| {
        let mut store = Memory::default();
        let state = state_of(&mut store, entries);
        assert_eq!(state.check(&store).unwrap(), entries.len() as u64);
        store.nodes.len()
    };
    let short = |count: usize| {
        (0..count)
            .map(|at| ("t".to_owned(), user(at), event_id(at)))
            .collect::<Vec<_>>()
    };
    assert_eq!(nodes(&short(BUCKET_MAX_ENTRIES)), 1);
    assert!(nodes(&short(BUCKET_MAX_ENTRIES + 1)) > 1);
    // Two entries of a type of 1 byte and an event id of 32 stored bytes, that fill a bucket to the byte.
    let half = BUCKET_MAX_BYTES / 2 - 33;
    let long = |extra: usize| {
        let keys = ["a".repeat(half), "b".repeat(half + extra)];
        keys.map(|key| ("t".to_owned(), key, event_id(1))).to_vec()
    };
    assert_eq!(nodes(&long(0)), 1);
    assert_eq!(nodes(&long(1)), 3);
    // One entry is a bucket however long it is.
    let longest = "x".repeat(FIELD_MAX_BYTES);
    assert_eq!(nodes(&[(longest.clone(), longest.clone(), longest)]), 1);
}

#[test]
fn heavy_branches_become_buckets_again() {
    let mut store = Memory::default();
    let long = |at: usize| format!("{at}{}", "y".repeat(1_000));
    let mut states = vec![State::EMPTY];
    for at in 0..10 {
        let next = states
            .last()
            .unwrap()
            .set(&mut store, "t", &long(at), &event_id(at))
            .unwrap();
        assert_eq!(next.check(&store).unwrap(), at as u64 + 1);
        states.push(next);
    }
    // Replacing event ids by longer ones makes a bucket a branch, and back.
    let text = "$".repeat(200);
    let longer = states[3]
        .set(&mut store, "t", &long(0), &"$".repeat(2_000))
        .unwrap();
    assert_eq!(
        longer.set(&mut store, "t", &long(0), &event_id(0)).unwrap(),
        states[3]
    );
    assert_eq!(
        longer.get(&store, "t", &long(0)).unwrap(),
        Some("$".repeat(2_000))
    );
    let same = states[3].set(&mut store, "t", &long(1), &text).unwrap();
    assert_eq!(same.check(&store).unwrap(), 3);
    for at in (0..10).rev() {
        let last = states.pop().unwrap();
        assert_eq!(
            last.remove(&mut store, "t", &long(at)).unwrap(),
            *states.last().unwrap()
        );
    }
}

#[test]
fn fields_longer_than_any_event_are_refused() {
    let fits = "x".repeat(FIELD_MAX_BYTES);
    let long = format!("{fits}x");
    assert!(Change::set(&fits, &fits, &fits).is_ok());
    let refused = [
        Change::set(&long, "", "$e"),
        Change::set("t", &long, "$e"),
        Change::set("t", "", &long),
        Change::remove(&long, ""),
        Change::remove("t", &long),
    ];
    for change in refused {
        assert!(matches!(change, Err(TrieError::FieldTooLong(bytes)) if bytes == FIELD_MAX_BYTES + 1));
    }
}
