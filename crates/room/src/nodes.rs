//! The nodes of the room's states, in its table and in its cache.

use std::sync::Arc;

use selvage_object::{Param, Turn};

use crate::trie::{Node, NodeCache, NodeId, NodeStore, StoreError};

/// The node store of one turn.
pub(crate) struct Nodes<'a> {
    pub(crate) turn: &'a Turn<'a>,
    pub(crate) cache: &'a NodeCache,
}

impl NodeStore for Nodes<'_> {
    fn get(&self, id: NodeId) -> Result<Option<Vec<u8>>, StoreError> {
        let sql = "SELECT bytes FROM room_nodes WHERE object = ?1 AND node = ?2";
        let row = self.turn.row(sql, &[Param::Blob(id.as_bytes())])?;
        Ok(row.map(|mut row| row.blob(0)).transpose()?)
    }

    fn put(&mut self, id: NodeId, bytes: &[u8]) -> Result<(), StoreError> {
        let sql = "INSERT OR IGNORE INTO room_nodes (object, node, bytes) VALUES (?1, ?2, ?3)";
        Ok(self
            .turn
            .write(sql, &[Param::Blob(id.as_bytes()), Param::Blob(bytes)])?)
    }

    fn cached(&self, id: NodeId) -> Option<Arc<Node>> {
        self.cache.get(id)
    }

    fn remember(&self, id: NodeId, node: &Arc<Node>) {
        self.cache.insert(id, node);
    }
}
