//! Receipts: how far each user has read (spec: client-server-api §receipts).

use std::collections::BTreeMap;

use selvage_event::Membership;
use selvage_object::{Failure, Fault, Param, Refusal};
use selvage_protocol::room::SetReceipt;
use selvage_protocol::{Json, errcode};
use serde::Serialize;
use serde_json::value::to_raw_value;

use crate::accept::Work;
use crate::error::{forbidden, json, not_found};
use crate::timeline::position;
use crate::view::View;

/// The receipt that nobody but its user sees.
const PRIVATE: &str = "m.read.private";
/// The most receipts in one answer: the newest of a room where more have changed.
const RECEIPTS_MAX: u64 = 1_000;

#[derive(Serialize)]
struct Receipt {
    ts: u64,
    #[serde(skip_serializing_if = "String::is_empty")]
    thread_id: String,
}

/// By event, kind and user: the content of an `m.receipt` event.
type Content = BTreeMap<String, BTreeMap<String, BTreeMap<String, Receipt>>>;

/// Marks how far a user has read. A receipt that would move back is taken and changes nothing.
pub(crate) fn set(mut work: Work<'_, '_>, command: &SetReceipt) -> Result<(), Failure> {
    if !["m.read", PRIVATE].contains(&command.kind.as_str()) {
        let message = format!("no receipt of type {:?}", command.kind);
        return Err(Refusal::new(errcode::INVALID_PARAM, message).into());
    }
    if work.now()?.membership(&command.user_id)? != Membership::Join {
        return Err(forbidden("you are not in this room"));
    }
    let event = work.view().stored_by_id(&command.event_id)?;
    let event_pos = event.ok_or_else(|| not_found("no such event in this room"))?.pos;
    if standing(&work, command)?.is_some_and(|standing| standing >= event_pos) {
        return Ok(());
    }
    let pos = work.take_position()?;
    write(&work, command, event_pos, pos)?;
    if command.kind == PRIVATE {
        return work.finish_for(&command.user_id);
    }
    work.tell_everybody();
    work.finish()
}

fn thread(command: &SetReceipt) -> &str {
    command.thread_id.as_deref().unwrap_or_default()
}

/// The position that the user's receipt stands at.
fn standing(work: &Work<'_, '_>, command: &SetReceipt) -> Result<Option<i64>, Fault> {
    let sql = "SELECT event_pos FROM room_receipts WHERE object = ?1 AND user_id = ?2 AND kind = ?3 AND thread = ?4";
    let params = [
        Param::Text(&command.user_id),
        Param::Text(&command.kind),
        Param::Text(thread(command)),
    ];
    Ok(work
        .turn
        .row(sql, &params)?
        .map(|row| row.integer(0))
        .transpose()?)
}

fn write(work: &Work<'_, '_>, command: &SetReceipt, event_pos: i64, pos: i64) -> Result<(), Failure> {
    let sql = "INSERT INTO room_receipts (object, user_id, kind, thread, event_id, event_pos, ts, pos) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (object, user_id, kind, thread) DO UPDATE SET \
               event_id = excluded.event_id, event_pos = excluded.event_pos, ts = excluded.ts, pos = excluded.pos";
    let params = [
        Param::Text(&command.user_id),
        Param::Text(&command.kind),
        Param::Text(thread(command)),
        Param::Text(&command.event_id),
        Param::Integer(event_pos),
        Param::number(work.turn.now().0),
        Param::Integer(pos),
    ];
    Ok(work.turn.write(sql, &params)?)
}

/// The receipts that changed in a part of the room's order, as one viewer may see them: a content for each thread, because
/// one content has room for one receipt of each event, kind and user.
pub(crate) fn changed(view: View<'_>, viewer: &str, after: i64, to: i64) -> Result<Vec<Json>, Fault> {
    let sql = "SELECT event_id, kind, user_id, ts, thread FROM room_receipts \
               WHERE object = ?1 AND pos > ?2 AND pos <= ?3 AND (kind <> ?4 OR user_id = ?5) ORDER BY pos DESC LIMIT ?6";
    let limits = [position(after), position(to), Param::Text(PRIVATE)];
    let params = [
        limits.as_slice(),
        &[Param::Text(viewer), Param::number(RECEIPTS_MAX)],
    ]
    .concat();
    let mut threads: BTreeMap<String, Content> = BTreeMap::new();
    for mut row in view.turn.rows(sql, &params)? {
        let receipt = Receipt {
            ts: row.number(3)?,
            thread_id: row.text(4)?,
        };
        let content = threads.entry(receipt.thread_id.clone()).or_default();
        let of_event = content.entry(row.text(0)?).or_default();
        of_event
            .entry(row.text(1)?)
            .or_default()
            .insert(row.text(2)?, receipt);
    }
    let contents = threads.values().map(to_raw_value);
    contents.collect::<Result<_, _>>().map_err(|error| json(&error))
}
