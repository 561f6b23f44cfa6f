//! What a room keeps in memory: its head, whom to tell, who types, and caches of what never changes.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use selvage_event::RoomVersion;
use selvage_object::{Fault, Timestamp, Turn};

use crate::events::EventCache;
use crate::extremities::{self, Extremity};
use crate::forks::ResolvedCache;
use crate::trie::{NodeCache, NodeId, State};

/// The cache of state nodes, in bytes.
const NODE_CACHE_BYTES: usize = 512 * 1024;
/// About what one local member or other server takes, in bytes.
const LOCAL_BYTES: usize = 96;
/// What a room takes beside caches and members, in bytes.
const ROOM_BYTES: usize = 2_048;

/// Where the room stands.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) version: RoomVersion,
    /// The newest position: of an event, a receipt, or anything else that readers see in order.
    pub(crate) pos: i64,
    /// How many state events were numbered so far.
    pub(crate) ord: i64,
    /// The forward extremities.
    pub(crate) extremities: Vec<Extremity>,
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
            ord: 0,
            extremities: Vec::new(),
            state: State::EMPTY,
            joined: 0,
            invited: 0,
            txn_mark: None,
        }
    }

    /// Whether the room has come to be. One that is being fetched from other servers has a head and no extremities.
    pub(crate) const fn is_room(&self) -> bool {
        !self.extremities.is_empty()
    }

    /// The depth of an event that follows the extremities.
    pub(crate) fn next_depth(&self) -> i64 {
        let deepest = self.extremities.iter().map(|extremity| extremity.depth).max();
        deepest.unwrap_or(0).saturating_add(1)
    }
}

/// A room's memory.
pub struct Memory {
    /// `None` while nothing is known of the room.
    pub(crate) head: Option<Head>,
    /// The local users who have joined.
    pub(crate) locals: BTreeSet<String>,
    /// Who types, and until when, in milliseconds since 1970.
    pub(crate) typing: BTreeMap<String, u64>,
    /// The other servers in the room, when they were asked for since they last changed.
    pub(crate) servers: Option<Rc<BTreeSet<String>>>,
    /// Until when a workflow is taken to ask other servers for what is missing.
    pub(crate) seeking_until: Timestamp,
    pub(crate) nodes: NodeCache,
    pub(crate) events: RefCell<EventCache>,
    /// States that were resolved, by the states of the forks.
    pub(crate) resolved: RefCell<ResolvedCache>,
}

impl Memory {
    pub(crate) fn load(turn: &Turn<'_>) -> Result<Self, Fault> {
        Ok(Self {
            head: load_head(turn)?,
            locals: load_locals(turn)?,
            typing: BTreeMap::new(),
            servers: None,
            seeking_until: Timestamp(0),
            nodes: NodeCache::new(NODE_CACHE_BYTES),
            events: RefCell::default(),
            resolved: RefCell::default(),
        })
    }

    /// Forgets what was kept of events and states.
    pub(crate) fn forget(&mut self) {
        self.nodes = NodeCache::new(NODE_CACHE_BYTES);
        self.events = RefCell::default();
        self.resolved = RefCell::default();
    }

    pub(crate) fn bytes(&self) -> usize {
        let caches = self.nodes.held_bytes() + self.events.borrow().bytes() + self.resolved.borrow().bytes();
        let servers = self.servers.as_ref().map_or(0, |servers| servers.len());
        ROOM_BYTES + caches + (self.locals.len() + servers) * LOCAL_BYTES
    }
}

fn load_head(turn: &Turn<'_>) -> Result<Option<Head>, Fault> {
    let sql = "SELECT version, pos, ord, extremities, state, joined, invited, txn_mark FROM room_head \
               WHERE object = ?1";
    let Some(mut row) = turn.row(sql, &[])? else {
        return Ok(None);
    };
    let version = row.text(0)?;
    Ok(Some(Head {
        version: version
            .parse()
            .map_err(|_| Fault::corrupt(format!("room version {version:?}")))?,
        pos: row.integer(1)?,
        ord: row.integer(2)?,
        extremities: extremities::read(&row.text(3)?)?,
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
