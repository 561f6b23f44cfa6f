//! The transactions that come from the server: one at a time, each once. spec: `server-server-api §transactions`

use std::collections::BTreeMap;

use selvage_object::{Failure, Fault, Param, Refusal, Tracked, Turn};
use selvage_protocol::destination::{BeginTransactionReply, EndTransaction};
use selvage_protocol::{Json, errcode};

use serde_json::value::RawValue;

use crate::delivery;
use crate::lease::Lease;
use crate::memory::Memory;

/// How many answers are remembered. A server sends one transaction at a time and repeats the one whose answer it missed, so
/// that is the last; one that repeats older ones than these is answered anew, and what they hold is known already.
const ANSWERS_KEPT: i64 = 16;
/// How long taking in a transaction may last before the next begins, in milliseconds.
const TRANSACTION_LEASE_MS: u64 = 120_000;
/// The longest id of a transaction, in bytes; longer ones are refused.
const TXN_ID_MAX_BYTES: usize = 255;

/// The last transactions.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    lease: Lease,
    /// Answers by the slot that their row has.
    answers: BTreeMap<i64, (String, Json)>,
    /// The slot of the next: the one after the newest.
    next_slot: i64,
}

impl Incoming {
    pub(crate) fn load(turn: &Turn<'_>) -> Result<Self, Fault> {
        let sql = "SELECT slot, txn_id, answer FROM destination_incoming WHERE object = ?1";
        let mut incoming = Self::default();
        for mut row in turn.rows(sql, &[])? {
            let slot = row.integer(0)?;
            let answer =
                RawValue::from_string(row.text(2)?).map_err(|error| Fault::corrupt(error.to_string()))?;
            incoming.answers.insert(slot, (row.text(1)?, answer));
            incoming.next_slot = incoming.next_slot.max(slot + 1);
        }
        Ok(incoming)
    }

    fn answer(&self, txn_id: &str) -> Option<&Json> {
        let mut answers = self.answers.values();
        answers.find(|(id, _)| id == txn_id).map(|(_, answer)| answer)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.answers
            .values()
            .map(|(id, answer)| id.len() + answer.get().len())
            .sum()
    }
}

/// Begins a transaction, unless it was answered or another is under way.
pub(crate) fn begin(
    memory: &mut Tracked<Memory>,
    turn: &mut Turn<'_>,
    txn_id: &str,
) -> Result<BeginTransactionReply, Failure> {
    if txn_id.len() > TXN_ID_MAX_BYTES {
        return Err(Refusal::new(errcode::INVALID_PARAM, "the transaction's id is too long").into());
    }
    if let Some(answer) = memory.incoming.answer(txn_id) {
        return Ok(BeginTransactionReply::Answered(answer.clone()));
    }
    let begun = memory
        .change()
        .incoming
        .lease
        .take(turn.now(), TRANSACTION_LEASE_MS);
    if begun {
        delivery::alive(memory, turn)?;
        return Ok(BeginTransactionReply::Begun);
    }
    Ok(BeginTransactionReply::Busy {
        version: memory.version,
    })
}

/// Ends the transaction, and remembers its answer.
pub(crate) fn end(
    memory: &mut Tracked<Memory>,
    turn: &mut Turn<'_>,
    command: EndTransaction,
) -> Result<(), Failure> {
    if let Some(answer) = command.answer
        && memory.incoming.answer(&command.txn_id).is_none()
    {
        remember(memory, turn, command.txn_id, answer)?;
    }
    memory.change().incoming.lease.end();
    memory.change().wake(turn);
    Ok(())
}

fn remember(
    memory: &mut Tracked<Memory>,
    turn: &Turn<'_>,
    txn_id: String,
    answer: Json,
) -> Result<(), Failure> {
    let slot = memory.incoming.next_slot;
    let values = [
        Param::Integer(slot),
        Param::Text(&txn_id),
        Param::Text(answer.get()),
    ];
    turn.write(
        "INSERT INTO destination_incoming (object, slot, txn_id, answer) VALUES (?1, ?2, ?3, ?4)",
        &values,
    )?;
    let gone = slot - ANSWERS_KEPT;
    turn.write(
        "DELETE FROM destination_incoming WHERE object = ?1 AND slot <= ?2",
        &[Param::Integer(gone)],
    )?;
    let incoming = &mut memory.change().incoming;
    incoming.answers.insert(slot, (txn_id, answer));
    incoming.answers.retain(|slot, _| *slot > gone);
    incoming.next_slot += 1;
    Ok(())
}
