//! Account data (spec: client-server-api §client-config).

use std::collections::BTreeMap;

use selvage_object::{Failure, Fault, Param, Refusal, Row, SqlFault, Tracked, Turn};
use selvage_protocol::user::{AccountDatum, GetAccountData, SetAccountData};
use selvage_protocol::{Json, errcode};
use serde_json::value::RawValue;

use crate::account;
use crate::log::{self, Entry, EntryKind};
use crate::memory::Memory;

/// The longest content of one type, in bytes.
const CONTENT_MAX_BYTES: usize = 1_000_000;
/// The longest type, in bytes.
const KIND_MAX_BYTES: usize = 255;

/// Account data by room id; the account's own have the empty one.
pub(crate) type ByRoom = BTreeMap<String, Vec<AccountDatum>>;

/// Sets one type. Setting what is there already changes nothing, nor does what would move back.
pub(crate) fn set(
    memory: &mut Tracked<Memory>,
    turn: &mut Turn<'_>,
    command: &SetAccountData,
) -> Result<(), Failure> {
    account::active(memory)?;
    if command.content.get().len() > CONTENT_MAX_BYTES || command.kind.len() > KIND_MAX_BYTES {
        return Err(Refusal::new(errcode::TOO_LARGE, "this account data is too large").into());
    }
    let room_id = command.room_id.clone().unwrap_or_default();
    if standing(turn, &room_id, &command.kind)?.is_some_and(|standing| standing.outlasts(command)) {
        return Ok(());
    }
    let kind = EntryKind::AccountData(command.kind.clone());
    let seq = log::append(
        memory,
        turn,
        Entry {
            room_id: room_id.clone(),
            pos: 0,
            kind,
        },
    )?;
    let sql = "INSERT INTO user_account_data (object, room_id, kind, content, seq, pos) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
               ON CONFLICT (object, room_id, kind) DO UPDATE SET content = excluded.content, seq = excluded.seq, \
               pos = excluded.pos";
    let content = Param::Text(command.content.get());
    turn.write(
        sql,
        &[
            Param::Text(&room_id),
            Param::Text(&command.kind),
            content,
            Param::number(seq),
            command.pos.map_or(Param::Null, Param::Integer),
        ],
    )?;
    Ok(())
}

/// What is set.
struct Standing {
    content: Json,
    pos: Option<i64>,
}

impl Standing {
    /// Whether this stays rather than what the command brings.
    fn outlasts(&self, command: &SetAccountData) -> bool {
        let further = self
            .pos
            .zip(command.pos)
            .is_some_and(|(standing, new)| standing > new);
        further || self.content.get() == command.content.get()
    }
}

fn standing(turn: &Turn<'_>, room_id: &str, kind: &str) -> Result<Option<Standing>, Fault> {
    let sql = "SELECT content, pos FROM user_account_data WHERE object = ?1 AND room_id = ?2 AND kind = ?3";
    let Some(mut row) = turn.row(sql, &[Param::Text(room_id), Param::Text(kind)])? else {
        return Ok(None);
    };
    Ok(Some(Standing {
        content: json(row.text(0)?)?,
        pos: row.optional_integer(1)?,
    }))
}

/// One type, if it was ever set.
pub(crate) fn get(turn: &Turn<'_>, command: &GetAccountData) -> Result<Option<Json>, Fault> {
    stored(
        turn,
        command.room_id.as_deref().unwrap_or_default(),
        &command.kind,
    )
}

fn stored(turn: &Turn<'_>, room_id: &str, kind: &str) -> Result<Option<Json>, Fault> {
    Ok(standing(turn, room_id, kind)?.map(|standing| standing.content))
}

/// All that changed after `seq`.
pub(crate) fn since(turn: &Turn<'_>, seq: u64) -> Result<ByRoom, Fault> {
    let sql = "SELECT room_id, kind, content FROM user_account_data WHERE object = ?1 AND seq > ?2";
    by_room(turn.rows(sql, &[Param::number(seq)])?)
}

/// All of one room.
pub(crate) fn of_room(turn: &Turn<'_>, room_id: &str) -> Result<Vec<AccountDatum>, Fault> {
    let sql = "SELECT room_id, kind, content FROM user_account_data WHERE object = ?1 AND room_id = ?2";
    let mut found = by_room(turn.rows(sql, &[Param::Text(room_id)])?)?;
    Ok(found.remove(room_id).unwrap_or_default())
}

/// The types that the log names after `seq`.
pub(crate) fn named(memory: &Memory, turn: &Turn<'_>, seq: u64) -> Result<ByRoom, Fault> {
    let mut named = BTreeMap::new();
    for entry in memory.log.range(seq + 1..).map(|(_, entry)| entry) {
        if let EntryKind::AccountData(kind) = &entry.kind {
            named.insert((entry.room_id.as_str(), kind.as_str()), ());
        }
    }
    let mut found = ByRoom::new();
    for (room_id, kind) in named.into_keys() {
        if let Some(content) = stored(turn, room_id, kind)? {
            found.entry(room_id.to_owned()).or_default().push(AccountDatum {
                kind: kind.to_owned(),
                content,
            });
        }
    }
    Ok(found)
}

fn by_room(rows: Vec<Row>) -> Result<ByRoom, Fault> {
    let mut found = ByRoom::new();
    for mut row in rows {
        let datum = AccountDatum {
            kind: row.text(1)?,
            content: json(row.text(2)?)?,
        };
        found.entry(row.text(0)?).or_default().push(datum);
    }
    Ok(found)
}

fn json(text: String) -> Result<Json, Fault> {
    RawValue::from_string(text).map_err(|error| Fault::corrupt(error.to_string()))
}

/// Forgets the account data of one room.
pub(crate) fn forget_room(turn: &Turn<'_>, room_id: &str) -> Result<(), SqlFault> {
    turn.write(
        "DELETE FROM user_account_data WHERE object = ?1 AND room_id = ?2",
        &[Param::Text(room_id)],
    )
}
