//! The whole of a stored state, held against the rules of its shape.

use super::{
    BUCKET_MAX_ENTRIES, Entries, Inconsistency, Node, NodeId, NodeStore, TrieError,
    node::{Branch, fits_bucket},
    store::{load_child, load_root},
};

/// Reads all nodes of a state, and returns how many entries it has. Loading checks bytes, counts and depth; here come
/// the places of entries and the canonical shape.
pub(super) fn check(store: &dyn NodeStore, root: NodeId) -> Result<u64, TrieError> {
    let Some(node) = load_root(store, root)? else {
        return Ok(0);
    };
    check_node(store, root, &node, &mut Vec::new())?;
    Ok(node.entry_count())
}

/// `path` is the digits that led here.
fn check_node(store: &dyn NodeStore, id: NodeId, node: &Node, path: &mut Vec<u8>) -> Result<(), TrieError> {
    match node {
        Node::Bucket(bucket) => {
            let here =
                |digits: &mut dyn Iterator<Item = u8>| path.iter().copied().eq(digits.take(path.len()));
            let placed = bucket
                .entries
                .iter()
                .all(|entry| here(&mut entry.slot.key.digits(0)));
            placed
                .then_some(())
                .ok_or(TrieError::Inconsistent(id, Inconsistency::Place))
        }
        Node::Branch(branch) => {
            if is_small(store, id, node)? {
                return Err(TrieError::Inconsistent(id, Inconsistency::Shape));
            }
            check_children(store, branch, path)
        }
    }
}

fn check_children(store: &dyn NodeStore, branch: &Branch, path: &mut Vec<u8>) -> Result<(), TrieError> {
    let above = path.len();
    path.extend_from_slice(&branch.skip);
    for (digit, child) in &branch.children {
        path.push(*digit);
        check_node(store, child.id, &*load_child(store, *child, path.len())?, path)?;
        path.pop();
    }
    path.truncate(above);
    Ok(())
}

/// Whether a branch holds what fits a bucket.
fn is_small(store: &dyn NodeStore, id: NodeId, node: &Node) -> Result<bool, TrieError> {
    if node.entry_count() > BUCKET_MAX_ENTRIES as u64 {
        return Ok(false);
    }
    let entries: Vec<_> = Entries::all(store, id)?.collect::<Result<_, _>>()?;
    Ok(fits_bucket(&entries))
}
