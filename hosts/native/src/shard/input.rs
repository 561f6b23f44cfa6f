//! What a shard's thread is given.

use selvage_gateway::AskError;
use selvage_object::{Delivery, ObjectKey, Receipt};
use tokio::sync::oneshot;

use super::answer::{Answer, Fate};

/// Where a reply goes.
pub(crate) type Reply<T> = oneshot::Sender<Result<T, AskError>>;

pub(crate) enum Input {
    /// A command of the gateway.
    Ask {
        to: ObjectKey,
        command: Vec<u8>,
        reply: Reply<Vec<u8>>,
    },
    /// Somebody waits until an object's version is above what they have seen.
    Watch {
        of: ObjectKey,
        seen: u64,
        waker: Reply<()>,
    },
    /// Another shard's tells, or this one's own.
    Deliver { delivery: Delivery, answer: Answer },
    /// What may be lost.
    Hint(Delivery),
    /// What became of a delivery that this shard sent.
    Answered { receipt: Receipt, fate: Fate },
    /// The server stops: nobody waits for news any more.
    EndWaits,
    /// Read everything and say what is wrong.
    Check { reply: Reply<Vec<String>> },
}

impl Input {
    /// Whether a crash may undo what this writes: the delivery would come again, and again be recognised.
    pub(crate) const fn may_be_forgotten(&self) -> bool {
        matches!(self, Self::Answered { .. })
    }
}
