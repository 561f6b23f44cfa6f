//! What can go wrong, sorted by who must act.

use super::{DecodeError, FIELD_MAX_BYTES, NodeId, StoreError};

/// Why a state could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum TrieError {
    /// The store failed.
    #[error("node store: {0}")]
    Store(#[source] StoreError),
    /// A node is not there: storage is damaged, or nodes still in use were removed.
    #[error("state node {0} is missing")]
    Missing(NodeId),
    /// The bytes stored under a node's id are not those it was made of: storage is damaged.
    #[error("state node {0} is damaged")]
    Damaged(NodeId),
    /// A node's bytes are those it was made of, and still are no node: another version made it, or a fault of ours.
    #[error("state node {0} cannot be read: {1}")]
    Unreadable(NodeId, #[source] DecodeError),
    /// A node does not fit where it stands: a fault of ours.
    #[error("state node {0} does not fit its place: {1}")]
    Inconsistent(NodeId, Inconsistency),
    /// The caller offers a type, state key or event id that no event can have.
    #[error("a field of {0} bytes, and {FIELD_MAX_BYTES} is the most")]
    FieldTooLong(usize),
}

/// How a node does not fit where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Inconsistency {
    /// It holds another number of entries than its parent says.
    #[error("its parent counts other entries")]
    Count,
    /// It branches after the last digit of a key.
    #[error("it is too deep")]
    Depth,
    /// It holds an entry that belongs elsewhere.
    #[error("it holds an entry that belongs elsewhere")]
    Place,
    /// It is a branch over entries that a bucket holds.
    #[error("it should be a bucket")]
    Shape,
}
