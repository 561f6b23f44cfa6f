//! Decoded nodes, kept as long as they are used.

use std::{cell::RefCell, collections::BTreeMap, sync::Arc};

use super::{Node, NodeId};

/// A cache of decoded nodes, bounded in bytes, that drops what was used longest ago.
///
/// It can be dropped, or survive the turn that filled it, without any difference in what a state says.
pub struct NodeCache {
    max_bytes: usize,
    held: RefCell<Held>,
}

#[derive(Default)]
struct Held {
    nodes: BTreeMap<NodeId, (u64, Arc<Node>)>,
    /// Ids by the time of last use, counted in uses.
    by_use: BTreeMap<u64, NodeId>,
    uses: u64,
    bytes: usize,
}

/// What a node costs in the cache beyond its entries or children: ids, counters and tree nodes, in bytes.
const OVERHEAD_BYTES: usize = 160;

fn cost_bytes(node: &Node) -> usize {
    node.memory_bytes() + OVERHEAD_BYTES
}

impl NodeCache {
    /// A cache that holds about so many bytes.
    #[must_use]
    pub fn new(max_bytes: usize) -> Self {
        Self {
            max_bytes,
            held: RefCell::default(),
        }
    }

    /// The node of this id, if it is here.
    pub fn get(&self, id: NodeId) -> Option<Arc<Node>> {
        let held = &mut *self.held.borrow_mut();
        let (used, node) = held.nodes.get_mut(&id)?;
        held.by_use.remove(used);
        held.uses += 1;
        *used = held.uses;
        held.by_use.insert(held.uses, id);
        Some(node.clone())
    }

    /// Takes a node in, unless it alone is larger than the cache.
    pub fn insert(&self, id: NodeId, node: &Arc<Node>) {
        let held = &mut *self.held.borrow_mut();
        held.remove(id);
        if cost_bytes(node) > self.max_bytes {
            return;
        }
        held.insert(id, node.clone());
        while held.bytes > self.max_bytes {
            held.drop_oldest();
        }
    }

    /// About how many bytes it holds.
    pub fn held_bytes(&self) -> usize {
        self.held.borrow().bytes
    }
}

impl Held {
    fn insert(&mut self, id: NodeId, node: Arc<Node>) {
        self.uses += 1;
        self.bytes += cost_bytes(&node);
        self.by_use.insert(self.uses, id);
        self.nodes.insert(id, (self.uses, node));
    }

    fn remove(&mut self, id: NodeId) {
        if let Some((used, node)) = self.nodes.remove(&id) {
            self.by_use.remove(&used);
            self.bytes -= cost_bytes(&node);
        }
    }

    fn drop_oldest(&mut self) {
        if let Some((_, id)) = self.by_use.pop_first()
            && let Some((_, node)) = self.nodes.remove(&id)
        {
            self.bytes -= cost_bytes(&node);
        }
    }
}
