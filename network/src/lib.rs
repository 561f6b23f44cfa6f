//! Several servers in one process that speak with each other: real gateways, real workflows, real objects, virtual time.
//!
//! Nothing is concurrent. A request to another server is answered before whoever made it goes on, so a whole exchange between
//! servers is one call. Workflows that objects start run in [`Network::settle`], which clients call after each request unless told
//! otherwise. Requests can be cut off, lost, or tampered with, and whoever makes them can die at any step.
#![allow(
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "test support: what cannot be done fails the test"
)]

mod client;
mod house;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _};
use http::{Request, Response};
use selvage_gateway::{Body, Gateway, Registration, Settings, respond};
use selvage_object::Timestamp;
use selvage_protocol::server::IdentityReply;

pub use client::{Client, Reply};
pub use house::House;

use selvage_sim::server::EPOCH;

/// How often [`Network::settle`] looks for workflows before it gives up.
const SETTLE_ROUNDS_MAX: usize = 2_000;
/// How much time passes between two looks at the timers, in milliseconds.
const TICK_MS: u64 = 15_000;

/// A request that one server made to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchanged {
    /// Who made it.
    pub from: String,
    /// To whom.
    pub to: String,
    /// Its method and path, without the query.
    pub what: String,
    /// Its body.
    pub body: Vec<u8>,
}

/// What a request comes back as: the status and the body. It is given the request and the true answer.
pub type Tampering = Arc<dyn Fn(&Exchanged, u16, Vec<u8>) -> (u16, Vec<u8>) + Send + Sync>;

/// What goes wrong.
#[derive(Default)]
struct Trouble {
    /// Servers that reach nobody and are reached by nobody.
    away: BTreeSet<String>,
    /// Pairs that do not reach each other.
    split: BTreeSet<(String, String)>,
    /// Requests with this in their path arrive, and their answers do not.
    answers_lost: Option<String>,
    tampering: Option<Tampering>,
}

struct Shared {
    now: AtomicU64,
    gateways: Mutex<BTreeMap<String, Gateway<House>>>,
    trouble: Mutex<Trouble>,
    exchanged: Mutex<Vec<Exchanged>>,
}

/// The servers and what is between them. Cheap to clone.
#[derive(Clone)]
pub struct Network {
    shared: Arc<Shared>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nobody panics with the lock")
}

impl Network {
    /// Servers of these names.
    ///
    /// # Panics
    /// When a name is none.
    #[must_use]
    pub fn of(names: &[&str]) -> Self {
        let network = Self {
            shared: Arc::new(Shared {
                now: AtomicU64::new(EPOCH.0),
                gateways: Mutex::default(),
                trouble: Mutex::default(),
                exchanged: Mutex::default(),
            }),
        };
        for (number, name) in (1..).zip(names) {
            network.add(name, number);
        }
        network
    }

    fn add(&self, name: &str, number: u8) {
        let seed = [number; 32];
        let identity = IdentityReply {
            key_id: format!("ed25519:{number}"),
            seed: URL_SAFE_NO_PAD.encode(seed),
            mac_key: URL_SAFE_NO_PAD.encode([number; 32]),
            old_keys: Vec::new(),
        };
        let mut settings = Settings::new(name.parse().expect("a server name"));
        settings.registration = Registration::Open;
        settings.password_hash_memory_kib = 8;
        settings.rate_limits = false;
        let house = House::new(self.clone(), name, (&identity.key_id, &seed));
        let gateway = Gateway::new(house, settings, &identity).expect("a gateway");
        locked(&self.shared.gateways).insert(name.to_owned(), gateway);
    }

    /// The gateway of a server.
    ///
    /// # Panics
    /// When there is no such server.
    #[must_use]
    pub fn gateway(&self, name: &str) -> Gateway<House> {
        locked(&self.shared.gateways).get(name).expect("a server").clone()
    }

    /// A new user of a server, signed in.
    #[must_use]
    pub fn user(&self, name: &str, server: &str) -> Client {
        Client::register(self, server, name)
    }

