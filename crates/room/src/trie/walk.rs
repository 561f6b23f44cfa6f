//! Reading many entries, in order, from any entry on.

use std::{cmp::Ordering, sync::Arc, vec};

use super::{
    Entry, Node, NodeId, NodeStore, TrieError,
    key::{Slot, TYPE_LEVELS, TypeHash},
    node::{Branch, Child},
    store::{load_child, load_root},
};

/// Entries of a state in the order of [`super::order_key`], read as they are asked for. After an error it ends.
pub struct Entries<'s> {
    store: &'s dyn NodeStore,
    /// What is still to be entered; the last is next.
    stack: Vec<Pending>,
    ready: vec::IntoIter<Entry>,
    /// Only entries after this one.
    after: Option<Slot>,
    /// Only entries of this type.
    event_type: Option<Arc<str>>,
}

struct Pending {
    child: Child,
    level: usize,
    /// Whether the digits before `level` are those of `after`; otherwise all below comes after it.
    edge: bool,
}

impl<'s> Entries<'s> {
    pub(super) fn all(store: &'s dyn NodeStore, root: NodeId) -> Result<Self, TrieError> {
        let mut entries = Self::none(store);
        if let Some(node) = load_root(store, root)? {
            entries.enter(&node, 0, false);
        }
        Ok(entries)
    }

    pub(super) fn of_type(
        store: &'s dyn NodeStore,
        root: NodeId,
        event_type: &str,
        after: Option<&str>,
    ) -> Result<Self, TrieError> {
        let mut entries = Self::none(store);
        entries.after = after.map(|state_key| Slot::new(event_type, state_key));
        entries.event_type = Some(event_type.into());
        if let Some((node, level)) = locate(store, root, TypeHash::of(event_type))? {
            entries.enter(&node, level, true);
        }
        Ok(entries)
    }

    fn none(store: &'s dyn NodeStore) -> Self {
        Self {
            store,
            stack: Vec::new(),
            ready: Vec::new().into_iter(),
            after: None,
            event_type: None,
        }
    }

    fn enter(&mut self, node: &Node, level: usize, edge: bool) {
        match node {
            Node::Bucket(bucket) => {
                let wanted = bucket.entries.iter().filter(|entry| self.wants(&entry.slot));
                self.ready = wanted.cloned().collect::<Vec<_>>().into_iter();
            }
            Node::Branch(branch) => self.enter_branch(branch, level, edge),
        }
    }

    fn wants(&self, slot: &Slot) -> bool {
        self.after.as_ref().is_none_or(|after| slot > after)
            && self
                .event_type
                .as_ref()
                .is_none_or(|event_type| slot.event_type == *event_type)
    }

    fn enter_branch(&mut self, branch: &Branch, level: usize, edge: bool) {
        let at = level + branch.skip.len();
        let after = self.after.as_ref().filter(|_| edge).map(|after| after.key);
        let way = after.map(|key| {
            (
                branch
                    .skip
                    .iter()
                    .copied()
                    .cmp(key.digits(level).take(branch.skip.len())),
                key,
            )
        });
        let edge = match way {
            Some((Ordering::Less, _)) => return,
            Some((Ordering::Equal, key)) => Some(key.digit(at)),
            Some((Ordering::Greater, _)) | None => None,
        };
        let ahead = branch
            .children
            .iter()
            .rev()
            .filter(|(digit, _)| edge.is_none_or(|edge| *digit >= edge));
        self.stack.extend(ahead.map(|(digit, child)| Pending {
            child: *child,
            level: at + 1,
            edge: edge == Some(*digit),
        }));
    }
}

impl Iterator for Entries<'_> {
    type Item = Result<Entry, TrieError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(entry) = self.ready.next() {
                return Some(Ok(entry));
            }
            let Pending { child, level, edge } = self.stack.pop()?;
            match load_child(self.store, child, level) {
                Ok(node) => self.enter(&node, level, edge),
                Err(error) => {
                    self.stack.clear();
                    return Some(Err(error));
                }
            }
        }
    }
}

/// The highest node that holds all entries of a type and, unless it is a bucket, no others; and the level at which it
/// begins, which is none beyond the type's digits.
pub(super) fn locate(
    store: &dyn NodeStore,
    root: NodeId,
    hash: TypeHash,
) -> Result<Option<(Arc<Node>, usize)>, TrieError> {
    let Some(mut node) = load_root(store, root)? else {
        return Ok(None);
    };
    let mut level = 0;
    loop {
        let Node::Branch(branch) = &*node else {
            return Ok(Some((node, level)));
        };
        if !branch
            .skip
            .iter()
            .zip(level..TYPE_LEVELS)
            .all(|(digit, level)| *digit == hash.digit(level))
        {
            return Ok(None);
        }
        let at = level + branch.skip.len();
        if at >= TYPE_LEVELS {
            return Ok(Some((node, level)));
        }
        let Some(child) = branch.child(hash.digit(at)) else {
            return Ok(None);
        };
        level = at + 1;
        node = load_child(store, child, level)?;
    }
}
