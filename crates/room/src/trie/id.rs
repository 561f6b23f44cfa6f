//! The names of nodes.

use std::fmt;

use super::key::sha256;

/// The name of a node: the first 16 bytes of SHA-256 of its encoding.
///
/// 128 bits: nobody can make a node that replaces a given one (2^128 work). Two nodes of one name, both made by the same
/// hand, cost 2^64 work, and win no more than a room on this server that shows one of its maker's two states.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeId([u8; Self::BYTES]);

impl NodeId {
    /// The length of a name, in bytes.
    pub const BYTES: usize = 16;
    /// The root of the empty state. No node is stored under it.
    pub const EMPTY: Self = Self([0; Self::BYTES]);

    /// The name of the node with this encoding.
    #[must_use]
    pub fn of(encoding: &[u8]) -> Self {
        let mut id = Self::EMPTY;
        for (to, from) in id.0.iter_mut().zip(sha256(encoding)) {
            *to = from;
        }
        id
    }

    /// A name as it was stored.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }
}

impl TryFrom<&[u8]> for NodeId {
    type Error = std::array::TryFromSliceError;

    /// A name as it was stored; fails when it has not [`NodeId::BYTES`] bytes.
    fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
        bytes.try_into().map(Self)
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeId({self})")
    }
}
