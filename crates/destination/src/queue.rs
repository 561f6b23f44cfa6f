//! What waits for the server: rooms with news, as positions; messages that must arrive; and, in memory, what may be lost.

use std::collections::BTreeMap;

use selvage_object::{Failure, Fault, INTEGER_MAX, Param, Timestamp, Tracked, Turn};
use selvage_protocol::Json;
use selvage_protocol::delivery::{QueueEdu, QueueMessage, RoomNews};
use selvage_protocol::work::Work;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::memory::Memory;

/// The timer that goes on with the delivery: when the workflow was lost, or a pause is over.
pub(crate) const TIMER: &str = "deliver";
/// How long a workflow has the delivery without asking for the next, in milliseconds.
pub(crate) const LEASE_MS: u64 = 180_000;
/// The most EDUs of one transaction (spec: server-server-api §transactions).
const EDUS_PER_TRANSACTION_MAX: usize = 100;
/// The most bytes of one transaction's EDUs, since they are kept in one row until the server has them.
const EDU_BYTES_PER_TRANSACTION_MAX: usize = 1_000_000;
/// The most EDUs in memory; the oldest keys go first.
const EDUS_KEPT_MAX: usize = 1_000;
/// The most messages that wait for one server. More are refused, and those who sent them are told nothing: a server that was
/// away for so long has lost its users' devices to it.
const MESSAGES_MAX: u64 = 50_000;

/// In place of the last position with something: there is more than one cares to note while the server does not answer.
pub(crate) const MORE: i64 = INTEGER_MAX;
/// The most rooms that are named to whoever looks for an event.
const ROOMS_ANSWERED_MAX: u64 = 50;

/// Where one room stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Up to here everything was sent.
    pub(crate) sent: i64,
    /// Up to here there is something, or [`MORE`].
    pub(crate) known: i64,
    /// Whether there was news since the room was last looked at.
    pub(crate) is_touched: bool,
}

impl Standing {
    const fn new(sent: i64, known: i64) -> Self {
        Self {
            sent,
            known,
            is_touched: true,
        }
    }
}

/// What waits, and how sending it goes.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    /// Rooms with something to send.
    pub(crate) rooms: BTreeMap<String, Standing>,
    /// What may be lost, by key.
    pub(crate) edus: BTreeMap<String, Json>,
    /// Whether there are messages that must arrive.
    pub(crate) has_messages: bool,
    /// Until when a workflow has the delivery.
    pub(crate) running_until: Timestamp,
    /// When the timer rings, as far as is known here. It is not stopped when there is nothing left to do, so that it need not be set
    /// again a moment later.
    pub(crate) timer_at: Timestamp,
}

#[derive(Serialize)]
struct Edu<'a> {
    edu_type: &'a str,
    content: &'a RawValue,
}

impl Queue {
    pub(crate) fn load(turn: &Turn<'_>) -> Result<Self, Fault> {
        let sql = "SELECT room_id, sent, known FROM destination_rooms WHERE object = ?1 AND known > sent";
        let mut rooms = BTreeMap::new();
        for mut row in turn.rows(sql, &[])? {
            let standing = Standing::new(row.integer(1)?, row.integer(2)?);
            rooms.insert(row.text(0)?, standing);
        }
        let sql = "SELECT 1 FROM destination_messages WHERE object = ?1 LIMIT 1";
        Ok(Self {
            rooms,
            has_messages: turn.row(sql, &[])?.is_some(),
            ..Self::default()
        })
    }

    pub(crate) fn bytes(&self) -> usize {
        let rooms = self.rooms.keys().map(|room_id| room_id.len() + 64);
        let edus = self
            .edus
            .iter()
            .map(|(key, edu)| key.len() + edu.get().len() + 64);
        rooms.chain(edus).sum()
    }

    /// Whether something waits that must arrive.
    pub(crate) fn must_deliver(&self) -> bool {
        self.has_messages || !self.rooms.is_empty()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.edus.is_empty() && !self.must_deliver()
    }
}

/// A room has something; see [`RoomNews`].
pub(crate) fn news(
    memory: &mut Tracked<Memory>,
    turn: &mut Turn<'_>,
    command: &RoomNews,
) -> Result<(), Failure> {
    let pending = memory.queue.rooms.get(&command.room_id).copied();
    let is_away = memory.delivery.is_failing() && memory.queue.running_until <= turn.now();
    let standing = match pending {
        // A server that does not answer costs nothing but its timer: once is noted that there is more, and no more is.
        Some(standing) if standing.known == MORE => Standing::new(standing.sent, MORE),
        Some(standing) if is_away => Standing::new(standing.sent, MORE),
        Some(standing) if standing.known >= command.pos => return Ok(()),
        Some(standing) => Standing::new(standing.sent, command.pos),
        None => {
            // What came while the server was not in the room is not for it.
            let first = command.from.saturating_sub(1);
            match read(turn, &command.room_id)? {
                Some(before) if before.known >= command.pos => return Ok(()),
                Some(before) => Standing::new(before.sent.max(first), command.pos),
                None => Standing::new(first, command.pos),
            }
        }
    };
    if pending.is_none_or(|before| before.known != standing.known) {
        write(turn, &command.room_id, standing)?;
    }
    let rooms = &mut memory.change().queue.rooms;
    rooms.insert(command.room_id.clone(), standing);
    start(memory, turn)
}

/// Something that may be lost; see [`QueueEdu`].
pub(crate) fn edu(
    memory: &mut Tracked<Memory>,
    turn: &mut Turn<'_>,
    command: &QueueEdu,
) -> Result<(), Failure> {
    if memory.delivery.is_failing() {
        return Ok(());
    }
    let edu = wrapped(&command.kind, &command.content)?;
    let edus = &mut memory.change().queue.edus;
    edus.insert(command.key.clone(), edu);
    while edus.len() > EDUS_KEPT_MAX {
        edus.pop_first();
    }
    start(memory, turn)
}

