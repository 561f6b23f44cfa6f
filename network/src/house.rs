//! What one server of the network stands on: its objects, on a thread of their own.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use bytes::Bytes;
use futures_util::stream;
use http::{Request, StatusCode};
use selvage_event::{ServerName, SigningKey};
use selvage_gateway::{AskError, Host, RemoteError, RemoteResponse};
use selvage_object::{Failure, ObjectKey, Random, Started, Timestamp};
use selvage_sim::{Layout, Server};

use crate::Network;

/// Answers of other servers come in chunks of so many bytes.
const CHUNK_BYTES: usize = 1_000;
/// The count of one who does not die.
const IMMORTAL: i64 = i64::MAX;

type Reply = Result<Vec<u8>, AskError>;

enum Input {
    Ask(Timestamp, ObjectKey, Vec<u8>, Sender<Reply>),
    Version(Timestamp, ObjectKey, Sender<u64>),
    Ring(Timestamp, Sender<()>),
    Restart(Sender<()>),
    TakeStarted(Sender<Vec<Started>>),
}

/// A server's host. Cheap to clone.
#[derive(Clone)]
pub struct House {
    inner: Arc<Inner>,
}

struct Inner {
    network: Network,
    name: String,
    inputs: Sender<Input>,
    drawn: AtomicU64,
    /// How many steps are left before whoever takes the next one dies.
    steps: AtomicI64,
}

impl House {
    pub(crate) fn new(network: Network, name: &str, (key_id, seed): (&str, &[u8; 32])) -> Self {
        let (inputs, received) = channel();
        let key = SigningKey::from_seed(key_id, seed).expect("a key id");
        let server_name = name.to_owned();
        std::thread::spawn(move || {
            let server = Server::with_key(&server_name, key, Layout::default(), 1);
            serve(server, &received);
        });
        let inner = Inner {
            network,
            name: name.to_owned(),
            inputs,
            drawn: AtomicU64::new(0),
            steps: AtomicI64::new(IMMORTAL),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Whoever asks an object or another server after so many such steps stops there for ever; `None` for nobody.
    pub fn die_after(&self, steps: Option<i64>) {
        self.inner
            .steps
            .store(steps.unwrap_or(IMMORTAL), Ordering::Relaxed);
    }

    /// Whether somebody died since [`House::die_after`].
    #[must_use]
    pub fn has_died(&self) -> bool {
        self.inner.steps.load(Ordering::Relaxed) < 0
    }

    async fn step(&self) {
        let steps = &self.inner.steps;
        if steps.load(Ordering::Relaxed) != IMMORTAL && steps.fetch_sub(1, Ordering::Relaxed) <= 0 {
            pending::<()>().await;
        }
    }

    fn input<T>(&self, input: impl FnOnce(Sender<T>) -> Input) -> T {
        let (answer, reply) = channel();
        self.inner
            .inputs
            .send(input(answer))
            .expect("the objects' thread runs");
        reply.recv().expect("the objects' thread answers")
    }

    pub(crate) fn take_started(&self) -> Vec<Started> {
        self.input(Input::TakeStarted)
    }

    /// All objects lose their memory and are loaded anew.
    pub fn restart(&self) {
        self.input(Input::Restart);
    }

    pub(crate) fn ring(&self) {
        let now = self.now();
        self.input(|answer| Input::Ring(now, answer));
    }
}

fn serve(mut server: Server, inputs: &Receiver<Input>) {
    for input in inputs {
        match input {
            Input::Ask(now, to, command, answer) => {
                server.set_now(now);
                let reply = server.turn(&to, &command).map_err(|failure| match failure {
                    Failure::Refusal(refusal) => AskError::Refused(refusal),
                    Failure::Fault(fault) => AskError::Unavailable(fault.to_string()),
                });
                server.settle();
                let _ = answer.send(reply);
            }
            Input::Version(now, of, answer) => {
                server.set_now(now);
                let _ = answer.send(server.version(&of));
            }
            Input::Ring(now, answer) => {
                server.set_now(now);
                for shard in server.shards() {
                    server.ring(&shard);
                }
                server.settle();
                let _ = answer.send(());
            }
            Input::Restart(answer) => {
                server.restart();
                let _ = answer.send(());
            }
            Input::TakeStarted(answer) => {
                let _ = answer.send(server.take_started());
            }
        }
    }
}

impl Host for House {
    async fn ask(&self, to: &ObjectKey, command: Vec<u8>) -> Reply {
        self.step().await;
        let now = self.now();
        self.input(|answer| Input::Ask(now, to.clone(), command, answer))
    }

    async fn wait(&self, of: &ObjectKey, seen: u64, timeout_ms: u64) -> Result<(), AskError> {
        let now = self.now();
        if self.input(|answer| Input::Version(now, of.clone(), answer)) <= seen {
            self.inner.network.tick(timeout_ms);
        }
        Ok(())
    }

    fn now(&self) -> Timestamp {
        self.inner.network.now()
    }

    fn random(&self) -> [u8; 32] {
        let drawn = self.inner.drawn.fetch_add(1, Ordering::Relaxed);
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&drawn.to_be_bytes());
        for (byte, letter) in bytes[8..].iter_mut().zip(self.inner.name.bytes()) {
            *byte = letter;
        }
        Random::new(bytes).bytes()
    }

    async fn exchange(
        &self,
        to: &ServerName,
        request: Request<Bytes>,
        _timeout_ms: u64,
    ) -> Result<RemoteResponse, RemoteError> {
        self.step().await;
        let answer = self.inner.network.carry(&self.inner.name, to.as_str(), request);
        let (status, body) =
            answer.ok_or_else(|| RemoteError::Unreachable(format!("{to} does not answer")))?;
        let status =
            StatusCode::from_u16(status).map_err(|error| RemoteError::Misbehaved(error.to_string()))?;
        let chunks: Vec<_> = body
            .chunks(CHUNK_BYTES)
            .map(|chunk| Ok(Bytes::copy_from_slice(chunk)))
            .collect();
        Ok(RemoteResponse {
            status,
            body: Box::pin(stream::iter(chunks)),
        })
    }

    async fn compute<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        work()
    }
}
