//! How one request calls shards: how often, and how many calls had to wait for another's answer.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;

thread_local! {
    /// The counts of the request that runs now.
    static CURRENT: RefCell<Option<Rc<Calls>>> = const { RefCell::new(None) };
}

/// The counts of one request.
#[derive(Default)]
pub(crate) struct Calls {
    total: Cell<u32>,
    waiting: Cell<u32>,
    depth: Cell<u32>,
}

/// A call under way.
pub(crate) struct UnderWay(Option<Rc<Calls>>);

impl Calls {
    /// Runs `work`, whose calls are counted here.
    pub(crate) async fn watch<T>(self: &Rc<Self>, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        poll_fn(|context| {
            let outer = CURRENT.replace(Some(Rc::clone(self)));
            let polled = work.as_mut().poll(context);
            CURRENT.set(outer);
            polled
        })
        .await
    }

    fn begin(&self) {
        self.total.set(self.total.get() + 1);
        if self.waiting.replace(self.waiting.get() + 1) == 0 {
            self.depth.set(self.depth.get() + 1);
        }
    }
}

/// Counts a call of the request that runs now, if one does, until the result is dropped.
pub(crate) fn begin() -> UnderWay {
    let current = CURRENT.with_borrow(Clone::clone);
    if let Some(calls) = &current {
        calls.begin();
    }
    UnderWay(current)
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if let Some(calls) = &self.0 {
            calls.waiting.set(calls.waiting.get().saturating_sub(1));
        }
    }
}

impl fmt::Display for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shard_calls={}; depth={}", self.total.get(), self.depth.get())
    }
}
