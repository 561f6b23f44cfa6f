//! What a user object keeps in memory: a cache of its small tables, and what may be lost.

use std::collections::BTreeMap;

use selvage_object::{Fault, Timestamp, Turn};
use selvage_protocol::Json;
use selvage_protocol::user::{Bucket, Membership, OutOfBandSource, Profile};

use crate::buckets::Level;
use crate::log::{Entry, EntryKind};
use crate::typing::TypingRoom;

/// Versions count milliseconds times this, and changes within one millisecond: so they rise over restarts too.
const VERSIONS_PER_MS: u64 = 1_024;
/// About what one log entry takes in memory, in bytes.
const LOG_ENTRY_BYTES: usize = 160;
/// About what one room takes in memory, in bytes.
const ROOM_BYTES: usize = 512;

/// The account's row.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) password_hash: Option<String>,
    pub(crate) admin: bool,
    pub(crate) deactivated: bool,
    pub(crate) profile: Profile,
    /// How often the profile was changed.
    pub(crate) profile_number: u64,
    pub(crate) receipt: String,
}

/// One room as this user sees it.
#[derive(Clone, Debug)]
pub(crate) struct Room {
    pub(crate) membership: Membership,
    /// The position of the membership event, and the log entry that told of it.
    pub(crate) pos: i64,
    pub(crate) seq: u64,
    pub(crate) stripped_state: Vec<Json>,
    /// Whether the user has forgotten the room since.
    pub(crate) forgotten: bool,
    /// Where the membership comes from, when no room here told of it.
    pub(crate) out_of_band: Option<OutOfBandSource>,
    /// The last `(seq, pos)` that the log no longer holds.
    pub(crate) base: Option<(u64, i64)>,
    /// The `(seq, pos)` that the log holds, rising.
    pub(crate) positions: Vec<(u64, i64)>,
}

impl Room {
    /// The newest position that this user was told of.
    pub(crate) fn newest(&self) -> i64 {
        self.positions
            .last()
            .or(self.base.as_ref())
            .map_or(self.pos, |(_, pos)| *pos)
    }

    /// The position of the room when the log ended at `seq`; `None` when that is not known.
    pub(crate) fn position(&self, seq: u64) -> Option<i64> {
        let held = self.positions.partition_point(|(at, _)| *at <= seq);
        let held = held.checked_sub(1).and_then(|index| self.positions.get(index));
        held.or(self.base.as_ref().filter(|(at, _)| *at <= seq))
            .map(|(_, pos)| *pos)
    }
}

/// A user object's memory.
#[derive(Debug)]
pub struct Memory {
    pub(crate) account: Option<Account>,
    /// Devices by the hash of their token.
    pub(crate) sessions: BTreeMap<String, String>,
    pub(crate) rooms: BTreeMap<String, Room>,
    pub(crate) log: BTreeMap<u64, Entry>,
    pub(crate) last_seq: u64,
    /// Tokens below this name entries that the log no longer holds.
    pub(crate) horizon: u64,
    pub(crate) typing: BTreeMap<String, TypingRoom>,
    pub(crate) buckets: BTreeMap<Bucket, Level>,
    pub(crate) login_bucket: Level,
    pub(crate) version: u64,
}

impl Memory {
    pub(crate) fn load(turn: &Turn<'_>) -> Result<Self, Fault> {
        let mut memory = Self {
            account: load_account(turn)?,
            sessions: load_sessions(turn)?,
            rooms: load_rooms(turn)?,
            log: BTreeMap::new(),
            last_seq: 0,
            horizon: load_horizon(turn)?,
            typing: BTreeMap::new(),
            buckets: BTreeMap::new(),
            login_bucket: Level::default(),
            version: first_version(turn.now()).max(turn.version_floor()),
        };
        memory.last_seq = memory.horizon;
        memory.load_log(turn)?;
        Ok(memory)
    }

    fn load_log(&mut self, turn: &Turn<'_>) -> Result<(), Fault> {
        let sql = "SELECT seq, kind, room_id, pos, detail FROM user_log WHERE object = ?1 ORDER BY seq";
        for mut row in turn.rows(sql, &[])? {
            let seq = row.number(0)?;
            let kind = EntryKind::from_row(row.integer(1)?, row.optional_text(4)?)?;
            self.remember(
                seq,
                Entry {
                    room_id: row.text(2)?,
                    pos: row.integer(3)?,
                    kind,
                },
            );
        }
        Ok(())
    }

