//! A subtree from its entries.

use super::{
    Entry, Node, NodeStore, TrieError,
    key::by_digit,
    node::{Branch, Bucket, fits_bucket},
    store::save,
};

/// The node of these entries, sorted, whose keys share the digits before `level`. Everything below it is written; it
/// itself is not, for the caller may yet merge it with what is above. `None` for no entries.
pub(super) fn build(
    store: &mut dyn NodeStore,
    entries: &[Entry],
    level: usize,
) -> Result<Option<Node>, TrieError> {
    let (Some(first), Some(last)) = (entries.first(), entries.last()) else {
        return Ok(None);
    };
    if fits_bucket(entries) {
        return Ok(Some(Node::Bucket(Bucket {
            entries: entries.to_vec(),
        })));
    }
    let shared = first.slot.key.shared(last.slot.key, level);
    let skip = first.slot.key.digits(level).take(shared).collect();
    let mut children = Vec::new();
    for (digit, run) in by_digit(entries, level + shared) {
        if let Some(node) = build(store, run, level + shared + 1)? {
            children.push((digit, save(store, node)?));
        }
    }
    Ok(Some(Node::Branch(Branch { skip, children })))
}