/// Something that must arrive; see [`QueueMessage`].
pub(crate) fn message(
    memory: &mut Tracked<Memory>,
    turn: &mut Turn<'_>,
    command: &QueueMessage,
) -> Result<(), Failure> {
    let sql = "SELECT count(*), max(seq), sum(id = ?2) FROM destination_messages WHERE object = ?1";
    let row = turn.row(sql, &[Param::Text(&command.id)])?;
    let (count, last, same) = match row {
        Some(row) => (
            row.number(0)?,
            row.optional_integer(1)?.unwrap_or(0),
            row.optional_integer(2)?.unwrap_or(0),
        ),
        None => (0, 0, 0),
    };
    if same > 0 || count >= MESSAGES_MAX {
        return Ok(());
    }
    let sql = "INSERT INTO destination_messages (object, seq, id, edu) VALUES (?1, ?2, ?3, ?4)";
    let edu = wrapped(&command.kind, &command.content)?;
    let params = [
        Param::Integer(last + 1),
        Param::Text(&command.id),
        Param::Text(edu.get()),
    ];
    turn.write(sql, &params)?;
    memory.change().queue.has_messages = true;
    start(memory, turn)
}

/// Starts a workflow that delivers, unless one does already or the server is given a pause.
pub(crate) fn start(memory: &mut Tracked<Memory>, turn: &mut Turn<'_>) -> Result<(), Failure> {
    let now = turn.now();
    if memory.queue.is_empty() || memory.queue.running_until > now || memory.delivery.paused_until() > now {
        return Ok(());
    }
    let until = now.plus_ms(LEASE_MS);
    memory.change().queue.running_until = until;
    let rings = memory.queue.timer_at > now && memory.queue.timer_at <= until;
    if memory.queue.must_deliver() && !rings {
        turn.set_timer(TIMER, until)?;
        memory.change().queue.timer_at = until;
    }
    Ok(turn.start(&Work::Deliver {})?)
}

/// The EDUs of the next transaction, and the number of the last message among them.
pub(crate) fn take_edus(memory: &mut Tracked<Memory>, turn: &Turn<'_>) -> Result<(Vec<Json>, i64), Failure> {
    let mut edus: Vec<Json> = Vec::new();
    let mut bytes = 0;
    let mut last = 0;
    let sql = "SELECT seq, edu FROM destination_messages WHERE object = ?1 ORDER BY seq LIMIT ?2";
    let limit = EDUS_PER_TRANSACTION_MAX as u64;
    for mut row in turn.rows(sql, &[Param::number(limit)])? {
        let edu = row.text(1)?;
        bytes += edu.len();
        if bytes > EDU_BYTES_PER_TRANSACTION_MAX && !edus.is_empty() {
            return Ok((edus, last));
        }
        last = row.integer(0)?;
        edus.push(RawValue::from_string(edu).map_err(|error| Fault::corrupt(error.to_string()))?);
    }
    while edus.len() < EDUS_PER_TRANSACTION_MAX && bytes <= EDU_BYTES_PER_TRANSACTION_MAX {
        let Some((_, edu)) = memory.change().queue.edus.pop_first() else {
            break;
        };
        bytes += edu.get().len();
        edus.push(edu);
    }
    Ok((edus, last))
}

/// Forgets the messages up to this number: the server has them.
pub(crate) fn forget_messages(
    memory: &mut Tracked<Memory>,
    turn: &Turn<'_>,
    last: i64,
) -> Result<(), Failure> {
    if last == 0 {
        return Ok(());
    }
    let sql = "DELETE FROM destination_messages WHERE object = ?1 AND seq <= ?2";
    turn.write(sql, &[Param::Integer(last)])?;
    let sql = "SELECT 1 FROM destination_messages WHERE object = ?1 LIMIT 1";
    memory.change().queue.has_messages = turn.row(sql, &[])?.is_some();
    Ok(())
}

/// Some of the rooms that the server was, or is to be, told something of.
pub(crate) fn rooms(turn: &Turn<'_>) -> Result<Vec<String>, Failure> {
    let sql = "SELECT room_id FROM destination_rooms WHERE object = ?1 LIMIT ?2";
    let rows = turn.rows(sql, &[Param::number(ROOMS_ANSWERED_MAX)])?;
    let ids = rows.into_iter().map(|mut row| row.text(0));
    Ok(ids.collect::<Result<_, _>>()?)
}

fn wrapped(kind: &str, content: &RawValue) -> Result<Json, Fault> {
    let edu_type = kind;
    to_raw_value(&Edu { edu_type, content }).map_err(|error| Fault::corrupt(error.to_string()))
}

fn read(turn: &Turn<'_>, room_id: &str) -> Result<Option<Standing>, Fault> {
    let sql = "SELECT sent, known FROM destination_rooms WHERE object = ?1 AND room_id = ?2";
    let row = turn.row(sql, &[Param::Text(room_id)])?;
    row.map(|row| Ok(Standing::new(row.integer(0)?, row.integer(1)?)))
        .transpose()
}

pub(crate) fn write(turn: &Turn<'_>, room_id: &str, standing: Standing) -> Result<(), Failure> {
    let sql = "INSERT INTO destination_rooms (object, room_id, sent, known) VALUES (?1, ?2, ?3, ?4) \
               ON CONFLICT (object, room_id) DO UPDATE SET sent = excluded.sent, known = excluded.known";
    let params = [
        Param::Text(room_id),
        Param::Integer(standing.sent),
        Param::Integer(standing.known),
    ];
    Ok(turn.write(sql, &params)?)
}