    /// Takes an entry of the log into memory.
    pub(crate) fn remember(&mut self, seq: u64, entry: Entry) {
        self.last_seq = seq;
        if entry.kind.moves_the_room()
            && let Some(room) = self.rooms.get_mut(&entry.room_id)
        {
            room.positions.push((seq, entry.pos));
        }
        self.log.insert(seq, entry);
    }

    /// Raises the version; returns the new one, for the turn to wake with.
    pub(crate) fn raise_version(&mut self, now: Timestamp) -> u64 {
        self.version = (self.version + 1).max(first_version(now));
        self.version
    }

    pub(crate) fn joined_rooms(&self) -> Vec<String> {
        let joined = self
            .rooms
            .iter()
            .filter(|(_, room)| room.membership == Membership::Join);
        joined.map(|(room_id, _)| room_id.clone()).collect()
    }

    pub(crate) fn position(&self, room_id: &str, seq: u64) -> Option<i64> {
        self.rooms.get(room_id)?.position(seq)
    }

    pub(crate) fn bytes(&self) -> usize {
        let devices = self.sessions.len() * LOG_ENTRY_BYTES;
        let stripped = self
            .rooms
            .values()
            .flat_map(|room| &room.stripped_state)
            .map(|json| json.get().len());
        self.log.len() * LOG_ENTRY_BYTES + self.rooms.len() * ROOM_BYTES + devices + stripped.sum::<usize>()
    }
}

const fn first_version(now: Timestamp) -> u64 {
    now.0.saturating_mul(VERSIONS_PER_MS)
}

fn load_account(turn: &Turn<'_>) -> Result<Option<Account>, Fault> {
    let sql = "SELECT password_hash, admin, deactivated, displayname, avatar_url, profile_number, \
               receipt FROM user_account WHERE object = ?1";
    let Some(mut row) = turn.row(sql, &[])? else {
        return Ok(None);
    };
    let profile = Profile {
        displayname: row.optional_text(3)?,
        avatar_url: row.optional_text(4)?,
    };
    let (admin, deactivated) = (row.flag(1)?, row.flag(2)?);
    Ok(Some(Account {
        password_hash: row.optional_text(0)?,
        admin,
        deactivated,
        profile,
        profile_number: row.number(5)?,
        receipt: row.text(6)?,
    }))
}

fn load_sessions(turn: &Turn<'_>) -> Result<BTreeMap<String, String>, Fault> {
    let rows = turn.rows(
        "SELECT token_hash, device_id FROM user_devices WHERE object = ?1",
        &[],
    )?;
    rows.into_iter()
        .map(|mut row| Ok((row.text(0)?, row.text(1)?)))
        .collect()
}

fn load_rooms(turn: &Turn<'_>) -> Result<BTreeMap<String, Room>, Fault> {
    let sql = "SELECT room_id, membership, pos, seq, stripped_state, base_seq, base_pos, forgotten, \
               out_of_band FROM user_rooms WHERE object = ?1";
    let mut rooms = BTreeMap::new();
    for mut row in turn.rows(sql, &[])? {
        let membership = row.text(1)?;
        let stripped = row.text(4)?;
        let base_seq = row.optional_integer(5)?.and_then(|seq| u64::try_from(seq).ok());
        let room = Room {
            membership: Membership::from_name(&membership).ok_or_else(|| Fault::corrupt(membership))?,
            pos: row.integer(2)?,
            seq: row.number(3)?,
            stripped_state: serde_json::from_str(&stripped)
                .map_err(|error| Fault::corrupt(error.to_string()))?,
            forgotten: row.flag(7)?,
            out_of_band: source(row.optional_text(8)?)?,
            base: base_seq.zip(row.optional_integer(6)?),
            positions: Vec::new(),
        };
        rooms.insert(row.text(0)?, room);
    }
    Ok(rooms)
}

fn source(text: Option<String>) -> Result<Option<OutOfBandSource>, Fault> {
    let source = text.map(|text| serde_json::from_str(&text)).transpose();
    source.map_err(|error| Fault::corrupt(error.to_string()))
}

fn load_horizon(turn: &Turn<'_>) -> Result<u64, Fault> {
    let row = turn.row("SELECT seq FROM user_log_horizon WHERE object = ?1", &[])?;
    Ok(row.map_or(Ok(0), |row| row.number(0))?)
}
