//! The user's log: one entry for each thing that changed for the user, numbered by `seq`, which sync tokens name.

use std::collections::BTreeMap;

use selvage_object::{Fault, Param, SqlFault, Tracked, Turn};
use selvage_protocol::user::Membership;

use crate::memory::Memory;

/// The most entries of a user's log. When it is full its older half goes, and each room keeps the last position of what
/// went; a token from before is still good, and its rooms come anew with a gap to page back through.
const LOG_ENTRIES_MAX: usize = 4_096;

/// One entry of the log.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// The room; empty for what is of the account.
    pub(crate) room_id: String,
    /// The room's newest position.
    pub(crate) pos: i64,
    pub(crate) kind: EntryKind,
}

/// What changed.
#[derive(Clone, Debug)]
pub(crate) enum EntryKind {
    /// The room's timeline or receipts went on.
    Moved,
    /// The user's membership changed; what it was before, if anything.
    Membership(Option<Membership>),
    /// Account data of this type changed.
    AccountData(String),
}

impl EntryKind {
    pub(crate) const fn moves_the_room(&self) -> bool {
        matches!(self, Self::Moved | Self::Membership(_))
    }

    fn to_row(&self) -> (i64, Option<&str>) {
        match self {
            Self::Moved => (0, None),
            Self::Membership(before) => (1, before.map(Membership::as_str)),
            Self::AccountData(kind) => (2, Some(kind)),
        }
    }

    pub(crate) fn from_row(kind: i64, detail: Option<String>) -> Result<Self, Fault> {
        match (kind, detail) {
            (0, None) => Ok(Self::Moved),
            (1, before) => Ok(Self::Membership(
                before.as_deref().and_then(Membership::from_name),
            )),
            (2, Some(kind)) => Ok(Self::AccountData(kind)),
            (kind, _) => Err(Fault::corrupt(format!("a log entry of kind {kind}"))),
        }
    }
}

/// Adds an entry and wakes whoever waits; returns its number.
pub(crate) fn append(
    memory: &mut Tracked<Memory>,
    turn: &mut Turn<'_>,
    entry: Entry,
) -> Result<u64, SqlFault> {
    let seq = memory.last_seq + 1;
    let (kind, detail) = entry.kind.to_row();
    let sql =
        "INSERT INTO user_log (object, seq, kind, room_id, pos, detail) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let room = Param::Text(&entry.room_id);
    let detail = Param::optional_text(detail);
    turn.write(
        sql,
        &[
            Param::number(seq),
            Param::Integer(kind),
            room,
            Param::Integer(entry.pos),
            detail,
        ],
    )?;
    let memory = memory.change();
    memory.remember(seq, entry);
    let version = memory.raise_version(turn.now());
    turn.wake(version);
    if memory.log.len() > LOG_ENTRIES_MAX {
        compact(memory, turn)?;
    }
    Ok(seq)
}

/// Drops the older half of the log.
fn compact(memory: &mut Memory, turn: &Turn<'_>) -> Result<(), SqlFault> {
    let Some(horizon) = memory.log.keys().nth(LOG_ENTRIES_MAX / 2).copied() else {
        return Ok(());
    };
    let kept = memory.log.split_off(&(horizon + 1));
    memory.log = kept;
    memory.horizon = horizon;
    for (room_id, base) in raise_bases(memory, horizon) {
        let sql = "UPDATE user_rooms SET base_seq = ?3, base_pos = ?4 WHERE object = ?1 AND room_id = ?2";
        turn.write(
            sql,
            &[
                Param::Text(&room_id),
                Param::number(base.0),
                Param::Integer(base.1),
            ],
        )?;
    }
    turn.write(
        "DELETE FROM user_log WHERE object = ?1 AND seq <= ?2",
        &[Param::number(horizon)],
    )?;
    let sql = "INSERT INTO user_log_horizon (object, seq) VALUES (?1, ?2) \
               ON CONFLICT (object) DO UPDATE SET seq = excluded.seq";
    turn.write(sql, &[Param::number(horizon)])
}

/// Moves each room's positions up to `horizon` into its base; returns the bases that changed.
fn raise_bases(memory: &mut Memory, horizon: u64) -> BTreeMap<String, (u64, i64)> {
    let mut raised = BTreeMap::new();
    for (room_id, room) in &mut memory.rooms {
        let gone = room.positions.partition_point(|(seq, _)| *seq <= horizon);
        if let Some(last) = room.positions.drain(..gone).next_back() {
            room.base = Some(last);
            raised.insert(room_id.clone(), last);
        }
    }
    raised
}
