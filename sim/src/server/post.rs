//! What is under way between shards.

use selvage_object::{Delivery, Receipt, ShardId};

/// One thing under way.
pub(crate) enum Letter {
    /// Tells, on their way from the shard in its `life`.
    Delivery {
        from: ShardId,
        life: u64,
        delivery: Delivery,
    },
    /// Word that a delivery is durable, on its way back to the shard that sent it in its `life`.
    Ack {
        to: ShardId,
        life: u64,
        receipt: Receipt,
    },
}

/// What becomes of a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It arrives.
    Arrive,
    /// It is lost, and its sender notices.
    Lost,
    /// Its receiver has too much to do, and says so.
    Busy,
}
