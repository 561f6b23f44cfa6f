//! The keys that the server signs with: held here, fetched and verified by others.

use std::collections::BTreeMap;

use selvage_object::{Failure, Fault, Param, Timestamp, Tracked, Turn};
use selvage_protocol::Json;
use selvage_protocol::destination::{Fetch, HeldKey, Keys, KeysReply, StoreKeys, StoreKeysReply};

use serde_json::value::RawValue;

use crate::lease::Lease;
use crate::memory::Memory;

/// The most keys that are held of one server; a server with more keeps those that came first.
pub const KEYS_MAX: usize = 64;
/// How long a key keeps its id after it was last seen, in milliseconds: seven days, as long as any key is trusted without
/// being fetched again. Meanwhile another key of that id is refused.
pub const KEY_HELD_MS: u64 = 7 * 24 * 3_600_000;
/// How long after they were fetched keys are not fetched again, in milliseconds: whoever signs with keys that do not exist
/// does not make this server ask for them each time.
pub const REFETCH_MIN_MS: u64 = 60_000;
/// How long a fetch may take before another may begin, in milliseconds.
const FETCH_LEASE_MS: u64 = 40_000;
/// How long nothing is fetched after a first failure, in milliseconds; twice as long after each further one.
const RETRY_FIRST_MS: u64 = 5_000;
/// The longest time that nothing is fetched after a failure, in milliseconds.
const RETRY_MAX_MS: u64 = 600_000;

/// A key that is held.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) key: HeldKey,
    /// When it was last seen in a document of the server's.
    pub(crate) fetched: Timestamp,
}

/// Who fetches keys, and when they may be fetched again.
#[derive(Debug, Default)]
pub(crate) struct Fetching {
    lease: Lease,
    failures: u32,
    not_before: Timestamp,
}

impl Fetching {
    pub(crate) fn new(fetched: Option<Timestamp>) -> Self {
        Self {
            not_before: fetched.map_or(Timestamp(0), |fetched| fetched.plus_ms(REFETCH_MIN_MS)),
            ..Self::default()
        }
    }

    fn done(&mut self, now: Timestamp) {
        *self = Self::new(Some(now));
    }

    fn failed(&mut self, now: Timestamp) {
        let wait = RETRY_FIRST_MS.saturating_mul(1 << self.failures.min(16));
        self.failures = self.failures.saturating_add(1);
        self.not_before = now.plus_ms(wait.min(RETRY_MAX_MS));
        self.lease.end();
    }
}

pub(crate) fn load_keys(turn: &Turn<'_>) -> Result<BTreeMap<String, Key>, Fault> {
    let sql = "SELECT key_id, public_key, valid_until_ts, expired, fetched_ts FROM destination_keys \
               WHERE object = ?1";
    let mut keys = BTreeMap::new();
    for mut row in turn.rows(sql, &[])? {
        let key = HeldKey {
            key_id: row.text(0)?,
            public_key: row.text(1)?,
            valid_until_ts: row.integer(2)?,
            expired: row.flag(3)?,
        };
        let fetched = Timestamp(row.number(4)?);
        keys.insert(key.key_id.clone(), Key { key, fetched });
    }
    Ok(keys)
}

/// Answers with the keys, and says who fetches those that are missing.
pub(crate) fn keys(memory: &mut Tracked<Memory>, turn: &Turn<'_>, command: &Keys) -> KeysReply {
    let keys = memory.keys.values().map(|held| held.key.clone()).collect();
    let fetch = fetch(memory, turn.now(), command);
    KeysReply { keys, fetch }
}

fn fetch(memory: &mut Tracked<Memory>, now: Timestamp, command: &Keys) -> Fetch {
    if suffices(&memory.keys, command) || memory.fetching.not_before > now {
        return Fetch::Nothing;
    }
    if memory.change().fetching.lease.take(now, FETCH_LEASE_MS) {
        return Fetch::Yours;
    }
    Fetch::Wait {
        version: memory.version,
    }
}

/// Whether what is asked for is held.
fn suffices(keys: &BTreeMap<String, Key>, wanted: &Keys) -> bool {
    let valid = |held: &Key| wanted.valid_at.is_none_or(|at| held.key.valid_until_ts >= at);
    if wanted.key_ids.is_empty() {
        return keys.values().any(|held| !held.key.expired && valid(held));
    }
    let mut ids = wanted.key_ids.iter();
    ids.all(|id| keys.get(id).is_some_and(valid))
}

/// Takes in the keys of a verified document.
pub(crate) fn store(
    memory: &mut Tracked<Memory>,
    turn: &mut Turn<'_>,
    command: StoreKeys,
) -> Result<StoreKeysReply, Failure> {
    let now = turn.now();
    let mut refused = Vec::new();
    for key in command.keys {
        if may_take(&memory.keys, &key, now) {
            take(memory, turn, key)?;
        } else {
            refused.push(key.key_id);
        }
    }
    turn.write(
        "INSERT OR REPLACE INTO destination_key_document (object, document) VALUES (?1, ?2)",
        &[Param::Text(command.document.get())],
    )?;
    memory.change().fetching.done(now);
    memory.change().wake(turn);
    Ok(StoreKeysReply { refused })
}

/// Whether a key may have its id: it has it already, or nobody does and there is room, or who has it was not seen for long.
fn may_take(keys: &BTreeMap<String, Key>, key: &HeldKey, now: Timestamp) -> bool {
    keys.get(&key.key_id).map_or(keys.len() < KEYS_MAX, |held| {
        held.key.public_key == key.public_key || held.fetched.plus_ms(KEY_HELD_MS) < now
    })
}

fn take(memory: &mut Tracked<Memory>, turn: &Turn<'_>, key: HeldKey) -> Result<(), Failure> {
    write(turn, &key)?;
    let fetched = turn.now();
    let keys = &mut memory.change().keys;
    keys.insert(key.key_id.clone(), Key { key, fetched });
    Ok(())
}

fn write(turn: &Turn<'_>, key: &HeldKey) -> Result<(), Failure> {
    let sql = "INSERT OR REPLACE INTO destination_keys (object, key_id, public_key, valid_until_ts, expired, fetched_ts) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let values = [
        Param::Text(&key.key_id),
        Param::Text(&key.public_key),
        Param::Integer(key.valid_until_ts),
        Param::flag(key.expired),
        Param::number(turn.now().0),
    ];
    Ok(turn.write(sql, &values)?)
}

/// Notes that the keys could not be fetched.
pub(crate) fn failed(memory: &mut Tracked<Memory>, turn: &mut Turn<'_>) {
    memory.change().fetching.failed(turn.now());
    memory.change().wake(turn);
}

/// The document that the newest keys were in.
pub(crate) fn document(turn: &Turn<'_>) -> Result<Option<Json>, Failure> {
    let sql = "SELECT document FROM destination_key_document WHERE object = ?1";
    let Some(mut row) = turn.row(sql, &[])? else {
        return Ok(None);
    };
    let document = RawValue::from_string(row.text(0)?);
    Ok(Some(document.map_err(|error| Fault::corrupt(error.to_string()))?))
}
