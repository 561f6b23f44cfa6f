//! All shards of a data directory.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::{Builder, JoinHandle};

use selvage_object::{Delivery, ObjectKey, Placement, ShardId, Started};
use tokio::sync::mpsc as workflows;

use super::input::Input;
use super::open::{Kinds, Opener, StartError};
use super::watches::Watches;
use super::worker::Worker;
use crate::metrics::Metrics;
use crate::queue::{Queue, Rejected};

/// The most inputs that wait for one shard. The next is refused: clients get 429 or 503 and a time to come back, other
/// shards' deliveries are tried again later.
pub const QUEUE_MAX: usize = 4_096;
/// The most workflows that objects have started and that wait to run. The next is lost; the object's timer starts it again.
const STARTED_MAX: usize = 4_096;
/// The stack of a shard's thread, in bytes.
const STACK_BYTES: usize = 8 * 1_024 * 1_024;

/// The queues of all shards, by shard number.
#[derive(Clone)]
pub(crate) struct Queues(Arc<[Arc<Queue<Input>>]>);

impl Queues {
    pub(crate) fn of(&self, index: usize) -> Option<Arc<Queue<Input>>> {
        self.0.get(index).cloned()
    }

    pub(crate) fn of_delivery(&self, delivery: &Delivery) -> Option<Arc<Queue<Input>>> {
        self.of_shard(&delivery.shard).cloned()
    }

    fn of_shard(&self, shard: &ShardId) -> Option<&Arc<Queue<Input>>> {
        self.0.get(shard.as_str().parse::<usize>().ok()?)
    }
}

/// The shards of a data directory, each on its own thread.
pub struct ShardPool {
    queues: Queues,
    placement: Placement,
    threads: Mutex<Vec<JoinHandle<()>>>,
    started: Mutex<Option<workflows::Receiver<Started>>>,
}

impl ShardPool {
    /// Opens all shards in this directory, side by side.
    ///
    /// # Errors
    /// When one of the databases cannot be opened.
    pub fn start(
        directory: &Path,
        shards: u16,
        kinds: &Kinds,
        metrics: &Arc<Metrics>,
    ) -> Result<Self, StartError> {
        let shards = shards.max(1);
        let queues = (0..shards).map(|_| Arc::new(Queue::new(QUEUE_MAX)));
        let placement = Placement::Hashed { shards };
        let (starter, started) = workflows::channel(STARTED_MAX);
        let pool = Self {
            queues: Queues(queues.collect()),
            placement,
            threads: Mutex::new(Vec::new()),
            started: Mutex::new(Some(started)),
        };
        let (opened, results) = mpsc::channel();
        for index in 0..usize::from(shards) {
            let shard = ShardId::new(index.to_string());
            let opener = Opener::new(directory, placement, &shard, Arc::clone(kinds));
            pool.spawn(index, opener, metrics, (starter.clone(), opened.clone()))?;
        }
        drop(opened);
        let outcome = results.iter().collect::<Result<(), StartError>>();
        outcome.map(|()| pool)
    }

    fn spawn(
        &self,
        index: usize,
        opener: Opener,
        metrics: &Arc<Metrics>,
        (started, opened): (workflows::Sender<Started>, mpsc::Sender<Result<(), StartError>>),
    ) -> io::Result<()> {
        let (queues, metrics) = (self.queues.clone(), Arc::clone(metrics));
        let thread = Builder::new()
            .name(format!("shard-{index}"))
            .stack_size(STACK_BYTES);
        let thread = thread.spawn(move || {
            let shard = match opener.open() {
                Ok(shard) => shard,
                Err(error) => return drop(opened.send(Err(error))),
            };
            drop(opened.send(Ok(())));
            drop(opened);
            Worker {
                index,
                opener,
                queues,
                metrics,
                started,
                shard: Some(shard),
                watches: Watches::default(),
            }
            .run();
        })?;
        self.threads().push(thread);
        Ok(())
    }

    /// Gives an input to the shard that houses the object.
    pub(crate) fn push(&self, object: &ObjectKey, input: Input) -> Result<(), Rejected> {
        match self.queues.of_shard(&self.placement.shard_of(object)) {
            Some(queue) => queue.push(input),
            None => Err(Rejected::Closed),
        }
    }

    /// Gives an input to the shard of this number.
    pub(crate) fn push_to(&self, shard: usize, input: Input) -> Result<(), Rejected> {
        match self.queues.of(shard) {
            Some(queue) => queue.push(input),
            None => Err(Rejected::Closed),
        }
    }

    /// Ends all waits for news, and those to come.
    pub(crate) fn end_waits(&self) {
        for queue in self.queues.0.iter() {
            // A queue that is closed has none.
            let _ = queue.push_always(Input::EndWaits);
        }
    }

    /// How many shards there are.
    pub(crate) fn count(&self) -> usize {
        self.queues.0.len()
    }

    /// How many inputs wait, by shard.
    pub(crate) fn waiting(&self) -> Vec<usize> {
        self.queues.0.iter().map(|queue| queue.len()).collect()
    }

    /// The workflows that objects start, for the one who runs them; `None` when somebody has them already.
    pub(crate) fn take_started(&self) -> Option<workflows::Receiver<Started>> {
        let mut started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        started.take()
    }

    /// Takes no more inputs. Those that wait are still handled.
    pub(crate) fn close(&self) {
        self.queues.0.iter().for_each(|queue| queue.close());
    }

    /// Waits until what was taken is done and durable, and the threads have ended. To be called after
    /// [`ShardPool::close`].
    pub(crate) fn join(&self) {
        for thread in std::mem::take(&mut *self.threads()) {
            if thread.join().is_err() {
                tracing::error!("a shard's thread had panicked");
            }
        }
    }

    fn threads(&self) -> MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ShardPool {
    fn drop(&mut self) {
        self.close();
        self.join();
    }
}
