//! What the gateway and the workflows need of a host.

use std::future::Future;

use bytes::Bytes;
use http::Request;
use selvage_event::ServerName;
use selvage_object::{ObjectKey, Refusal, Timestamp};

use crate::{RemoteError, RemoteResponse};

#[cfg(not(target_arch = "wasm32"))]
mod bounds {
    /// `Send`, where futures move between threads; nothing on wasm, which has one thread.
    pub trait MaybeSend: Send {}
    impl<T: Send + ?Sized> MaybeSend for T {}
    /// `Sync`, where values are shared between threads; nothing on wasm, which has one thread.
    pub trait MaybeSync: Sync {}
    impl<T: Sync + ?Sized> MaybeSync for T {}
}

#[cfg(target_arch = "wasm32")]
mod bounds {
    /// `Send`, where futures move between threads; nothing on wasm, which has one thread.
    pub trait MaybeSend {}
    impl<T: ?Sized> MaybeSend for T {}
    /// `Sync`, where values are shared between threads; nothing on wasm, which has one thread.
    pub trait MaybeSync {}
    impl<T: ?Sized> MaybeSync for T {}
}

pub use bounds::{MaybeSend, MaybeSync};

/// What hosts say in [`AskError::Unavailable`] when there is no room for more data, so that clients are told.
pub const STORAGE_FULL: &str = "the server's storage is full";

/// Why a question to an object has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// The object says no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The object's shard has more waiting than it may; nothing was done.
    #[error("overloaded")]
    Overloaded {
        /// When to try again, in milliseconds from now.
        retry_after_ms: u64,
    },
    /// The shard could not answer: its disk is full, or it is damaged. What was asked may or may not have been done; asking
    /// again is safe for commands that carry a transaction id.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// The host stops: as [`AskError::Unavailable`] for an ask; no wait will bring news any more.
    #[error("the server is stopping")]
    Stopping,
}

/// The ground that the gateway and the workflows stand on. Hosts implement it; it is cloned freely.
pub trait Host: Clone + MaybeSend + MaybeSync + 'static {
    /// Gives one command (JSON) to one object and returns its reply (JSON), once the command's writes are durable.
    ///
    /// # Errors
    /// See [`AskError`].
    fn ask(
        &self,
        to: &ObjectKey,
        command: Vec<u8>,
    ) -> impl Future<Output = Result<Vec<u8>, AskError>> + MaybeSend;

    /// Waits until the object's version is above `seen`, or `timeout_ms` milliseconds are over; also returns early
    /// without either, so the caller looks again. On Workers no Durable Object stays awake for this.
    ///
    /// # Errors
    /// See [`AskError`].
    fn wait(
        &self,
        of: &ObjectKey,
        seen: u64,
        timeout_ms: u64,
    ) -> impl Future<Output = Result<(), AskError>> + MaybeSend;

    /// The time.
    fn now(&self) -> Timestamp;

    /// 32 fresh, unpredictable bytes.
    fn random(&self) -> [u8; 32];

    /// Sends a request to another Matrix server: finds it by its name (spec: server-server-api §resolving-server-names),
    /// connects with TLS that is verified for the right name, and returns its answer as it arrives. The request's URI is a path
    /// with a query; it is signed already, and goes out as it is. Redirects are not followed. Private and loopback addresses
    /// are refused unless the operator allows them. `timeout_ms` bounds the time until the answer begins, and the time between
    /// two chunks of its body.
    ///
    /// # Errors
    /// [`RemoteError`], but not [`RemoteError::Refused`]: every status is an answer here.
    fn exchange(
        &self,
        to: &ServerName,
        request: Request<Bytes>,
        timeout_ms: u64,
    ) -> impl Future<Output = Result<RemoteResponse, RemoteError>> + MaybeSend;

    /// Runs work that takes long (a password hash) where it does not hold up other requests.
    fn compute<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> impl Future<Output = T> + MaybeSend;
}
