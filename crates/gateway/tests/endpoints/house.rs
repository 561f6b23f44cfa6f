//! A host in one process: one shard with the product's own objects over a database in memory, on a thread of its own, and
//! a clock that stands still until somebody waits.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use futures_util::stream;
use selvage_destination::DestinationObject;
use selvage_event::{ServerName, SigningKey};
use selvage_gateway::{AskError, Host, RemoteError, RemoteResponse};
use selvage_object::{
    Delivery, Failure, Moment, ObjectKey, Placement, Registry, Shard, ShardLimits, Timestamp,
};
use selvage_protocol::server::IdentityReply;
use selvage_room::{Identity, RoomObject};
use selvage_server::ServerObject;
use selvage_sqlite::Sqlite;
use selvage_user::UserObject;

pub(crate) const SERVER: &str = "example.org";
const SEED: [u8; 32] = [7; 32];
const KEY_ID: &str = "ed25519:1";
const START_MS: u64 = 1_700_000_000_000;

/// The server's identity.
pub(crate) fn identity() -> IdentityReply {
    IdentityReply {
        key_id: KEY_ID.to_owned(),
        seed: URL_SAFE_NO_PAD.encode(SEED),
        mac_key: URL_SAFE_NO_PAD.encode([8; 32]),
        old_keys: Vec::new(),
    }
}

type Reply = Result<Vec<u8>, AskError>;

enum Input {
    Ask(Moment, ObjectKey, Vec<u8>, Sender<Reply>),
    Version(Moment, ObjectKey, Sender<u64>),
}

/// Something that happens while a request waits.
type Meanwhile = Box<dyn FnOnce() + Send>;

/// How another server answers.
type Other = Box<dyn Fn(&http::Request<Bytes>) -> (u16, Vec<u8>) + Send>;

/// The host. Cheap to clone.
#[derive(Clone)]
pub(crate) struct House {
    inner: Arc<Inner>,
}

struct Inner {
    shard: Sender<Input>,
    now: AtomicU64,
    drawn: AtomicU64,
    asked: Mutex<BTreeMap<&'static str, u64>>,
    meanwhile: Mutex<Vec<Meanwhile>>,
    waits: AtomicU64,
    stops: AtomicBool,
    computed: AtomicU64,
    trouble: Mutex<Option<AskError>>,
    others: Mutex<BTreeMap<String, Other>>,
    exchanged: Mutex<Vec<String>>,
}

