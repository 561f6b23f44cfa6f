//! Changing a state: one descent for a whole batch, and only nodes of the result are written.

use std::collections::BTreeMap;

use super::{
    BUCKET_MAX_ENTRIES, Change, Entry, Node, NodeId, NodeStore, TrieError,
    build::build,
    change::last_of_each_slot,
    key::{FAN_OUT, by_digit},
    node::{Branch, Bucket, Child},
    store::{load_child, load_root, save},
};

/// The root after these changes; of several to one slot the last counts.
pub(super) fn apply(
    store: &mut dyn NodeStore,
    root: NodeId,
    changes: Vec<Change>,
) -> Result<NodeId, TrieError> {
    let changes = last_of_each_slot(changes);
    let node = load_root(store, root)?;
    let mut update = Update { store };
    let after = match node {
        None => update.fresh(&changes, 0)?,
        Some(node) => {
            let whole = Child {
                id: root,
                entries: node.entry_count(),
            };
            update.node(whole, &node, 0, &changes)?
        }
    };
    after.map_or(Ok(NodeId::EMPTY), |subtree| Ok(update.keep(subtree)?.id))
}

/// A subtree as the update leaves it.
enum Subtree {
    /// It is stored already.
    Kept(Child),
    /// It is not written yet: its parent may merge it into another node. What is below it is written.
    Made(Node),
}

impl Subtree {
    fn entry_count(&self) -> u64 {
        match self {
            Self::Kept(child) => child.entries,
            Self::Made(node) => node.entry_count(),
        }
    }
}

/// A branch as seen from a level among its skipped digits.
#[derive(Clone, Copy)]
struct View<'a> {
    branch: &'a Branch,
    /// The skipped digits from that level on.
    skip: &'a [u8],
    /// The branch as stored, when that level is its first.
    stored: Option<Child>,
}

impl View<'_> {
    fn unchanged(self) -> Subtree {
        let made = || Branch {
            skip: self.skip.to_vec(),
            children: self.branch.children.clone(),
        };
        self.stored
            .map_or_else(|| Subtree::Made(Node::Branch(made())), Subtree::Kept)
    }

    /// How many of the skipped digits every entry to be set shares. Removals leave the way as it is.
    fn straight(self, level: usize, changes: &[Change]) -> usize {
        let shared = |change: &Change| {
            change
                .slot
                .key
                .digits(level)
                .zip(self.skip)
                .take_while(|(a, b)| a == *b)
                .count()
        };
        changes
            .iter()
            .filter(|change| change.event.is_some())
            .map(shared)
            .min()
            .unwrap_or(self.skip.len())
    }

    fn is_kept_in(self, next: &[(u8, Subtree)]) -> bool {
        let kept = |(digit, subtree): &(u8, Subtree)| match subtree {
            Subtree::Kept(child) => Some((*digit, *child)),
            Subtree::Made(_) => None,
        };
        next.len() == self.branch.children.len()
            && next
                .iter()
                .zip(&self.branch.children)
                .all(|(next, old)| kept(next).as_ref() == Some(old))
    }
}

/// The changes, sorted, whose digits from `level` on begin with these.
fn within<'c>(changes: &'c [Change], level: usize, digits: &[u8]) -> &'c [Change] {
    let inside = |change: &Change| change.slot.key.digits(level).zip(digits).all(|(a, b)| a == *b);
    changes
        .chunk_by(|a, b| inside(a) == inside(b))
        .find(|run| run.first().is_some_and(inside))
        .unwrap_or_default()
}

struct Update<'s> {
    store: &'s mut dyn NodeStore,
}

