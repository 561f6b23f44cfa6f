//! What all workflows stand on.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use selvage_event::{ServerName, SigningKey};
use selvage_object::{Kind, ObjectKey, Started, Timestamp};
use selvage_protocol::Ask;
use selvage_protocol::work::Work;
use serde::Serialize;

use crate::{AskError, FederationSettings, Host};

/// A host to stand on, and who this server is. Cheap to clone.
pub struct Workflows<H> {
    inner: Arc<Inner<H>>,
}

struct Inner<H> {
    host: H,
    server_name: ServerName,
    signing_key: SigningKey,
    federation: FederationSettings,
    /// How many servers are being asked for their keys.
    fetches: AtomicUsize,
}

impl<H> Clone for Workflows<H> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
        }
    }
}

impl<H: Host> Workflows<H> {
    /// The workflows of the server of this name and key.
    #[must_use]
    pub fn new(
        host: H,
        server_name: ServerName,
        signing_key: SigningKey,
        federation: FederationSettings,
    ) -> Self {
        let inner = Inner {
            host,
            server_name,
            signing_key,
            federation,
            fetches: AtomicUsize::new(0),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// The host.
    #[must_use]
    pub fn host(&self) -> &H {
        &self.inner.host
    }

    /// The name of this server.
    #[must_use]
    pub fn server_name(&self) -> &ServerName {
        &self.inner.server_name
    }

    /// The key that this server signs with.
    #[must_use]
    pub fn signing_key(&self) -> &SigningKey {
        &self.inner.signing_key
    }

    /// What the operator decided about other servers.
    #[must_use]
    pub fn federation(&self) -> &FederationSettings {
        &self.inner.federation
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.inner.host.now()
    }

    /// One of so many places for those who ask servers for their keys; `None` when all are taken.
    pub(crate) fn take_place(&self, places: usize) -> Option<FetchPlace<'_>> {
        let place = FetchPlace(&self.inner.fetches);
        // Given back by the drop, also when it is one too many.
        (self.inner.fetches.fetch_add(1, Ordering::Relaxed) < places).then_some(place)
    }

    /// Asks an object and reads its reply.
    ///
    /// # Errors
    /// See [`AskError`].
    pub async fn ask<C: Ask>(&self, to: ObjectKey, command: C) -> Result<C::Reply, AskError> {
        let command = encode(&command.into_message())?;
        let reply = self.inner.host.ask(&to, command).await?;
        serde_json::from_slice(&reply)
            .map_err(|error| AskError::Unavailable(format!("a reply that makes no sense: {error}")))
    }

    /// Runs a workflow that an object started. It never fails: what goes wrong is recorded with the object, which starts it
    /// again when there is still something to do.
    pub async fn run(&self, started: &Started) {
        let by = &started.by;
        match (by.kind(), serde_json::from_str(started.workflow.get())) {
            (Kind::Destination, Ok(Work::Deliver {})) => self.deliver(by.name()).await,
            (Kind::Room, Ok(Work::FillGaps {})) => self.fill_gaps(by.name()).await,
            // A newer program may have started it, during an update: the object's timer starts it again there.
            _ => tracing::warn!(%by, "a workflow that this version does not know"),
        }
    }
}

/// See [`Workflows::take_place`].
pub(crate) struct FetchPlace<'a>(&'a AtomicUsize);

impl Drop for FetchPlace<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn encode(message: &impl Serialize) -> Result<Vec<u8>, AskError> {
    serde_json::to_vec(message)
        .map_err(|error| AskError::Unavailable(format!("a command without JSON form: {error}")))
}
