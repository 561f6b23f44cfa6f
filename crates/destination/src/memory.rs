//! What a destination keeps in memory.

use std::collections::BTreeMap;

use selvage_object::{Fault, Timestamp, Turn};

use crate::delivery::Delivery;
use crate::incoming::Incoming;
use crate::keys::{Fetching, Key, load_keys};
use crate::queue::Queue;

/// How far versions rise each millisecond at the most, so that an object that is loaded anew begins above what it was.
const VERSIONS_PER_MS: u64 = 1_000;
/// About what one key takes in memory, in bytes.
const KEY_BYTES: usize = 256;

/// A destination's memory.
#[derive(Debug)]
pub struct Memory {
    /// The server's keys by their ids.
    pub(crate) keys: BTreeMap<String, Key>,
    /// Who fetches its keys. What went wrong is not stored: whoever sends a request can name any server, and names of
    /// servers that never answered are worth no rows.
    pub(crate) fetching: Fetching,
    /// The transactions that came from it.
    pub(crate) incoming: Incoming,
    /// What waits for it.
    pub(crate) queue: Queue,
    /// How sending it goes.
    pub(crate) delivery: Delivery,
    pub(crate) version: u64,
}

impl Memory {
    pub(crate) fn load(turn: &Turn<'_>) -> Result<Self, Fault> {
        let keys = load_keys(turn)?;
        let fetched = keys.values().map(|key| key.fetched).max();
        Ok(Self {
            keys,
            fetching: Fetching::new(fetched),
            incoming: Incoming::load(turn)?,
            queue: Queue::load(turn)?,
            delivery: Delivery::load(turn)?,
            version: first_version(turn.now()).max(turn.version_floor()),
        })
    }

    /// Raises the version, and wakes those who wait for that.
    pub(crate) fn wake(&mut self, turn: &mut Turn<'_>) {
        self.version = (self.version + 1).max(first_version(turn.now()));
        turn.wake(self.version);
    }

    pub(crate) fn bytes(&self) -> usize {
        self.keys.len() * KEY_BYTES + self.incoming.bytes() + self.queue.bytes() + self.delivery.bytes()
    }
}

const fn first_version(now: Timestamp) -> u64 {
    now.0.saturating_mul(VERSIONS_PER_MS)
}
