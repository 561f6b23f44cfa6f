//! Transaction ids: the same one of the same user and device sends one event (spec: client-server-api
//! §transaction-identifiers).

use selvage_object::{Failure, Fault, INTEGER_MAX, Param, Refusal, SqlFault, Timestamp, Turn};
use selvage_protocol::errcode;
use selvage_protocol::room::Send;
use sha2::{Digest, Sha256};

use crate::accept::Work;
use crate::view::{StoredEvent, View};

/// The longest transaction id, in bytes.
const TXN_ID_MAX_BYTES: usize = 255;
/// How often old transaction ids are forgotten, in milliseconds: each lives once to twice so long.
const FORGET_EVERY_MS: u64 = 24 * 60 * 60 * 1_000;
/// The timer that rings for it.
pub(crate) const TIMER: &str = "txns";

const SEPARATOR: char = '\u{1f}';

/// How a transaction id is stored beside its event.
pub(crate) fn text(device_id: &str, txn_id: &str) -> Result<String, Refusal> {
    if txn_id.len() > TXN_ID_MAX_BYTES {
        let message = format!("a transaction id may have at most {TXN_ID_MAX_BYTES} bytes");
        return Err(Refusal::new(errcode::INVALID_PARAM, message));
    }
    Ok(format!("{device_id}{SEPARATOR}{txn_id}"))
}

/// The device and the transaction id in a stored text.
pub(crate) fn parts(text: &str) -> Option<(&str, &str)> {
    text.split_once(SEPARATOR)
}

/// A short name of the transaction, under which its event is found; the event itself tells whether it is the one.
fn key(command: &Send, txn: &str) -> i64 {
    let mut hash = Sha256::new();
    for part in [command.sender.as_str(), command.kind.as_str(), txn] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    let hash: [u8; 32] = hash.finalize().into();
    let number = hash
        .iter()
        .take(8)
        .fold(0_i64, |number, byte| (number << 8) | i64::from(*byte));
    number & INTEGER_MAX
}

/// The event that this transaction has sent already.
pub(crate) fn sent(view: View<'_>, command: &Send, txn: &str) -> Result<Option<StoredEvent>, Fault> {
    let sql = "SELECT pos FROM room_txns WHERE object = ?1 AND txn = ?2";
    let Some(row) = view.turn.row(sql, &[Param::Integer(key(command, txn))])? else {
        return Ok(None);
    };
    let stored = view.stored_at(row.integer(0)?)?;
    Ok(stored.filter(|stored| {
        let event = &stored.event;
        event.sender().as_str() == command.sender
            && event.kind() == command.kind
            && stored.txn.as_deref() == Some(txn)
    }))
}

/// Remembers that the transaction sent the event at the room's newest position.
pub(crate) fn remember(work: &mut Work<'_, '_>, command: &Send, txn: &str) -> Result<(), Failure> {
    let pos = work.view().head()?.pos;
    let sql = "INSERT OR REPLACE INTO room_txns (object, txn, pos) VALUES (?1, ?2, ?3)";
    work.turn
        .write(sql, &[Param::Integer(key(command, txn)), Param::Integer(pos)])?;
    if work.view().head()?.txn_mark.is_none() {
        set_mark(work, Some(0));
        let due = due(work.turn.now());
        work.turn.set_timer(TIMER, due)?;
    }
    Ok(())
}

const fn due(now: Timestamp) -> Timestamp {
    now.plus_ms(FORGET_EVERY_MS)
}

fn set_mark(work: &mut Work<'_, '_>, mark: Option<i64>) {
    if let Some(head) = work.memory.change().head.as_mut() {
        head.txn_mark = mark;
    }
}

/// Forgets what was there when the timer was last set; sets it again while anything remains.
pub(crate) fn forget(mut work: Work<'_, '_>) -> Result<(), Failure> {
    let (mark, pos) = work
        .view()
        .head()
        .map(|head| (head.txn_mark.unwrap_or(0), head.pos))?;
    work.turn.write(
        "DELETE FROM room_txns WHERE object = ?1 AND pos <= ?2",
        &[Param::Integer(mark)],
    )?;
    if any(work.turn)? {
        set_mark(&mut work, Some(pos));
        let due = due(work.turn.now());
        work.turn.set_timer(TIMER, due)?;
    } else {
        set_mark(&mut work, None);
    }
    work.finish()
}

fn any(turn: &Turn<'_>) -> Result<bool, SqlFault> {
    Ok(turn
        .row("SELECT 1 FROM room_txns WHERE object = ?1 LIMIT 1", &[])?
        .is_some())
}
