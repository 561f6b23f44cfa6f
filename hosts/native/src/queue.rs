//! The queue before a shard: bounded, and drained all at once.

use std::mem;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Why an item was not taken. It is dropped, after the queue is unlocked: what is dropped may itself use the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rejected {
    /// The queue holds as much as it may.
    Full,
    /// Nobody takes items any more.
    Closed,
}

/// Many senders, one receiver.
pub(crate) struct Queue<T> {
    state: Mutex<State<T>>,
    filled: Condvar,
    items_max: usize,
}

struct State<T> {
    items: Vec<T>,
    closed: bool,
    receiver_waits: bool,
}

impl<T> Queue<T> {
    pub(crate) const fn new(items_max: usize) -> Self {
        let state = State {
            items: Vec::new(),
            closed: false,
            receiver_waits: false,
        };
        Self {
            state: Mutex::new(state),
            filled: Condvar::new(),
            items_max,
        }
    }

    /// Adds an item, unless the queue is full.
    pub(crate) fn push(&self, item: T) -> Result<(), Rejected> {
        let state = self.lock();
        if state.items.len() >= self.items_max {
            drop(state);
            return Err(Rejected::Full);
        }
        self.add(state, item)
    }

    /// Adds an item whose number something else bounds.
    pub(crate) fn push_always(&self, item: T) -> Result<(), Rejected> {
        self.add(self.lock(), item)
    }

    fn add(&self, mut state: MutexGuard<'_, State<T>>, item: T) -> Result<(), Rejected> {
        if state.closed {
            drop(state);
            return Err(Rejected::Closed);
        }
        state.items.push(item);
        let wake = mem::take(&mut state.receiver_waits);
        drop(state);
        if wake {
            self.filled.notify_one();
        }
        Ok(())
    }

    /// Takes all items, and waits for one at most so long when there is none. `None` when the queue is closed and empty.
    pub(crate) fn take(&self, patience: Option<Duration>) -> Option<Vec<T>> {
        let mut state = self.lock();
        if state.items.is_empty() && !state.closed {
            state.receiver_waits = true;
            state = self.wait(state, patience);
            state.receiver_waits = false;
        }
        if state.items.is_empty() && state.closed {
            return None;
        }
        Some(mem::take(&mut state.items))
    }

    fn wait<'a>(
        &self,
        state: MutexGuard<'a, State<T>>,
        patience: Option<Duration>,
    ) -> MutexGuard<'a, State<T>> {
        let idle = |state: &mut State<T>| state.items.is_empty() && !state.closed;
        match patience {
            None => self
                .filled
                .wait_while(state, idle)
                .unwrap_or_else(PoisonError::into_inner),
            Some(patience) => {
                self.filled
                    .wait_timeout_while(state, patience, idle)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0
            }
        }
    }

    /// Takes no more items; what is in the queue is still handed out.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_all();
    }

    /// How many items wait.
    pub(crate) fn len(&self) -> usize {
        self.lock().items.len()
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // No code that could panic runs under the lock, so what a poisoned one guards is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn items_come_out_at_once_and_in_order() {
        let queue = Queue::new(8);
        for n in 0..3 {
            queue.push(n).unwrap();
        }
        assert_eq!(queue.take(None), Some(vec![0, 1, 2]));
        assert_eq!(queue.take(Some(Duration::ZERO)), Some(vec![]));
    }

    #[test]
    fn a_full_queue_refuses_and_still_takes_what_is_bounded_elsewhere() {
        let queue = Queue::new(1);
        queue.push("first").unwrap();
        assert_eq!(queue.push("second"), Err(Rejected::Full));
        queue.push_always("third").unwrap();
        assert_eq!(queue.take(None), Some(vec!["first", "third"]));
    }

    #[test]
    fn what_is_refused_may_use_the_queue_as_it_is_dropped() {
        struct Leaves(Option<Arc<Queue<Leaves>>>);
        impl Drop for Leaves {
            fn drop(&mut self) {
                if let Some(queue) = self.0.take() {
                    let _ = queue.push_always(Leaves(None));
                }
            }
        }
        let queue = Arc::new(Queue::new(0));
        assert_eq!(queue.push(Leaves(Some(Arc::clone(&queue)))), Err(Rejected::Full));
        assert_eq!(queue.len(), 1);
        queue.close();
        assert_eq!(
            queue.push_always(Leaves(Some(Arc::clone(&queue)))),
            Err(Rejected::Closed)
        );
        assert_eq!(queue.len(), 1);
    }

    #[test]
    fn a_closed_queue_hands_out_what_it_has() {
        let queue = Queue::new(1);
        queue.push(1).unwrap();
        queue.close();
        assert_eq!(queue.push_always(2), Err(Rejected::Closed));
        assert_eq!((queue.take(None), queue.take(None)), (Some(vec![1]), None));
    }

    #[test]
    fn every_item_of_many_senders_arrives_once() {
        const SENDERS: usize = 4;
        const EACH: usize = 2_000;
        let queue = Queue::new(SENDERS * EACH);
        let mut received = Vec::new();
        std::thread::scope(|scope| {
            for sender in 0..SENDERS {
                let queue = &queue;
                scope.spawn(move || (0..EACH).for_each(|n| queue.push(sender * EACH + n).unwrap()));
            }
            while received.len() < SENDERS * EACH {
                received.extend(queue.take(None).unwrap());
            }
        });
        received.sort_unstable();
        assert!(received.into_iter().eq(0..SENDERS * EACH));
    }
}
