//! What a destination has to send to its server, and how a workflow gets it there: commands of the destination.
//!
//! Rooms tell positions and no events: what is sent is read from them when it is. One transaction is under way at a time, and is
//! repeated as it was until the server has answered (spec: server-server-api §transactions).

use serde::{Deserialize, Serialize};

use crate::Json;

/// A room tells that it has something for the server. Repetition changes nothing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RoomNews {
    /// The room.
    pub room_id: String,
    /// The first position with something.
    pub from: i64,
    /// The last.
    pub pos: i64,
}

/// Something for the server that may be lost: it lies in memory until the next transaction, and waits for no server that does
/// not answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct QueueEdu {
    /// What a later one takes the place of.
    pub key: String,
    /// The EDU's type.
    pub kind: String,
    /// Its content.
    pub content: Json,
}

/// Something for the server that must arrive, in order. Repetition changes nothing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct QueueMessage {
    /// A name for it, unique to it.
    pub id: String,
    /// The EDU's type.
    pub kind: String,
    /// Its content.
    pub content: Json,
}

/// The server has sent an authenticated request: it may answer again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Alive {}

/// What to send next. Whoever asks has the delivery for some minutes, or until it is told that there is nothing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NextDelivery {}

/// See [`NextDelivery`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NextDeliveryReply {
    /// Nothing, or nothing yet.
    Nothing,
    /// The last transaction again.
    Repeat(Transaction),
    /// What these rooms have, and what else waits.
    Gather {
        /// The rooms.
        rooms: Vec<PendingRoom>,
        /// Whether the server has missed much, so that only the newest of each room is sent.
        catch_up: bool,
    },
}

/// A room with something to send.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingRoom {
    /// The room.
    pub room_id: String,
    /// The position up to which all was sent.
    pub after: i64,
}

/// A part of a room that is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentPart {
    /// The room.
    pub room_id: String,
    /// After this position.
    pub after: i64,
    /// Up to this one.
    pub up_to: i64,
}

/// Settles what the next transaction is, so that it can be repeated.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BeginDelivery {
    /// The parts of rooms that were gathered, those without anything to send among them.
    pub parts: Vec<SentPart>,
    /// Whether there is an event among them.
    pub has_events: bool,
    /// As it was asked for.
    pub catch_up: bool,
}

/// A transaction, but for the events.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Transaction {
    /// Its id.
    pub txn_id: String,
    /// The parts of rooms whose events it has.
    pub parts: Vec<SentPart>,
    /// Its EDUs.
    pub edus: Vec<Json>,
}

/// The server has the transaction.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Delivered {
    /// Its id.
    pub txn_id: String,
}

/// The server was not reached, or did not take the transaction. It is tried again later, with longer and longer pauses.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NotDelivered {
    /// The first pause, in milliseconds.
    pub retry_min_ms: u64,
    /// The longest pause, in milliseconds.
    pub retry_max_ms: u64,
}
