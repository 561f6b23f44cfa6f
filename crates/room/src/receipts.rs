//! Receipts: how far each user has read (spec: client-server-api §receipts).

use std::collections::BTreeMap;

use selvage_event::Membership;
use selvage_object::{Failure, Fault, Param, Refusal};
use selvage_protocol::federation::{ReceiveReceipts, RemoteReceipt};
use selvage_protocol::room::SetReceipt;
use selvage_protocol::{Json, errcode};
use serde::Serialize;
use serde_json::value::to_raw_value;
use serde_json::{Map, Value, json as value};

use crate::accept::Work;
use crate::error::{forbidden, json, not_found};
use crate::residence::{check_acl, check_resident, is_in_room, is_of};
use crate::timeline::position;
use crate::view::View;

/// The receipt that nobody but its user sees.
const PRIVATE: &str = "m.read.private";
/// The most receipts of one command that are taken.
const REMOTE_RECEIPTS_MAX: usize = 1_000;
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
    let now = work.turn.now().0;
    if !mark(&mut work, command, now)? {
        return Ok(());
    }
    if command.kind == PRIVATE {
        return work.finish_for(&command.user_id);
    }
    work.tell_everybody();
    tell_servers(&mut work, command)?;
    work.finish()
}

/// Receipts of users of another server (spec: server-server-api §receipts). One that cannot be taken, because its user is not
/// here or its event not known, is passed over.
pub(crate) fn receive(mut work: Work<'_, '_>, command: &ReceiveReceipts) -> Result<(), Failure> {
    check_resident(work.view())?;
    if !is_in_room(work.view(), &command.server)? {
        return Err(forbidden("your server is not in this room"));
    }
    check_acl(work.view(), &command.server)?;
    let mut marked = false;
    for receipt in command.receipts.iter().take(REMOTE_RECEIPTS_MAX) {
        if is_of(&receipt.user_id, &command.server) {
            marked |= receive_one(&mut work, receipt)?;
        }
    }
    if !marked {
        return Ok(());
    }
    work.tell_everybody();
    work.finish()
}

fn receive_one(work: &mut Work<'_, '_>, receipt: &RemoteReceipt) -> Result<bool, Failure> {
    let set = SetReceipt {
        user_id: receipt.user_id.clone(),
        kind: "m.read".to_owned(),
        event_id: receipt.event_id.clone(),
        thread_id: receipt.thread_id.clone(),
    };
    let ts = receipt.ts.min(work.turn.now().0);
    match mark(work, &set, ts) {
        Err(Failure::Refusal(_)) => Ok(false),
        other => other,
    }
}

/// Moves a user's receipt on; false when it stands there already, or further on.
fn mark(work: &mut Work<'_, '_>, command: &SetReceipt, ts: u64) -> Result<bool, Failure> {
    if work.now()?.membership(&command.user_id)? != Membership::Join {
        return Err(forbidden("you are not in this room"));
    }
    let event = work.view().stored_by_id(&command.event_id)?;
    let event_pos = event.ok_or_else(|| not_found("no such event in this room"))?.pos;
    if standing(work, command)?.is_some_and(|standing| standing >= event_pos) {
        return Ok(false);
    }
    let pos = work.take_position()?;
    write(work, command, (event_pos, ts), pos)?;
    Ok(true)
}

/// Tells the servers of other members how far a user of this one has read (spec: server-server-api §receipts).
fn tell_servers(work: &mut Work<'_, '_>, command: &SetReceipt) -> Result<(), Failure> {
    let user_id = command.user_id.as_str();
    if !work.room.identity.is_local(user_id) {
        return Ok(());
    }
    let mut data = Map::new();
    data.insert("ts".to_owned(), Value::from(work.turn.now().0));
    if let Some(thread_id) = &command.thread_id {
        data.insert("thread_id".to_owned(), Value::from(thread_id.as_str()));
    }
    let receipt = value!({ "data": data, "event_ids": [command.event_id] });
    let room_id = work.turn.key().name();
    let content = value!({ room_id: { "m.read": { user_id: receipt } } });
    work.hint_servers(&format!("{user_id}/{}", thread(command)), "m.receipt", &content)
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

fn write(
    work: &Work<'_, '_>,
    command: &SetReceipt,
    (event_pos, ts): (i64, u64),
    pos: i64,
) -> Result<(), Failure> {
    let sql = "INSERT INTO room_receipts (object, user_id, kind, thread, event_id, event_pos, ts, pos) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (object, user_id, kind, thread) DO UPDATE SET \
               event_id = excluded.event_id, event_pos = excluded.event_pos, ts = excluded.ts, pos = excluded.pos";
    let params = [
        Param::Text(&command.user_id),
        Param::Text(&command.kind),
        Param::Text(thread(command)),
        Param::Text(&command.event_id),
        Param::Integer(event_pos),
        Param::number(ts),
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
