//! Tests of the trie: a store in memory that counts, a generator of numbers, and the masks that make keys collide.

mod budgets;
mod codec;
mod damage;
mod difference;
mod model;
mod reading;
mod shape;

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    sync::Arc,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{key::ORDER_KEY_BYTES, key::sha256, *};

/// The bits of keys that count.
type Mask = [u8; ORDER_KEY_BYTES];

const ALL_BITS: Mask = [0xff; ORDER_KEY_BYTES];

/// Masks under which keys collide, or differ only where the way to them is long.
const POOR_MASKS: [Mask; 5] = [
    // Nothing: all entries lie at one key.
    masked(&[]),
    // The first digit of types and of state keys.
    masked(&[(0, 0xf8), (20, 0xf8)]),
    // The last bits of both halves.
    masked(&[(19, 0x03), (39, 0x1f)]),
    // State keys only, in the middle of a half and at its end.
    masked(&[(30, 0x11), (39, 0x01)]),
    // One bit in each of many digits: deep and narrow.
    masked(&[
        (0, 0x88),
        (9, 0x42),
        (19, 0x01),
        (20, 0x80),
        (25, 0x84),
        (33, 0x21),
        (39, 0x01),
    ]),
];

const fn masked(bits: &[(usize, u8)]) -> Mask {
    let mut mask = [0; ORDER_KEY_BYTES];
    let mut at = 0;
    while at < bits.len() {
        mask[bits[at].0] = bits[at].1;
        at += 1;
    }
    mask
}

thread_local! {
    static KEY_MASK: Cell<Mask> = const { Cell::new(ALL_BITS) };
}

/// The mask of this test's thread.
pub(super) fn key_mask() -> Mask {
    KEY_MASK.get()
}

/// Runs a test with real keys, then with each poor mask.
fn with_every_mask(mut test: impl FnMut()) {
    for mask in std::iter::once(ALL_BITS).chain(POOR_MASKS) {
        KEY_MASK.set(mask);
        test();
    }
    KEY_MASK.set(ALL_BITS);
}

/// What a store has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    read: usize,
    written: usize,
    written_bytes: usize,
}

/// A store in memory. Without a cache it decodes at every read, so every test exercises the codec.
#[derive(Default)]
struct Memory {
    nodes: BTreeMap<NodeId, Vec<u8>>,
    counts: RefCell<Counts>,
    cache: Option<NodeCache>,
}

impl Memory {
    /// What happened since the last call.
    fn take_counts(&self) -> Counts {
        self.counts.take()
    }
}

impl NodeStore for Memory {
    fn get(&self, id: NodeId) -> Result<Option<Vec<u8>>, StoreError> {
        self.counts.borrow_mut().read += 1;
        Ok(self.nodes.get(&id).cloned())
    }

    fn put(&mut self, id: NodeId, bytes: &[u8]) -> Result<(), StoreError> {
        let counts = self.counts.get_mut();
        counts.written += 1;
        counts.written_bytes += bytes.len();
        let earlier = self.nodes.insert(id, bytes.to_vec());
        assert!(
            earlier.is_none_or(|earlier| earlier == bytes),
            "two nodes of one id"
        );
        Ok(())
    }

    fn cached(&self, id: NodeId) -> Option<Arc<Node>> {
        self.cache.as_ref()?.get(id)
    }

    fn remember(&self, id: NodeId, node: &Arc<Node>) {
        if let Some(cache) = &self.cache {
            cache.insert(id, node);
        }
    }
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at + 1));
        }
    }
}

/// An event id as room versions 4 and later form them.
fn event_id(number: usize) -> String {
    format!("${}", URL_SAFE_NO_PAD.encode(sha256(&number.to_le_bytes())))
}

fn user(number: usize) -> String {
    format!("@user-{number}:example.org")
}

/// The state of a room: a few entries of many types, and members.
fn room(members: usize) -> Vec<(String, String, String)> {
    let types = [
        "m.room.create",
        "m.room.power_levels",
        "m.room.join_rules",
        "m.room.history_visibility",
        "m.room.name",
        "m.room.topic",
        "m.room.avatar",
        "m.room.encryption",
        "m.room.canonical_alias",
        "m.room.guest_access",
        "m.room.server_acl",
        "m.room.pinned_events",
        "m.space.parent",
        "m.space.child",
    ];
    let singles = types
        .iter()
        .enumerate()
        .map(|(at, name)| ((*name).to_owned(), String::new(), event_id(at)));
    let members = (0..members).map(|at| ("m.room.member".to_owned(), user(at), event_id(1_000 + at)));
    singles.chain(members).collect()
}

fn changes(entries: &[(String, String, String)]) -> Vec<Change> {
    entries
        .iter()
        .map(|(event_type, key, id)| Change::set(event_type, key, id).unwrap())
        .collect()
}

fn state_of(store: &mut Memory, entries: &[(String, String, String)]) -> State {
    State::EMPTY.apply(store, changes(entries)).unwrap()
}

/// All entries of a state as (type, state key) -> event id.
fn listed(store: &Memory, state: State) -> BTreeMap<(String, String), String> {
    let entries: Vec<Entry> = state.entries(store).unwrap().collect::<Result<_, _>>().unwrap();
    let count = entries.len();
    let listed: BTreeMap<_, _> = entries.iter().map(owned).collect();
    assert_eq!(listed.len(), count, "an entry came twice");
    listed
}

fn owned(entry: &Entry) -> ((String, String), String) {
    (
        (entry.event_type().to_owned(), entry.state_key().to_owned()),
        entry.event_id(),
    )
}
