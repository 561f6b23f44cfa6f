//! What travels between shards.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{ObjectKey, ShardId};

/// One message from one object to some objects: a command that nobody waits for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Tell {
    /// The sender's number for it, which rises with each of its tells.
    pub seq: u64,
    /// The objects it is for; within a [`Delivery`], those that the receiving shard houses.
    pub to: Vec<ObjectKey>,
    /// The command, as JSON.
    pub message: Box<RawValue>,
}

/// The next tells of one object for one shard, in order. Its receiver answers when all of them are durable there.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Delivery {
    /// The object that sent them.
    pub from: ObjectKey,
    /// The sending object's number in its own shard.
    pub from_number: i64,
    /// The shard they are for.
    pub shard: ShardId,
    /// The tells, by rising `seq`.
    pub tells: Vec<Tell>,
}

impl Delivery {
    /// What the sending shard needs to know again when the answer comes.
    #[must_use]
    pub fn receipt(&self) -> Receipt {
        let seqs = self.tells.iter().map(|tell| tell.seq).collect();
        Receipt {
            from_number: self.from_number,
            shard: self.shard.clone(),
            seqs,
        }
    }
}

/// Names a delivery to the shard that sent it.
#[derive(Clone, Debug)]
pub struct Receipt {
    pub(crate) from_number: i64,
    pub(crate) shard: ShardId,
    pub(crate) seqs: Vec<u64>,
}
