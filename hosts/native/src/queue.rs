//! The queue before a shard: bounded, and drained all at once.

use std::mem;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Why an item was not taken; it comes back.
#[derive(Debug)]
pub(crate) enum Rejected<T> {
    /// The queue holds as much as it may.
    Full(T),
    /// Nobody takes items any more.
    Closed(T),
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
    pub(crate) fn push(&self, item: T) -> Result<(), Rejected<T>> {
        let state = self.lock();
        if state.items.len() >= self.items_max {
            return Err(Rejected::Full(item));
        }
        self.add(state, item)
    }

    /// Adds an item whose number something else bounds.
    pub(crate) fn push_always(&self, item: T) -> Result<(), Rejected<T>> {
        self.add(self.lock(), item)
    }

    fn add(&self, mut state: MutexGuard<'_, State<T>>, item: T) -> Result<(), Rejected<T>> {
        if state.closed {
            return Err(Rejected::Closed(item));
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

    fn wait<'a>(&self, state: MutexGuard<'a, State<T>>, patience: Option<Duration>) -> MutexGuard<'a, State<T>> {
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
    fn a_full_queue_gives_the_item_back_and_still_takes_what_is_bounded_elsewhere() {
        let queue = Queue::new(1);
        queue.push("first").unwrap();
        assert!(matches!(queue.push("second"), Err(Rejected::Full("second"))));
        queue.push_always("third").unwrap();
        assert_eq!(queue.take(None), Some(vec!["first", "third"]));
    }

    #[test]
    fn a_closed_queue_hands_out_what_it_has() {
        let queue = Queue::new(1);
        queue.push(1).unwrap();
        queue.close();
        assert!(matches!(queue.push_always(2), Err(Rejected::Closed(2))));
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
