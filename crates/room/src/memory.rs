//! What a room keeps in memory: its head, whom to tell, who types, and caches of what never changes.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use selvage_event::{EventId, RoomVersion};
use selvage_object::{Fault, Turn};

use crate::events::EventCache;
use crate::trie::{NodeCache, NodeId, State};

/// The cache of state nodes, in bytes.
const NODE_CACHE_BYTES: usize = 512 * 1024;
/// About what one local member takes, in bytes.
const LOCAL_BYTES: usize = 96;
/// What a room takes beside caches and members, in bytes.
const ROOM_BYTES: usize = 2_048;

/// Where the room stands.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) version: RoomVersion,
    /// The newest position: of an event, a receipt, or anything else that readers see in order.
    pub(crate) pos: i64,
    /// The greatest depth of the extremities.
    pub(crate) depth: i64,
    /// The forward extremities.
    pub(crate) extremities: Vec<EventId>,
    /// The current state.
    pub(crate) state: State,
    /// How many users have joined.
    pub(crate) joined: u64,
    /// How many users are invited.
    pub(crate) invited: u64,
    /// While there are transaction ids to forget: those up to this position go when the timer rings.
    pub(crate) txn_mark: Option<i64>,
}

impl Head {
    /// The head of a room before its first event.
    pub(crate) const fn empty(version: RoomVersion) -> Self {
        Self {
            version,
            pos: 0,
            depth: 0,
            extremities: Vec::new(),
            state: State::EMPTY,
            joined: 0,
            invited: 0,
            txn_mark: None,
        }
    }
}

/// A room's memory.
pub struct Memory {
    /// `None` while there is no such room here.
    pub(crate) head: Option<Head>,
    /// The local users who have joined.
    pub(crate) locals: BTreeSet<String>,
    /// Who types, and until when, in milliseconds since 1970.
    pub(crate) typing: BTreeMap<String, u64>,
    pub(crate) nodes: NodeCache,
    pub(crate) events: RefCell<EventCache>,
}

impl Memory {
    pub(crate) fn load(turn: &Turn<'_>) -> Result<Self, Fault> {
        Ok(Self {
            head: load_head(turn)?,
            locals: load_locals(turn)?,
            typing: BTreeMap::new(),
            nodes: NodeCache::new(NODE_CACHE_BYTES),
            events: RefCell::default(),
        })
    }

    pub(crate) fn bytes(&self) -> usize {
        let caches = self.nodes.held_bytes() + self.events.borrow().bytes();
        ROOM_BYTES + caches + self.locals.len() * LOCAL_BYTES
    }
}

fn load_head(turn: &Turn<'_>) -> Result<Option<Head>, Fault> {
    let sql = "SELECT version, pos, depth, extremities, state, joined, invited, txn_mark FROM room_head WHERE object = ?1";
    let Some(mut row) = turn.row(sql, &[])? else {
        return Ok(None);
    };
    let version = row.text(0)?;
    let extremities = row.text(3)?;
    Ok(Some(Head {
        version: version
            .parse()
            .map_err(|_| Fault::corrupt(format!("room version {version:?}")))?,
        pos: row.integer(1)?,
        depth: row.integer(2)?,
        extremities: serde_json::from_str(&extremities).map_err(|error| Fault::corrupt(error.to_string()))?,
        state: state(&row.blob(4)?)?,
        joined: row.number(5)?,
        invited: row.number(6)?,
        txn_mark: row.optional_integer(7)?,
    }))
}

/// A stored trie root.
pub(crate) fn state(root: &[u8]) -> Result<State, Fault> {
    let root = NodeId::try_from(root).map_err(|_| Fault::corrupt("a trie root of another length"))?;
    Ok(State::from_root(root))
}

fn load_locals(turn: &Turn<'_>) -> Result<BTreeSet<String>, Fault> {
    let rows = turn.rows("SELECT user_id FROM room_locals WHERE object = ?1", &[])?;
    Ok(rows
        .into_iter()
        .map(|mut row| row.text(0))
        .collect::<Result<_, _>>()?)
}
