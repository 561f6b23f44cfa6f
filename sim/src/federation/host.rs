//! One honest server.

use std::collections::{BTreeMap, BTreeSet};

use selvage_object::{ObjectKey, Param, Placement, Row, ShardId};

use super::plan::{Plan, USERS_PER_SERVER};
use super::watch::Watch;
use crate::asks::{self, DEVICE};
use crate::{Layout, Server};

/// Memory for everything, and for nothing.
const AMPLE_BYTES: usize = 64 << 20;
const SCANT_BYTES: usize = 1;
/// How far the clocks of servers differ, in milliseconds.
const SKEW_MS: u64 = 700;

/// An honest server and what it has sent.
pub(crate) struct Host {
    pub(crate) server: Server,
    pub(crate) users: Vec<String>,
    /// Up to which position each other server was sent what there is.
    pub(crate) marks: BTreeMap<usize, i64>,
    /// Which servers were in the room when something was last sent to them.
    pub(crate) sent_to: BTreeSet<usize>,
    /// Events that were placed with a state that another server told.
    pub(crate) told: BTreeSet<String>,
    /// What its users saw.
    pub(crate) watch: Watch,
    skew: u64,
}

impl Host {
    pub(crate) fn new(plan: &Plan, number: usize) -> Self {
        let layout = Layout {
            placement: Placement::Hashed { shards: 1 },
            loaded_bytes_max: if plan.forgetful { SCANT_BYTES } else { AMPLE_BYTES },
        };
        let own = plan.seed.wrapping_mul(64).wrapping_add(number as u64);
        let mut server = Server::new(&name(number), layout, own);
        let users: Vec<String> = (0..USERS_PER_SERVER)
            .map(|user| format!("@u{user}:{}", server.name()))
            .collect();
        for user in &users {
            asks::register(&mut server, user, DEVICE);
        }
        Self {
            server,
            users,
            marks: BTreeMap::new(),
            sent_to: BTreeSet::new(),
            told: BTreeSet::new(),
            watch: Watch::default(),
            skew: own % SKEW_MS,
        }
    }

    pub(crate) fn name(&self) -> &str {
        self.server.name().as_str()
    }

    /// Sets the clock, which never goes back.
    pub(crate) fn at(&mut self, clock: u64) {
        let now = crate::server::EPOCH.plus_ms(clock + self.skew);
        if now > self.server.now() {
            self.server.set_now(now);
        }
    }

    fn shard(&self, room: &ObjectKey) -> ShardId {
        self.server.shard_of(room)
    }

    /// Reads the room's tables; the server houses one room.
    pub(crate) fn rows(&self, room: &ObjectKey, sql: &'static str, params: &[Param<'_>]) -> Vec<Row> {
        self.server.rows(&self.shard(room), sql, params)
    }

    /// The position of the newest event; `None` when there is no such room here.
    pub(crate) fn newest(&self, room: &ObjectKey) -> Option<i64> {
        let sql = "SELECT pos FROM room_head WHERE extremities <> '[]'";
        let rows = self.rows(room, sql, &[]);
        rows.first().map(|row| row.integer(0).expect("a position"))
    }

    /// The local users who have joined.
    pub(crate) fn joined(&self, room: &ObjectKey) -> Vec<String> {
        let rows = self.rows(room, "SELECT user_id FROM room_locals ORDER BY user_id", &[]);
        rows.into_iter()
            .map(|mut row| row.text(0).expect("a user id"))
            .collect()
    }

    /// Whether another server has users in the room, as this one sees it.
    pub(crate) fn has_in_room(&self, room: &ObjectKey, server: &str) -> bool {
        let sql = "SELECT joined FROM room_servers WHERE server = ?1";
        let rows = self.rows(room, sql, &[Param::Text(server)]);
        rows.first()
            .is_some_and(|row| row.integer(0).expect("a count") > 0)
    }
}

/// The name of an honest server.
pub(crate) fn name(number: usize) -> String {
    format!("s{number}.test")
}
