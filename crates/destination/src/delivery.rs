//! Sending what waits, one transaction after another, each repeated as it was until the server has it; with longer and longer
//! pauses while the server does not answer.

use selvage_object::{Failure, Fault, Param, Timestamp, Tracked, Turn};
use selvage_protocol::delivery::{
    BeginDelivery, Delivered, NextDeliveryReply, NotDelivered, PendingRoom, SentPart, Transaction,
};
use serde::{Deserialize, Serialize};

use crate::memory::Memory;
use crate::queue::{self, LEASE_MS, TIMER};

/// The most rooms of one transaction.
const ROOMS_PER_TRANSACTION_MAX: usize = 50;
/// A server that has not answered for so long, in milliseconds, catches up with the newest of each room instead of getting all.
const CATCH_UP_AFTER_MS: u64 = 3_600_000;
/// A sign of life ends a pause, but not so soon after a failure, in milliseconds: a server may send and not be reached.
const SIGN_OF_LIFE_MS: u64 = 60_000;

/// A transaction that is under way.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Frozen {
    transaction: Transaction,
    /// The number of the last message in it.
    last_message: i64,
    /// Whether it has the newest of its rooms only, so that it cannot be made again as it was.
    catch_up: bool,
}

/// How sending goes.
#[derive(Debug, Default)]
pub(crate) struct Delivery {
    frozen: Option<Frozen>,
    failures: u64,
    /// When the server stopped to answer.
    failing_since: Option<Timestamp>,
    failed_at: Timestamp,
    retry_at: Timestamp,
}

impl Delivery {
    pub(crate) fn load(turn: &Turn<'_>) -> Result<Self, Fault> {
        let sql = "SELECT frozen, failures, failing_since, failed_at, retry_at FROM destination_delivery WHERE object = ?1";
        let Some(mut row) = turn.row(sql, &[])? else {
            return Ok(Self::default());
        };
        let frozen = row.optional_text(0)?;
        let frozen = frozen.map(|text| serde_json::from_str(&text)).transpose();
        let since = row.optional_integer(2)?;
        Ok(Self {
            frozen: frozen.map_err(|error| Fault::corrupt(format!("a transaction: {error}")))?,
            failures: row.number(1)?,
            failing_since: since.and_then(|since| u64::try_from(since).ok()).map(Timestamp),
            failed_at: Timestamp(row.number(3)?),
            retry_at: Timestamp(row.number(4)?),
        })
    }

    fn write(&self, turn: &Turn<'_>) -> Result<(), Failure> {
        let frozen = self.frozen.as_ref().map(serde_json::to_string).transpose();
        let frozen = frozen.map_err(|error| Fault::corrupt(error.to_string()))?;
        let sql = "INSERT OR REPLACE INTO destination_delivery \
                   (object, frozen, failures, failing_since, failed_at, retry_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let params = [
            Param::optional_text(frozen.as_deref()),
            Param::number(self.failures),
            self.failing_since
                .map_or(Param::Null, |since| Param::number(since.0)),
            Param::number(self.failed_at.0),
            Param::number(self.retry_at.0),
        ];
        Ok(turn.write(sql, &params)?)
    }

    /// Whether the server did not answer the last time.
    pub(crate) const fn is_failing(&self) -> bool {
        self.failing_since.is_some()
    }

    /// Until when the server is left alone.
    pub(crate) const fn paused_until(&self) -> Timestamp {
        self.retry_at
    }

    fn is_far_behind(&self, now: Timestamp) -> bool {
        let after = |since: Timestamp| since.plus_ms(CATCH_UP_AFTER_MS) <= now;
        self.failing_since.is_some_and(after)
    }

    pub(crate) fn bytes(&self) -> usize {
        let edus = self.frozen.iter().flat_map(|frozen| &frozen.transaction.edus);
        edus.map(|edu| edu.get().len()).sum()
    }
}

/// What to send next.
pub(crate) fn next(memory: &mut Tracked<Memory>, turn: &Turn<'_>) -> Result<NextDeliveryReply, Failure> {
    let now = turn.now();
    if memory.delivery.paused_until() > now {
        return Ok(NextDeliveryReply::Nothing);
    }
    let catch_up = memory.delivery.is_far_behind(now);
    if let Some(frozen) = &memory.delivery.frozen {
        if !catch_up && !frozen.catch_up {
            let repeated = frozen.transaction.clone();
            memory.change().queue.running_until = now.plus_ms(LEASE_MS);
            return Ok(NextDeliveryReply::Repeat(repeated));
        }
        // Its messages are still there, and its rooms are behind.
        memory.change().delivery.frozen = None;
    }
    if memory.queue.is_empty() {
        memory.change().queue.running_until = Timestamp(0);
        return Ok(NextDeliveryReply::Nothing);
    }
    memory.change().queue.running_until = now.plus_ms(LEASE_MS);
    let pending = &mut memory.change().queue.rooms;
    let mut rooms = Vec::new();
    for (room_id, standing) in pending.iter_mut().take(ROOMS_PER_TRANSACTION_MAX) {
        standing.is_touched = false;
        rooms.push(PendingRoom {
            room_id: room_id.clone(),
            after: standing.sent,
        });
    }
    Ok(NextDeliveryReply::Gather { rooms, catch_up })
}

