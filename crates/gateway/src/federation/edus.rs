//! The ephemeral messages of a transaction. spec: `server-server-api §edus`
//!
//! Typing and receipts go to their rooms. Presence, devices, their keys and messages to them are not kept by this server yet,
//! so what comes of them is dropped, as are messages of unknown kinds.

use std::collections::BTreeMap;

use selvage_event::{RoomId, ServerName};
use selvage_protocol::federation::{ReceiveReceipts, ReceiveTyping, RemoteReceipt};
use selvage_protocol::{Ask, Json, room_key};
use serde::Deserialize;

use crate::{Gateway, Host};

/// The most rooms that one message about receipts is taken for.
const ROOMS_MAX: usize = 100;

#[derive(Deserialize)]
struct Edu {
    edu_type: String,
    content: Json,
}

/// Takes one in. One that cannot be taken is dropped: nobody sends it again.
pub(super) async fn take<H: Host>(gateway: &Gateway<H>, origin: &ServerName, edu: &Json) {
    let Ok(edu) = serde_json::from_str::<Edu>(edu.get()) else {
        return;
    };
    match edu.edu_type.as_str() {
        "m.typing" => typing(gateway, origin, &edu.content).await,
        "m.receipt" => receipts(gateway, origin, &edu.content).await,
        other => tracing::trace!(%origin, kind = other, "a message that this server does not keep"),
    }
}

async fn give<H: Host, C: Ask>(gateway: &Gateway<H>, room_id: &RoomId, command: C) {
    if let Err(error) = gateway.ask(room_key(room_id.as_str()), command).await {
        tracing::debug!(%room_id, %error, "a room does not take a message");
    }
}

/// spec: `server-server-api §typing-notifications`
#[derive(Deserialize)]
struct Typing {
    room_id: String,
    user_id: String,
    typing: bool,
}

async fn typing<H: Host>(gateway: &Gateway<H>, origin: &ServerName, content: &Json) {
    let Ok(typing) = serde_json::from_str::<Typing>(content.get()) else {
        return;
    };
    let Ok(room_id) = RoomId::parse(&typing.room_id) else {
        return;
    };
    let command = ReceiveTyping {
        server: origin.to_string(),
        user_id: typing.user_id,
        typing: typing.typing,
    };
    give(gateway, &room_id, command).await;
}

/// By room, kind and user. What is malformed in it is passed over by itself. spec: `server-server-api §receipts`
type Receipts = BTreeMap<String, BTreeMap<String, Json>>;

#[derive(Deserialize)]
struct Receipt {
    event_ids: Vec<String>,
    data: ReceiptData,
}

#[derive(Deserialize)]
struct ReceiptData {
    ts: u64,
    thread_id: Option<String>,
}

async fn receipts<H: Host>(gateway: &Gateway<H>, origin: &ServerName, content: &Json) {
    let Ok(rooms) = serde_json::from_str::<Receipts>(content.get()) else {
        return;
    };
    for (room_id, mut kinds) in rooms.into_iter().take(ROOMS_MAX) {
        // Private receipts are no other server's business, so others than these are not taken.
        let (Ok(room_id), Some(read)) = (RoomId::parse(&room_id), kinds.remove("m.read")) else {
            continue;
        };
        let command = ReceiveReceipts {
            server: origin.to_string(),
            receipts: read_receipts(&read),
        };
        if !command.receipts.is_empty() {
            give(gateway, &room_id, command).await;
        }
    }
}

fn read_receipts(of_users: &Json) -> Vec<RemoteReceipt> {
    let of_users: BTreeMap<String, Json> = serde_json::from_str(of_users.get()).unwrap_or_default();
    let receipt = |(user_id, json): (String, Json)| {
        let mut receipt: Receipt = serde_json::from_str(json.get()).ok()?;
        Some(RemoteReceipt {
            user_id,
            event_id: receipt.event_ids.pop()?,
            thread_id: receipt.data.thread_id,
            ts: receipt.data.ts,
        })
    };
    of_users.into_iter().filter_map(receipt).collect()
}
