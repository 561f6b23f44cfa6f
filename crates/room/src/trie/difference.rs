//! What two states differ in.

use std::{collections::BTreeMap, sync::Arc, vec};

use super::{
    Entry, Node, NodeId, NodeStore, TrieError,
    event_id::PackedId,
    key::{Slot, by_digit},
    node::Child,
    store::{load_child, load_root},
};

/// One entry that two states do not have alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The events' type.
    pub event_type: Arc<str>,
    /// The events' state key.
    pub state_key: Arc<str>,
    /// The event id in the left state.
    pub left: Option<String>,
    /// The event id in the right state, which is another.
    pub right: Option<String>,
}

/// The differences of two states in the order of [`super::order_key`], found as they are asked for. After an error it
/// ends.
pub struct Differences<'s> {
    store: &'s dyn NodeStore,
    /// What is still to be compared; the last is next.
    stack: Vec<Pair>,
    ready: vec::IntoIter<Difference>,
}

/// The entries of both states whose keys have the same digits before `level`.
struct Pair {
    left: Side,
    right: Side,
    level: usize,
}

#[derive(Clone)]
enum Side {
    Absent,
    Stored(Child),
    /// A branch, seen from behind this many of its skipped digits.
    Branch(Arc<Node>, usize),
    Entries(Vec<Entry>),
}

impl<'s> Differences<'s> {
    pub(super) fn new(store: &'s dyn NodeStore, left: NodeId, right: NodeId) -> Result<Self, TrieError> {
        let mut stack = Vec::new();
        if left != right {
            let open = |root| load_root(store, root).map(|node| node.map_or(Side::Absent, Side::of));
            stack.push(Pair {
                left: open(left)?,
                right: open(right)?,
                level: 0,
            });
        }
        Ok(Self {
            store,
            stack,
            ready: Vec::new().into_iter(),
        })
    }

    fn compare(&mut self, Pair { left, right, level }: Pair) -> Result<(), TrieError> {
        if let (Side::Stored(left), Side::Stored(right)) = (&left, &right)
            && left == right
        {
            return Ok(());
        }
        let (left, right) = (left.opened(self.store, level)?, right.opened(self.store, level)?);
        match (left.entries(), right.entries()) {
            (Some(left), Some(right)) => self.ready = differences(left, right).into_iter(),
            _ => self.stack.extend(pairs(&left, &right, level)),
        }
        Ok(())
    }
}

impl Iterator for Differences<'_> {
    type Item = Result<Difference, TrieError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(difference) = self.ready.next() {
                return Some(Ok(difference));
            }
            let pair = self.stack.pop()?;
            if let Err(error) = self.compare(pair) {
                self.stack.clear();
                return Some(Err(error));
            }
        }
    }
}

impl Side {
    fn of(node: Arc<Node>) -> Self {
        match &*node {
            Node::Bucket(bucket) => Self::Entries(bucket.entries.clone()),
            Node::Branch(_) => Self::Branch(node, 0),
        }
    }

    fn opened(self, store: &dyn NodeStore, level: usize) -> Result<Self, TrieError> {
        match self {
            Self::Stored(child) => load_child(store, child, level).map(Self::of),
            open => Ok(open),
        }
    }

    /// The entries, when no node is left to open.
    fn entries(&self) -> Option<&[Entry]> {
        match self {
            Self::Absent => Some(&[]),
            Self::Entries(entries) => Some(entries),
            Self::Stored(_) | Self::Branch(..) => None,
        }
    }

    /// The parts of an opened side by their digit at `level`.
    fn parts(&self, level: usize) -> Vec<(u8, Self)> {
        match self {
            Self::Entries(entries) => by_digit(entries, level)
                .map(|(digit, run)| (digit, Self::Entries(run.to_vec())))
                .collect(),
            Self::Branch(node, skipped) => branch_parts(node, *skipped),
            Self::Absent | Self::Stored(_) => Vec::new(),
        }
    }
}

fn branch_parts(node: &Arc<Node>, skipped: usize) -> Vec<(u8, Side)> {
    let Node::Branch(branch) = &**node else {
        return Vec::new();
    };
    match branch.skip.get(skipped) {
        Some(digit) => vec![(*digit, Side::Branch(node.clone(), skipped + 1))],
        None => branch
            .children
            .iter()
            .map(|(digit, child)| (*digit, Side::Stored(*child)))
            .collect(),
    }
}

/// The parts of both sides that share a digit, side by side; the first digit comes last.
fn pairs(left: &Side, right: &Side, level: usize) -> impl Iterator<Item = Pair> {
    let mut pairs = BTreeMap::new();
    let absent = || Pair {
        left: Side::Absent,
        right: Side::Absent,
        level: level + 1,
    };
    for (digit, part) in left.parts(level) {
        pairs.entry(digit).or_insert_with(absent).left = part;
    }
    for (digit, part) in right.parts(level) {
        pairs.entry(digit).or_insert_with(absent).right = part;
    }
    pairs.into_values().rev()
}

fn differences(left: &[Entry], right: &[Entry]) -> Vec<Difference> {
    let mut sides: BTreeMap<&Slot, (Option<&PackedId>, Option<&PackedId>)> = BTreeMap::new();
    for entry in left {
        sides.entry(&entry.slot).or_default().0 = Some(&entry.event);
    }
    for entry in right {
        sides.entry(&entry.slot).or_default().1 = Some(&entry.event);
    }
    let differing = sides.into_iter().filter(|(_, (left, right))| left != right);
    differing
        .map(|(slot, (left, right))| Difference {
            event_type: slot.event_type.clone(),
            state_key: slot.state_key.clone(),
            left: left.map(PackedId::event_id),
            right: right.map(PackedId::event_id),
        })
        .collect()
}