/// Settles what is sent; `None` when there is nothing in it.
pub(crate) fn begin(
    memory: &mut Tracked<Memory>,
    turn: &mut Turn<'_>,
    command: BeginDelivery,
) -> Result<Option<Transaction>, Failure> {
    let (edus, last_message) = queue::take_edus(memory, turn)?;
    if edus.is_empty() && !command.has_events {
        sent(memory, turn, &command.parts)?;
        caught_up(memory, turn)?;
        return Ok(None);
    }
    let [a, b, c, d, ..] = turn.random().bytes();
    let number = u32::from_be_bytes([a, b, c, d]);
    let transaction = Transaction {
        txn_id: format!("{}-{number:08x}", turn.now().0),
        parts: command.parts,
        edus,
    };
    let reply = transaction.clone();
    memory.change().delivery.frozen = Some(Frozen {
        transaction,
        last_message,
        catch_up: command.catch_up,
    });
    memory.delivery.write(turn)?;
    Ok(Some(reply))
}

/// The server has it.
pub(crate) fn delivered(
    memory: &mut Tracked<Memory>,
    turn: &Turn<'_>,
    command: &Delivered,
) -> Result<(), Failure> {
    let frozen = memory.change().delivery.frozen.take();
    let Some(frozen) = frozen.filter(|frozen| frozen.transaction.txn_id == command.txn_id) else {
        return Ok(());
    };
    sent(memory, turn, &frozen.transaction.parts)?;
    queue::forget_messages(memory, turn, frozen.last_message)?;
    let is_behind = frozen.catch_up && !memory.queue.rooms.is_empty();
    let delivery = &mut memory.change().delivery;
    delivery.failures = 0;
    delivery.retry_at = Timestamp(0);
    // One that is far behind is so until it has caught up in all rooms.
    if !is_behind {
        delivery.failing_since = None;
    }
    memory.delivery.write(turn)
}

/// Notes that a server which answers again has caught up in all rooms.
fn caught_up(memory: &mut Tracked<Memory>, turn: &Turn<'_>) -> Result<(), Failure> {
    let delivery = &memory.delivery;
    if delivery.failures > 0 || delivery.failing_since.is_none() || !memory.queue.rooms.is_empty() {
        return Ok(());
    }
    memory.change().delivery.failing_since = None;
    memory.delivery.write(turn)
}

/// Marks parts of rooms as sent.
fn sent(memory: &mut Tracked<Memory>, turn: &Turn<'_>, parts: &[SentPart]) -> Result<(), Failure> {
    for part in parts {
        let Some(mut standing) = memory.queue.rooms.get(&part.room_id).copied() else {
            continue;
        };
        standing.sent = standing.sent.max(part.up_to);
        let is_empty = part.up_to <= part.after && !standing.is_touched;
        if is_empty || standing.known < standing.sent {
            standing.known = standing.sent;
        }
        queue::write(turn, &part.room_id, standing)?;
        let rooms = &mut memory.change().queue.rooms;
        if standing.known > standing.sent {
            rooms.insert(part.room_id.clone(), standing);
        } else {
            rooms.remove(&part.room_id);
        }
    }
    Ok(())
}

/// The server was not reached.
pub(crate) fn not_delivered(
    memory: &mut Tracked<Memory>,
    turn: &mut Turn<'_>,
    command: &NotDelivered,
) -> Result<(), Failure> {
    let now = turn.now();
    let doublings = memory.delivery.failures.min(40);
    let pause = command.retry_min_ms.saturating_mul(1 << doublings);
    let [a, b, ..] = turn.random().bytes();
    let spread = pause / 4 * u64::from(u16::from_be_bytes([a, b])) / u64::from(u16::MAX);
    let retry_at = now.plus_ms(pause.saturating_add(spread).min(command.retry_max_ms));
    let memory_now = memory.change();
    memory_now.queue.edus.clear();
    memory_now.queue.running_until = Timestamp(0);
    memory_now.queue.timer_at = retry_at;
    let delivery = &mut memory_now.delivery;
    delivery.failures += 1;
    delivery.failing_since = delivery.failing_since.or(Some(now));
    delivery.failed_at = now;
    delivery.retry_at = retry_at;
    memory.delivery.write(turn)?;
    Ok(turn.set_timer(TIMER, retry_at)?)
}

/// The server has shown that it is there.
pub(crate) fn alive(memory: &mut Tracked<Memory>, turn: &mut Turn<'_>) -> Result<(), Failure> {
    let now = turn.now();
    let delivery = &memory.delivery;
    if delivery.retry_at <= now || delivery.failed_at.plus_ms(SIGN_OF_LIFE_MS) > now {
        return Ok(());
    }
    let delivery = &mut memory.change().delivery;
    delivery.failures = 0;
    delivery.retry_at = Timestamp(0);
    memory.delivery.write(turn)?;
    resume(memory, turn)
}

/// The timer rang: a pause is over, or the workflow may be lost.
pub(crate) fn ring(memory: &mut Tracked<Memory>, turn: &mut Turn<'_>) -> Result<(), Failure> {
    let running_until = memory.queue.running_until;
    memory.change().queue.timer_at = Timestamp(0);
    if running_until > turn.now() {
        memory.change().queue.timer_at = running_until;
        return Ok(turn.set_timer(TIMER, running_until)?);
    }
    resume(memory, turn)
}

fn resume(memory: &mut Tracked<Memory>, turn: &mut Turn<'_>) -> Result<(), Failure> {
    // A transaction of nothing but what may be lost waits for no more than one repetition.
    let only_frozen = memory.queue.is_empty() && memory.delivery.frozen.is_some();
    if only_frozen {
        memory.change().delivery.frozen = None;
        memory.change().delivery.failing_since = None;
        return memory.delivery.write(turn);
    }
    queue::start(memory, turn)
}
