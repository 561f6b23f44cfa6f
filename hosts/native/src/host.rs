//! The native host, as the gateway sees it.

use std::future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use selvage_event::ServerName;
use selvage_gateway::{AskError, Host, RemoteError, RemoteResponse};
use selvage_object::{ObjectKey, Started, Timestamp};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task;
use tokio::time::timeout;

use crate::metrics::Metrics;
use crate::queue::Rejected;
use crate::remote::Remotes;
use crate::shard::{Input, OVERLOAD_RETRY_MS, ShardPool};
use crate::{clock, random};

/// How many password hashes are made at once: each takes tens of megabytes.
const COMPUTATIONS_MAX: usize = 2;

/// A handle on the shards. Cheap to clone.
#[derive(Clone)]
pub struct NativeHost {
    inner: Arc<Inner>,
}

struct Inner {
    shards: ShardPool,
    computations: Semaphore,
    remotes: Remotes,
    metrics: Arc<Metrics>,
}

impl NativeHost {
    /// The host of these shards, with a way to other servers.
    #[must_use]
    pub fn new(shards: ShardPool, remotes: Remotes, metrics: Arc<Metrics>) -> Self {
        let inner = Inner {
            shards,
            computations: Semaphore::new(COMPUTATIONS_MAX),
            remotes,
            metrics,
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// The server's figures, as Prometheus reads them.
    #[must_use]
    pub fn metrics_text(&self) -> String {
        self.inner.metrics.text(&self.inner.shards.waiting())
    }

    /// Reads the databases of all shards and returns what is wrong with them, a line each.
    ///
    /// # Errors
    /// When a shard cannot answer.
    pub async fn check(&self) -> Result<Vec<String>, AskError> {
        let mut problems = Vec::new();
        for shard in 0..self.inner.shards.count() {
            let (reply, answer) = oneshot::channel();
            self.taken(self.inner.shards.push_to(shard, Input::Check { reply }))?;
            let found = answer.await.unwrap_or(Err(AskError::Stopping))?;
            problems.extend(
                found
                    .into_iter()
                    .map(|problem| format!("shard {shard}: {problem}")),
            );
        }
        Ok(problems)
    }

    /// The workflows that objects start, for the one who runs them; `None` when somebody has them already.
    pub(crate) fn take_started(&self) -> Option<mpsc::Receiver<Started>> {
        self.inner.shards.take_started()
    }

    /// Ends the requests that wait for news, now and from now on: the server is about to stop.
    pub fn end_waits(&self) {
        self.inner.shards.end_waits();
    }

    /// Takes nothing more. What waits in the queues is still done.
    pub fn close(&self) {
        self.inner.shards.close();
    }

    /// Waits until everything that was taken is done and durable. To be called once, after [`NativeHost::close`], outside
    /// of the runtime.
    pub fn finish(&self) {
        self.inner.shards.join();
    }

    fn taken(&self, pushed: Result<(), Rejected>) -> Result<(), AskError> {
        pushed.map_err(|rejected| match rejected {
            Rejected::Full => {
                self.inner.metrics.overloads.add(1);
                AskError::Overloaded {
                    retry_after_ms: OVERLOAD_RETRY_MS,
                }
            }
            Rejected::Closed => AskError::Stopping,
        })
    }
}

impl Host for NativeHost {
    async fn ask(&self, to: &ObjectKey, command: Vec<u8>) -> Result<Vec<u8>, AskError> {
        let (reply, answer) = oneshot::channel();
        let input = Input::Ask {
            to: to.clone(),
            command,
            reply,
        };
        self.taken(self.inner.shards.push(to, input))?;
        answer.await.unwrap_or(Err(AskError::Stopping))
    }

    async fn wait(&self, of: &ObjectKey, seen: u64, timeout_ms: u64) -> Result<(), AskError> {
        let (waker, woken) = oneshot::channel();
        let input = Input::Watch {
            of: of.clone(),
            seen,
            waker,
        };
        self.taken(self.inner.shards.push(of, input))?;
        match timeout(Duration::from_millis(timeout_ms), woken).await {
            Ok(woken) => woken.unwrap_or(Err(AskError::Stopping)),
            Err(_) => Ok(()),
        }
    }

    fn now(&self) -> Timestamp {
        clock::now()
    }

    fn random(&self) -> [u8; 32] {
        random::bytes()
    }

    async fn exchange(
        &self,
        to: &ServerName,
        request: http::Request<Bytes>,
        timeout_ms: u64,
    ) -> Result<RemoteResponse, RemoteError> {
        self.inner.remotes.exchange(to, request, timeout_ms).await
    }

    async fn compute<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        // The semaphore is never closed; without a permit there would only be less of a limit.
        let _permit = self.inner.computations.acquire().await;
        match task::spawn_blocking(work).await {
            Ok(result) => result,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            // The runtime stops, and with it whoever waits for this.
            Err(_) => future::pending().await,
        }
    }
}