impl Update<'_> {
    /// Changes what lies below a child; the changes' keys lead to it by their digits before `level`.
    fn child(
        &mut self,
        child: Child,
        level: usize,
        changes: &[Change],
    ) -> Result<Option<Subtree>, TrieError> {
        if changes.is_empty() {
            return Ok(Some(Subtree::Kept(child)));
        }
        let node = load_child(self.store, child, level)?;
        self.node(child, &node, level, changes)
    }

    fn node(
        &mut self,
        at: Child,
        node: &Node,
        level: usize,
        changes: &[Change],
    ) -> Result<Option<Subtree>, TrieError> {
        match node {
            Node::Bucket(bucket) => self.bucket(at, bucket, level, changes),
            Node::Branch(branch) => self.branch(
                View {
                    branch,
                    skip: &branch.skip,
                    stored: Some(at),
                },
                level,
                changes,
            ),
        }
    }

    fn bucket(
        &mut self,
        at: Child,
        old: &Bucket,
        level: usize,
        changes: &[Change],
    ) -> Result<Option<Subtree>, TrieError> {
        let old_entries = old.entries.iter().cloned().map(|Entry { slot, event }| Change {
            slot,
            event: Some(event),
        });
        let merged = last_of_each_slot(old_entries.chain(changes.iter().cloned()).collect());
        let entries: Vec<Entry> = entries_set(merged).collect();
        if entries == old.entries {
            return Ok(Some(Subtree::Kept(at)));
        }
        Ok(build(self.store, &entries, level)?.map(Subtree::Made))
    }

    /// A subtree where nothing was.
    fn fresh(&mut self, changes: &[Change], level: usize) -> Result<Option<Subtree>, TrieError> {
        let entries: Vec<Entry> = entries_set(changes.to_vec()).collect();
        Ok(build(self.store, &entries, level)?.map(Subtree::Made))
    }

    fn branch(
        &mut self,
        old: View<'_>,
        level: usize,
        changes: &[Change],
    ) -> Result<Option<Subtree>, TrieError> {
        if changes.is_empty() {
            return Ok(Some(old.unchanged()));
        }
        let (common, rest) = old
            .skip
            .split_at_checked(old.straight(level, changes))
            .unwrap_or((old.skip, &[]));
        let at = level + common.len();
        let groups: BTreeMap<u8, &[Change]> = by_digit(within(changes, level, common), at).collect();
        let mut next = Vec::new();
        for digit in 0..FAN_OUT {
            let group = groups.get(&digit).copied().unwrap_or_default();
            let subtree = match (rest.split_first(), old.branch.child(digit)) {
                (Some((first, skip)), _) if *first == digit => self.branch(
                    View {
                        skip,
                        stored: None,
                        ..old
                    },
                    at + 1,
                    group,
                )?,
                (None, Some(child)) => self.child(child, at + 1, group)?,
                _ => self.fresh(group, at + 1)?,
            };
            next.extend(subtree.map(|subtree| (digit, subtree)));
        }
        if rest.is_empty() && old.is_kept_in(&next) {
            return Ok(Some(old.unchanged()));
        }
        self.finish(level, common, next)
    }

    /// The one shape for these subtrees, which follow the digits `skip` from `level` on.
    fn finish(
        &mut self,
        level: usize,
        skip: &[u8],
        next: Vec<(u8, Subtree)>,
    ) -> Result<Option<Subtree>, TrieError> {
        let below = level + skip.len() + 1;
        let total = next.iter().fold(0_u64, |sum, (_, subtree)| {
            sum.saturating_add(subtree.entry_count())
        });
        if total <= BUCKET_MAX_ENTRIES as u64 {
            let entries = self.gather(next, below)?;
            return Ok(build(self.store, &entries, level)?.map(Subtree::Made));
        }
        if next.len() == 1 {
            return next
                .into_iter()
                .next()
                .map(|(digit, only)| self.lengthen(skip, digit, only, below))
                .transpose();
        }
        let mut children = Vec::new();
        for (digit, subtree) in next {
            children.push((digit, self.keep(subtree)?));
        }
        Ok(Some(Subtree::Made(Node::Branch(Branch {
            skip: skip.to_vec(),
            children,
        }))))
    }

    /// The only subtree of a branch, in the branch's place.
    fn lengthen(&self, skip: &[u8], digit: u8, only: Subtree, below: usize) -> Result<Subtree, TrieError> {
        let branch = match &only {
            Subtree::Made(Node::Branch(branch)) => branch.clone(),
            Subtree::Made(Node::Bucket(_)) => return Ok(only),
            Subtree::Kept(child) => match &*load_child(self.store, *child, below)? {
                Node::Branch(branch) => branch.clone(),
                Node::Bucket(_) => return Ok(only),
            },
        };
        let skip = [skip, &[digit], branch.skip.as_slice()].concat();
        Ok(Subtree::Made(Node::Branch(Branch { skip, ..branch })))
    }

    /// All entries of a few subtrees; each begins at `level`.
    fn gather(&self, subtrees: Vec<(u8, Subtree)>, level: usize) -> Result<Vec<Entry>, TrieError> {
        let mut entries = Vec::new();
        for (_, subtree) in subtrees {
            match subtree {
                Subtree::Kept(child) => collect(
                    self.store,
                    &*load_child(self.store, child, level)?,
                    level,
                    &mut entries,
                )?,
                Subtree::Made(node) => collect(self.store, &node, level, &mut entries)?,
            }
        }
        Ok(entries)
    }

    fn keep(&mut self, subtree: Subtree) -> Result<Child, TrieError> {
        match subtree {
            Subtree::Kept(child) => Ok(child),
            Subtree::Made(node) => save(self.store, node),
        }
    }
}

fn entries_set(changes: Vec<Change>) -> impl Iterator<Item = Entry> {
    changes
        .into_iter()
        .filter_map(|Change { slot, event }| Some(Entry { slot, event: event? }))
}

fn collect(store: &dyn NodeStore, node: &Node, level: usize, out: &mut Vec<Entry>) -> Result<(), TrieError> {
    match node {
        Node::Bucket(bucket) => out.extend_from_slice(&bucket.entries),
        Node::Branch(branch) => {
            let below = level + branch.skip.len() + 1;
            for (_, child) in &branch.children {
                collect(store, &*load_child(store, *child, below)?, below, out)?;
            }
        }
    }
    Ok(())
}
