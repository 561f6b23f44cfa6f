//! Where nodes are kept, and reading and writing them there.

use std::sync::Arc;

use super::{
    Inconsistency, Node, NodeId, TrieError,
    decode::decode,
    encode::encode,
    key::LEVELS,
    node::{Branch, Child},
};

/// Why a store failed; `?` turns any error into it, and `downcast` gives it back.
pub type StoreError = Box<dyn std::error::Error + Send + Sync>;

/// The keeper of nodes, by id. Nodes never change, so a cache of them never goes stale: one that a rolled-back turn left
/// in a cache is harmless, for only that turn's roots led to it.
pub trait NodeStore {
    /// The bytes put under this id, or `None`.
    ///
    /// # Errors
    /// When the store fails.
    fn get(&self, id: NodeId) -> Result<Option<Vec<u8>>, StoreError>;

    /// Keeps these bytes under this id. What is there already under the same id are the same bytes, and stays; a store
    /// must look at what it holds to know that, not at a cache.
    ///
    /// # Errors
    /// When the store fails.
    fn put(&mut self, id: NodeId, bytes: &[u8]) -> Result<(), StoreError>;

    /// A node from the store's cache ([`super::NodeCache`]), if it has one and the node is in it.
    fn cached(&self, _id: NodeId) -> Option<Arc<Node>> {
        None
    }

    /// Offers a node, just read or written, to the store's cache.
    fn remember(&self, _id: NodeId, _node: &Arc<Node>) {}
}

/// Reads a node; `None` for the empty root.
pub(super) fn load_root(store: &dyn NodeStore, root: NodeId) -> Result<Option<Arc<Node>>, TrieError> {
    if root == NodeId::EMPTY {
        return Ok(None);
    }
    let node = load(store, root)?;
    fits_depth(&node, 0)
        .then_some(Some(node))
        .ok_or(TrieError::Inconsistent(root, Inconsistency::Depth))
}

/// Reads a node below a branch, where the keys' first `level` digits are spent. It holds as many entries as its parent
/// says and branches within the key, so every walk ends.
pub(super) fn load_child(store: &dyn NodeStore, child: Child, level: usize) -> Result<Arc<Node>, TrieError> {
    let node = load(store, child.id)?;
    if node.entry_count() != child.entries {
        return Err(TrieError::Inconsistent(child.id, Inconsistency::Count));
    }
    if !fits_depth(&node, level) {
        return Err(TrieError::Inconsistent(child.id, Inconsistency::Depth));
    }
    Ok(node)
}

fn fits_depth(node: &Node, level: usize) -> bool {
    match node {
        Node::Bucket(_) => true,
        Node::Branch(Branch { skip, .. }) => level + skip.len() < LEVELS,
    }
}

fn load(store: &dyn NodeStore, id: NodeId) -> Result<Arc<Node>, TrieError> {
    if let Some(node) = store.cached(id) {
        return Ok(node);
    }
    let bytes = store
        .get(id)
        .map_err(TrieError::Store)?
        .ok_or(TrieError::Missing(id))?;
    if NodeId::of(&bytes) != id {
        return Err(TrieError::Damaged(id));
    }
    let node = Arc::new(decode(&bytes).map_err(|error| TrieError::Unreadable(id, error))?);
    store.remember(id, &node);
    Ok(node)
}

/// Writes a node, and says how a parent refers to it.
pub(super) fn save(store: &mut dyn NodeStore, node: Node) -> Result<Child, TrieError> {
    let bytes = encode(&node);
    let child = Child {
        id: NodeId::of(&bytes),
        entries: node.entry_count(),
    };
    store.put(child.id, &bytes).map_err(TrieError::Store)?;
    store.remember(child.id, &Arc::new(node));
    Ok(child)
}
