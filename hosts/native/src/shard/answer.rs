//! The answer that every delivery gets, whatever happens to it.

use std::sync::Arc;

use selvage_object::{Delivery, Receipt};

use super::Input;
use crate::queue::Queue;

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is durable at its receiver.
    Durable,
    /// The receiver had no room or no database for it; that is not the delivery's fault.
    Busy,
    /// It failed at its receiver.
    Failed,
}

/// Owes the sending shard an answer. One that is dropped says that the receiver was busy: a delivery without answer would
/// hold up all that its object tells that shard.
pub(crate) struct Answer {
    owed: Option<(Arc<Queue<Input>>, Receipt)>,
}

impl Answer {
    pub(crate) fn new(sender: Arc<Queue<Input>>, delivery: &Delivery) -> Self {
        Self {
            owed: Some((sender, delivery.receipt())),
        }
    }

    pub(crate) fn give(mut self, fate: Fate) {
        self.settle(fate);
    }

    fn settle(&mut self, fate: Fate) {
        if let Some((sender, receipt)) = self.owed.take() {
            // Bounded by the deliveries in flight, one for each pair of object and shard. A sender that stops takes the
            // delivery up again at its next start.
            let _ = sender.push_always(Input::Answered { receipt, fate });
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.settle(Fate::Busy);
    }
}
