//! A destination: one remote server, as this server knows it. Its commands are asked by the workflows and the gateway.

use serde::{Deserialize, Serialize};

use crate::delivery::{
    Alive, BeginDelivery, Delivered, NextDelivery, NextDeliveryReply, NotDelivered, QueueEdu, QueueMessage,
    RoomNews, Transaction,
};
use crate::{Json, commands};

/// A key of the remote server, which was verified before it came here (spec: server-server-api §publishing-keys).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldKey {
    /// `ed25519:` and a version.
    pub key_id: String,
    /// The public half, unpadded Base64.
    pub public_key: String,
    /// The last moment whose events it may sign, in milliseconds since 1970: for a current key the lesser of its
    /// `valid_until_ts` and seven days after it was fetched, for an old one its `expired_ts`.
    pub valid_until_ts: i64,
    /// Whether it is an old key: good for events of its time, and for no request.
    pub expired: bool,
}

/// The keys that are held of the server, and whether the asker is to fetch them. Whoever is told to does so and says
/// [`StoreKeys`] or [`KeysFailed`]; others wait meanwhile.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Keys {
    /// The keys that are needed; empty when any current one will do.
    pub key_ids: Vec<String>,
    /// The moment at which they must be valid, in milliseconds since 1970; `None` when that does not matter.
    pub valid_at: Option<i64>,
}

/// See [`Keys`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeysReply {
    /// All keys that are held.
    pub keys: Vec<HeldKey>,
    /// What to do about those that are missing.
    pub fetch: Fetch,
}

/// See [`KeysReply`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fetch {
    /// Nothing: all are here, or they were asked for a moment ago.
    Nothing,
    /// Fetch them.
    Yours,
    /// Somebody else fetches them: wait until the object's version is above this one, and ask again.
    Wait {
        /// The version.
        version: u64,
    },
}

/// The keys in a document that was verified. A key that is held is not replaced by another of the same id while it is
/// valid.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StoreKeys {
    /// The keys.
    pub keys: Vec<HeldKey>,
    /// The document that they were in, as the server signed it.
    pub document: Json,
}

/// See [`StoreKeys`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StoreKeysReply {
    /// The ids of keys that were not taken, because another key of that id is held, or too many are.
    pub refused: Vec<String>,
}

/// The keys could not be fetched: nobody is told to for a while, longer each time.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeysFailed {}

/// The document that the newest keys were in, for servers that ask this one as a notary.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeyDocument {}

/// Some of the rooms that were to be told to the server: at most a few dozen.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RoomsWith {}

/// Begins to take in a transaction of the server (spec: server-server-api §transactions). One is taken in at a time.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BeginTransaction {
    /// Its id.
    pub txn_id: String,
}

/// See [`BeginTransaction`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BeginTransactionReply {
    /// It is new: take it in, and say [`EndTransaction`].
    Begun,
    /// It was taken in before, and this was the answer.
    Answered(Json),
    /// Another one is being taken in, or this one: wait until the object's version is above this one, and ask again.
    Busy {
        /// The version.
        version: u64,
    },
}

/// Ends the transaction that was begun.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EndTransaction {
    /// Its id.
    pub txn_id: String,
    /// The answer; `None` when it failed, and the server may send it again.
    pub answer: Option<Json>,
}

commands!(
    Destination,
    /// What a destination understands.
    DestinationCommand {
        Keys => KeysReply,
        StoreKeys => StoreKeysReply,
        KeysFailed => (),
        KeyDocument => Option<Json>,
        BeginTransaction => BeginTransactionReply,
        EndTransaction => (),
        RoomsWith => Vec<String>,
        RoomNews => (),
        QueueEdu => (),
        QueueMessage => (),
        Alive => (),
        NextDelivery => NextDeliveryReply,
        BeginDelivery => Option<Transaction>,
        Delivered => (),
        NotDelivered => (),
    }
);