impl House {
    pub(crate) fn new() -> Self {
        let (shard, inputs) = channel();
        std::thread::spawn(move || {
            let mut shard = open();
            for input in inputs {
                serve(&mut shard, input);
            }
        });
        let inner = Inner {
            shard,
            now: AtomicU64::new(START_MS),
            drawn: AtomicU64::new(0),
            asked: Mutex::default(),
            meanwhile: Mutex::default(),
            waits: AtomicU64::new(0),
            stops: AtomicBool::new(false),
            computed: AtomicU64::new(0),
            trouble: Mutex::default(),
            others: Mutex::default(),
            exchanged: Mutex::default(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// How often objects of each kind were asked since the last call.
    pub(crate) fn take_asked(&self) -> BTreeMap<&'static str, u64> {
        std::mem::take(&mut self.inner.asked.lock().unwrap())
    }

    /// From now on another server answers so: with a status and a body.
    pub(crate) fn serve(
        &self,
        server: &str,
        answer: impl Fn(&http::Request<Bytes>) -> (u16, Vec<u8>) + Send + 'static,
    ) {
        let mut others = self.inner.others.lock().unwrap();
        others.insert(server.to_owned(), Box::new(answer));
    }

    /// What other servers were asked since the last call: methods, servers and paths.
    pub(crate) fn take_exchanged(&self) -> Vec<String> {
        std::mem::take(&mut self.inner.exchanged.lock().unwrap())
    }

    /// How often a request began to wait.
    pub(crate) fn waits(&self) -> u64 {
        self.inner.waits.load(Ordering::Relaxed)
    }

    /// How much long work was done.
    pub(crate) fn computed(&self) -> u64 {
        self.inner.computed.load(Ordering::Relaxed)
    }

    /// Does this when a request next waits.
    pub(crate) fn meanwhile(&self, act: impl FnOnce() + Send + 'static) {
        self.inner.meanwhile.lock().unwrap().push(Box::new(act));
    }

    /// From now on nobody may wait.
    pub(crate) fn stop(&self) {
        self.inner.stops.store(true, Ordering::Relaxed);
    }

    /// Every ask fails in this way until told otherwise.
    pub(crate) fn trouble(&self, error: Option<AskError>) {
        *self.inner.trouble.lock().unwrap() = error;
    }

    /// Lets time pass.
    pub(crate) fn pass_ms(&self, ms: u64) {
        self.inner.now.fetch_add(ms, Ordering::Relaxed);
    }

    fn moment(&self) -> Moment {
        Moment {
            now: self.now(),
            seed: self.random(),
        }
    }
}

impl Host for House {
    async fn ask(&self, to: &ObjectKey, command: Vec<u8>) -> Reply {
        *self
            .inner
            .asked
            .lock()
            .unwrap()
            .entry(to.kind().name())
            .or_default() += 1;
        if let Some(error) = self.inner.trouble.lock().unwrap().clone() {
            return Err(error);
        }
        let (answer, reply) = channel();
        self.inner
            .shard
            .send(Input::Ask(self.moment(), to.clone(), command, answer))
            .unwrap();
        reply.recv().unwrap()
    }

    async fn wait(&self, of: &ObjectKey, seen: u64, timeout_ms: u64) -> Result<(), AskError> {
        self.inner.waits.fetch_add(1, Ordering::Relaxed);
        if self.inner.stops.load(Ordering::Relaxed) {
            return Err(AskError::Stopping);
        }
        let (answer, version) = channel();
        self.inner
            .shard
            .send(Input::Version(self.moment(), of.clone(), answer))
            .unwrap();
        if version.recv().unwrap() > seen {
            return Ok(());
        }
        let acts = std::mem::take(&mut *self.inner.meanwhile.lock().unwrap());
        if acts.is_empty() {
            self.pass_ms(timeout_ms);
        }
        acts.into_iter().for_each(|act| act());
        Ok(())
    }

    fn now(&self) -> Timestamp {
        Timestamp(self.inner.now.load(Ordering::Relaxed))
    }

    fn random(&self) -> [u8; 32] {
        let drawn = self.inner.drawn.fetch_add(1, Ordering::Relaxed);
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&drawn.to_be_bytes());
        selvage_object::Random::new(bytes).bytes()
    }

    async fn exchange(
        &self,
        to: &ServerName,
        request: http::Request<Bytes>,
        _: u64,
    ) -> Result<RemoteResponse, RemoteError> {
        let line = format!("{} {to}{}", request.method(), request.uri());
        self.inner.exchanged.lock().unwrap().push(line);
        let others = self.inner.others.lock().unwrap();
        let Some(other) = others.get(to.as_str()) else {
            return Err(RemoteError::Unreachable(format!("{to} is not there")));
        };
        let (status, body) = other(&request);
        let chunks = body.chunks(10_000).map(|chunk| Ok(Bytes::copy_from_slice(chunk)));
        Ok(RemoteResponse {
            status: http::StatusCode::from_u16(status).unwrap(),
            body: Box::pin(stream::iter(chunks.collect::<Vec<_>>())),
        })
    }

    async fn compute<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        self.inner.computed.fetch_add(1, Ordering::Relaxed);
        work()
    }
}

fn open() -> Shard<Sqlite> {
    let name: ServerName = SERVER.parse().unwrap();
    let key = SigningKey::from_seed(KEY_ID, &SEED).unwrap();
    let registry = Registry::new()
        .with(RoomObject::new(Identity::new(name, key)))
        .with(UserObject::new())
        .with(DestinationObject::new())
        .with(ServerObject::new());
    let limits = ShardLimits {
        loaded_bytes_max: 1 << 20,
    };
    let placement = Placement::Hashed { shards: 1 };
    Shard::open(
        Sqlite::in_memory().unwrap(),
        registry,
        placement,
        limits,
        Timestamp(START_MS),
    )
    .unwrap()
}

fn serve(shard: &mut Shard<Sqlite>, input: Input) {
    match input {
        Input::Ask(moment, to, command, answer) => {
            let outcome = shard.ask(moment, &to, &command);
            settle(shard, moment, outcome.hints);
            let reply = outcome.reply.map_err(|failure| match failure {
                Failure::Refusal(refusal) => AskError::Refused(refusal),
                Failure::Fault(fault) => AskError::Unavailable(fault.to_string()),
            });
            let _ = answer.send(reply);
        }
        Input::Version(moment, of, answer) => {
            let _ = answer.send(shard.version(moment, &of).unwrap());
        }
    }
}

/// Delivers until nothing is left to deliver.
fn settle(shard: &mut Shard<Sqlite>, moment: Moment, hints: Vec<Delivery>) {
    let mut letters = hints;
    loop {
        for delivery in std::mem::take(&mut letters) {
            letters.extend(shard.deliver(moment, &delivery).hints);
        }
        for delivery in shard.take_deliveries(moment.now).unwrap() {
            let outcome = shard.deliver(moment, &delivery);
            assert!(outcome.reply.is_ok() && outcome.refused.is_empty(), "{outcome:?}");
            letters.extend(outcome.hints);
            shard.delivered(&delivery.receipt()).unwrap();
        }
        if letters.is_empty() && shard.take_deliveries(moment.now).unwrap().is_empty() {
            return;
        }
    }
}
