//! The state of a room at one event, as the name of a trie.

use super::{
    Change, Differences, Entries, Node, NodeId, NodeStore, TrieError,
    check::check,
    key::{Slot, TypeHash},
    store::{load_child, load_root},
    update::apply,
    walk::locate,
};

/// One state: which event holds for each type and state key. It is a name of [`NodeId::BYTES`] bytes; what it names lies
/// in a [`NodeStore`]. Two states are equal exactly when their entries are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct State {
    root: NodeId,
}

impl State {
    /// The state before any event.
    pub const EMPTY: Self = Self { root: NodeId::EMPTY };

    /// The state with this root, as it was stored.
    #[must_use]
    pub const fn from_root(root: NodeId) -> Self {
        Self { root }
    }

    /// The root to store.
    #[must_use]
    pub const fn root(self) -> NodeId {
        self.root
    }

    /// The id of the event for a type and state key. Reads O(log n) nodes.
    ///
    /// # Errors
    /// When the store fails or is damaged.
    pub fn get(
        self,
        store: &dyn NodeStore,
        event_type: &str,
        state_key: &str,
    ) -> Result<Option<String>, TrieError> {
        let slot = Slot::new(event_type, state_key);
        let Some(mut node) = load_root(store, self.root)? else {
            return Ok(None);
        };
        let mut level = 0;
        loop {
            let branch = match &*node {
                Node::Bucket(bucket) => return Ok(bucket.find(&slot).map(super::Entry::event_id)),
                Node::Branch(branch) => branch,
            };
            let at = level + branch.skip.len();
            let Some(child) = branch.child(slot.key.digit(at)) else {
                return Ok(None);
            };
            level = at + 1;
            node = load_child(store, child, level)?;
        }
    }

    /// This state with one entry set. Writes O(log n) nodes, and none when the entry is there already.
    ///
    /// # Errors
    /// When the store fails or is damaged, or a field is too long for any event.
    pub fn set(
        self,
        store: &mut dyn NodeStore,
        event_type: &str,
        state_key: &str,
        event_id: &str,
    ) -> Result<Self, TrieError> {
        self.apply(store, vec![Change::set(event_type, state_key, event_id)?])
    }

    /// This state without one entry. Writes O(log n) nodes, and none when there is no such entry.
    ///
    /// # Errors
    /// When the store fails or is damaged, or a field is too long for any event.
    pub fn remove(
        self,
        store: &mut dyn NodeStore,
        event_type: &str,
        state_key: &str,
    ) -> Result<Self, TrieError> {
        self.apply(store, vec![Change::remove(event_type, state_key)?])
    }

    /// This state with many changes; of several to one type and state key the last counts. Each node of the result that
    /// was not there is written once, and no other.
    ///
    /// Who has more changes than memory applies them in pieces, sorted by [`super::order_key`]: then each piece writes
    /// again only the O(log n) nodes at its edge.
    ///
    /// # Errors
    /// When the store fails or is damaged. Nodes of a failed change may have been written; nothing refers to them.
    pub fn apply(self, store: &mut dyn NodeStore, changes: Vec<Change>) -> Result<Self, TrieError> {
        apply(store, self.root, changes).map(Self::from_root)
    }

    /// How many entries there are. Reads one node.
    ///
    /// # Errors
    /// When the store fails or is damaged.
    pub fn entry_count(self, store: &dyn NodeStore) -> Result<u64, TrieError> {
        Ok(load_root(store, self.root)?.map_or(0, |node| node.entry_count()))
    }

    /// How many entries of a type there are. Reads the few nodes above them. (Types whose hashes collide in 160 bits,
    /// which nobody has found, are counted together.)
    ///
    /// # Errors
    /// When the store fails or is damaged.
    pub fn entry_count_of_type(self, store: &dyn NodeStore, event_type: &str) -> Result<u64, TrieError> {
        let Some((node, _)) = locate(store, self.root, TypeHash::of(event_type))? else {
            return Ok(0);
        };
        Ok(match &*node {
            Node::Branch(_) => node.entry_count(),
            Node::Bucket(bucket) => bucket
                .entries
                .iter()
                .filter(|entry| entry.event_type() == event_type)
                .count() as u64,
        })
    }

    /// All entries, in the order of [`super::order_key`].
    ///
    /// # Errors
    /// When the store fails or is damaged; each entry says so as well.
    pub fn entries(self, store: &dyn NodeStore) -> Result<Entries<'_>, TrieError> {
        Entries::all(store, self.root)
    }

    /// The entries of one type, in the order of [`super::order_key`]; with `after`, those that follow that state key,
    /// whether or not this state has it. So pages may come from different versions of a state. Reads the nodes that
    /// hold those entries and the few above.
    ///
    /// # Errors
    /// When the store fails or is damaged; each entry says so as well.
    pub fn entries_of_type<'s>(
        self,
        store: &'s dyn NodeStore,
        event_type: &str,
        after: Option<&str>,
    ) -> Result<Entries<'s>, TrieError> {
        Entries::of_type(store, self.root, event_type, after)
    }

    /// The entries that this state (left) and another (right) do not have alike, in the order of [`super::order_key`].
    /// Never enters a subtree that both have, so it reads O(log n) nodes for each difference at most.
    ///
    /// # Errors
    /// When the store fails or is damaged; each difference says so as well.
    pub fn difference(self, store: &dyn NodeStore, right: Self) -> Result<Differences<'_>, TrieError> {
        Differences::new(store, self.root, right.root)
    }

    /// Reads the whole state, holds it against the rules of its shape, and returns how many entries it has.
    ///
    /// # Errors
    /// When the store fails or is damaged.
    pub fn check(self, store: &dyn NodeStore) -> Result<u64, TrieError> {
        check(store, self.root)
    }
}