    /// The virtual time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp(self.shared.now.load(Ordering::Relaxed))
    }

    fn tick(&self, ms: u64) {
        self.shared.now.fetch_add(ms, Ordering::Relaxed);
    }

    /// Runs what objects have started until nothing is started any more.
    ///
    /// # Panics
    /// When there is no end to it, or a workflow does.
    pub fn settle(&self) {
        assert!(!self.run_started(), "a workflow waits for nothing here");
    }

    /// As [`Network::settle`], when whoever runs a workflow may die (see [`House::die_after`]).
    ///
    /// # Panics
    /// When there is no end to it.
    pub fn settle_with_deaths(&self) {
        self.run_started();
    }

    /// Runs what was started; whether anything of it did not come to its end.
    fn run_started(&self) -> bool {
        let mut died = false;
        for _ in 0..SETTLE_ROUNDS_MAX {
            let gateways: Vec<Gateway<House>> = locked(&self.shared.gateways).values().cloned().collect();
            let mut idle = true;
            for gateway in gateways {
                for started in gateway.host().take_started() {
                    idle = false;
                    died |= gateway.workflows().run(&started).now_or_never().is_none();
                }
            }
            if idle {
                return died;
            }
        }
        panic!("workflows start each other without end");
    }

    /// What objects have started is lost.
    pub fn lose_started(&self) {
        for gateway in locked(&self.shared.gateways).values() {
            drop(gateway.host().take_started());
        }
    }

    /// Lets time pass, and timers ring.
    pub fn pass(&self, ms: u64) {
        let mut left = ms;
        while left > 0 {
            let tick = left.min(TICK_MS);
            self.tick(tick);
            left -= tick;
            let gateways: Vec<Gateway<House>> = locked(&self.shared.gateways).values().cloned().collect();
            gateways.iter().for_each(|gateway| gateway.host().ring());
            self.settle();
        }
    }

    /// A server reaches nobody and nobody reaches it, or no longer so.
    pub fn away(&self, name: &str, away: bool) {
        let servers = &mut locked(&self.shared.trouble).away;
        if away {
            servers.insert(name.to_owned());
        } else {
            servers.remove(name);
        }
    }

    /// Two servers do not reach each other, or do again.
    pub fn split(&self, a: &str, b: &str, split: bool) {
        let pairs = &mut locked(&self.shared.trouble).split;
        for pair in [(a, b), (b, a)] {
            let pair = (pair.0.to_owned(), pair.1.to_owned());
            if split {
                pairs.insert(pair);
            } else {
                pairs.remove(&pair);
            }
        }
    }

    /// Answers to requests with this in their path are lost on the way back.
    pub fn lose_answers(&self, what: Option<&str>) {
        locked(&self.shared.trouble).answers_lost = what.map(str::to_owned);
    }

    /// Changes answers on their way.
    pub fn tamper(
        &self,
        tampering: impl Fn(&Exchanged, u16, Vec<u8>) -> (u16, Vec<u8>) + Send + Sync + 'static,
    ) {
        locked(&self.shared.trouble).tampering = Some(Arc::new(tampering));
    }

    /// Nobody tampers any more.
    pub fn leave_alone(&self) {
        locked(&self.shared.trouble).tampering = None;
    }

    /// The requests between servers since this was last called, those that did not arrive among them.
    #[allow(
        clippy::must_use_candidate,
        reason = "the first call forgets what came before"
    )]
    pub fn take_exchanged(&self) -> Vec<Exchanged> {
        std::mem::take(&mut locked(&self.shared.exchanged))
    }

    /// Carries a request; `None` when it does not arrive, or its answer does not.
    fn carry(&self, from: &str, to: &str, request: Request<Bytes>) -> Option<(u16, Vec<u8>)> {
        let exchanged = Exchanged {
            from: from.to_owned(),
            to: to.to_owned(),
            what: format!("{} {}", request.method(), request.uri().path()),
            body: request.body().to_vec(),
        };
        locked(&self.shared.exchanged).push(exchanged.clone());
        if self.is_cut(from, to) {
            return None;
        }
        let gateway = locked(&self.shared.gateways).get(to).cloned()?;
        let response = respond(&gateway, request).now_or_never()?;
        let (status, body) = (response.status().as_u16(), whole(response)?);
        let (lost, tampering) = {
            let trouble = locked(&self.shared.trouble);
            let lost = trouble.answers_lost.as_ref();
            let lost = lost.is_some_and(|part| exchanged.what.contains(part));
            (lost, trouble.tampering.clone())
        };
        let answer = tampering.map_or((status, body.clone()), |tamper| tamper(&exchanged, status, body));
        (!lost).then_some(answer)
    }

    fn is_cut(&self, from: &str, to: &str) -> bool {
        let trouble = locked(&self.shared.trouble);
        let pair = (from.to_owned(), to.to_owned());
        trouble.away.contains(from) || trouble.away.contains(to) || trouble.split.contains(&pair)
    }
}

fn whole(response: Response<Body>) -> Option<Vec<u8>> {
    match response.into_body() {
        Body::Whole(bytes) => Some(bytes.to_vec()),
        Body::Chunks(chunks) => {
            let chunks: Vec<_> = chunks.collect::<Vec<_>>().now_or_never()?;
            let chunks: Result<Vec<Bytes>, _> = chunks.into_iter().collect();
            Some(chunks.ok()?.concat())
        }
    }
}
