//! The gateway's host.

use std::cell::RefCell;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{Either, select};
use futures_util::{StreamExt, pin_mut};
use selvage_event::ServerName;
use selvage_gateway::{AskError, Host, RemoteError, RemoteResponse};
use selvage_object::{ObjectKey, Placement, ShardId, Timestamp};
use worker::{Delay, Env, WebSocket};

use super::{call, calls, moment, remote};
use crate::slots::{Slot, Slots};
use crate::wire::Reply;

thread_local! {
    /// What this isolate has asked shards and not been answered.
    static QUESTIONS: RefCell<Slots<ShardId>> = RefCell::default();
}

/// The host.
#[derive(Clone)]
pub(crate) struct WorkersHost {
    env: Env,
    placement: Placement,
}

impl WorkersHost {
    /// The host of this deployment.
    pub(crate) fn new(env: Env, placement: Placement) -> Self {
        Self { env, placement }
    }

    fn question(shard: &ShardId) -> Result<Slot<ShardId>, AskError> {
        let slot = QUESTIONS.with_borrow(|questions| questions.take(shard.clone()));
        slot.ok_or_else(|| error(Reply::OVERLOADED))
    }
}

impl Host for WorkersHost {
    async fn ask(&self, to: &ObjectKey, command: Vec<u8>) -> Result<Vec<u8>, AskError> {
        let _place = Self::question(&self.placement.shard_of(to))?;
        let _call = calls::begin();
        match call::ask(&self.env, self.placement, to, &command).await {
            Reply::Done(reply) => Ok(reply),
            other => Err(error(other)),
        }
    }

    async fn wait(&self, of: &ObjectKey, seen: u64, timeout_ms: u64) -> Result<(), AskError> {
        let shard = self.placement.shard_of(of);
        let opened = {
            let _call = calls::begin();
            call::watch(&self.env, &shard, of, seen).await
        };
        let response = opened.map_err(error)?;
        match response.websocket() {
            Some(socket) => news(&socket, timeout_ms)
                .await
                .map_err(|error| AskError::Unavailable(error.to_string())),
            None => Ok(()),
        }
    }

    fn now(&self) -> Timestamp {
        moment::now()
    }

    fn random(&self) -> [u8; 32] {
        moment::random()
    }

    async fn exchange(
        &self,
        to: &ServerName,
        request: http::Request<Bytes>,
        timeout_ms: u64,
    ) -> Result<RemoteResponse, RemoteError> {
        remote::exchange(&self.env, to, request, timeout_ms).await
    }

    async fn compute<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        work()
    }
}

/// Waits for a message, for the end of the socket, or for the time to be over; whichever it is, the caller looks again.
async fn news(socket: &WebSocket, timeout_ms: u64) -> worker::Result<()> {
    {
        let mut events = socket.events()?;
        socket.accept()?;
        let over = Delay::from(Duration::from_millis(timeout_ms));
        let next = events.next();
        pin_mut!(over, next);
        if let Either::Left((Some(Err(error)), _)) = select(next, over).await {
            return Err(error);
        }
    }
    // It may be closed already, by the shard.
    let _ = socket.close(Some(1_000), Some("seen"));
    Ok(())
}

fn error(reply: Reply) -> AskError {
    match reply {
        Reply::Refused(refusal) => AskError::Refused(refusal),
        Reply::Overloaded(wait) => AskError::Overloaded {
            retry_after_ms: wait.retry_after_ms,
        },
        Reply::Unavailable(why) => AskError::Unavailable(why),
        Reply::Done(_) => AskError::Unavailable("no answer".to_owned()),
    }
}
