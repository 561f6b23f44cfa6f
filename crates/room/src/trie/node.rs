//! Nodes, and the rule that says which entries make a bucket.

use super::{
    NodeId,
    event_id::PackedId,
    key::{Slot, Slotted},
};

/// The most entries of a bucket, unless their keys collide.
pub const BUCKET_MAX_ENTRIES: usize = 16;
/// The most bytes of a bucket's entries (types, state keys and packed event ids), unless their keys collide. It bounds
/// what a state event writes in a room whose members chose the longest names.
pub const BUCKET_MAX_BYTES: usize = 4_096;

/// One entry of a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub(super) slot: Slot,
    pub(super) event: PackedId,
}

impl Entry {
    /// The event's type.
    #[must_use]
    pub fn event_type(&self) -> &str {
        &self.slot.event_type
    }

    /// The event's state key.
    #[must_use]
    pub fn state_key(&self) -> &str {
        &self.slot.state_key
    }

    /// The event's id.
    #[must_use]
    pub fn event_id(&self) -> String {
        self.event.event_id()
    }

    fn packed_bytes(&self) -> usize {
        self.slot.event_type.len() + self.slot.state_key.len() + self.event.packed_bytes()
    }
}

impl Slotted for Entry {
    fn slot(&self) -> &Slot {
        &self.slot
    }
}

/// A node, decoded: what a cache holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// Entries, sorted.
    Bucket(Bucket),
    /// Subtrees by digit.
    Branch(Branch),
}

/// Entries, sorted by slot: those of which [`fits_bucket`] is true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    pub(super) entries: Vec<Entry>,
}

/// The digits that all keys below share, then subtrees by the digit that follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch {
    pub(super) skip: Vec<u8>,
    /// At least two, ascending by digit.
    pub(super) children: Vec<(u8, Child)>,
}

/// How a branch refers to a node below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Child {
    pub(super) id: NodeId,
    /// How many entries lie in it and below.
    pub(super) entries: u64,
}

impl Node {
    /// How many entries lie in it and below.
    #[must_use]
    pub fn entry_count(&self) -> u64 {
        match self {
            Self::Bucket(bucket) => bucket.entries.len() as u64,
            Self::Branch(branch) => branch
                .children
                .iter()
                .fold(0, |sum, (_, child)| sum.saturating_add(child.entries)),
        }
    }

    /// The nodes that it refers to: who marks the nodes in use, or copies a state, goes on with these.
    pub fn child_ids(&self) -> impl Iterator<Item = NodeId> {
        let children = match self {
            Self::Bucket(_) => &[],
            Self::Branch(branch) => branch.children.as_slice(),
        };
        children.iter().map(|(_, child)| child.id)
    }

    /// About how much memory it takes, in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        match self {
            Self::Bucket(bucket) => bucket
                .entries
                .iter()
                .map(|entry| size_of::<Entry>() + entry.packed_bytes())
                .sum::<usize>(),
            Self::Branch(branch) => size_of_val(branch.children.as_slice()) + branch.skip.len(),
        }
    }
}

impl Bucket {
    pub(super) fn find(&self, slot: &Slot) -> Option<&Entry> {
        let at = self.entries.binary_search_by(|entry| entry.slot.cmp(slot)).ok()?;
        self.entries.get(at)
    }
}

impl Branch {
    pub(super) fn child(&self, digit: u8) -> Option<Child> {
        let at = self
            .children
            .binary_search_by_key(&digit, |(digit, _)| *digit)
            .ok()?;
        self.children.get(at).map(|(_, child)| *child)
    }
}

/// Whether these entries, sorted, are a bucket: the whole of the shape's canon, for what is no bucket is a branch.
pub(super) fn fits_bucket(entries: &[Entry]) -> bool {
    let few = entries.len() <= BUCKET_MAX_ENTRIES;
    let small = || entries.iter().map(Entry::packed_bytes).sum::<usize>() <= BUCKET_MAX_BYTES;
    let collide =
        || entries.first().map(|entry| entry.slot.key) == entries.last().map(|entry| entry.slot.key);
    (few && small()) || collide()
}
