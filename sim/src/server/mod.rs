//! One server: its shards on virtual time, and the post between them.
//!
//! Nothing happens by itself. The owner gives commands to objects, says when each shard commits or crashes, and carries
//! each delivery, so that every order of events can be played and played again. [`Server::ask`] and [`Server::settle`] do
//! all of it in the usual order, for tests that are about something else.

mod counting;
mod home;
mod post;

use std::collections::BTreeMap;

use selvage_destination::DestinationObject;
use selvage_event::{ServerName, SigningKey};
use selvage_object::{
    Delivery, Failure, Moment, ObjectKey, Param, Placement, REDELIVERY_CHECK_MS, Registry, Row, Shard,
    ShardId, ShardLimits, Sql, Started, Timestamp, Wake,
};
use selvage_protocol::Ask;
use selvage_room::{Identity, RoomObject};
use selvage_server::ServerObject;
use selvage_user::UserObject;

pub use counting::Counting;
use home::{Held, Home};
pub use post::Fate;
use post::Letter;

use crate::Prng;

/// When virtual time begins, in milliseconds since 1970.
pub const EPOCH: Timestamp = Timestamp(1_800_000_000_000);
/// How often [`Server::settle`] looks again before it gives up.
const SETTLE_ROUNDS_MAX: usize = 10_000;
const KEY_ID: &str = "ed25519:sim";

/// How a server is laid out.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Where objects live.
    pub placement: Placement,
    /// The memory of each shard, in bytes; little of it makes objects leave and load all the time.
    pub loaded_bytes_max: usize,
}

impl Default for Layout {
    /// Three shards that house all kinds, with memory for everything.
    fn default() -> Self {
        Self {
            placement: Placement::Hashed { shards: 3 },
            loaded_bytes_max: 64 << 20,
        }
    }
}

/// A server in this process.
pub struct Server {
    name: ServerName,
    key: SigningKey,
    rooms: RoomObject,
    layout: Layout,
    homes: BTreeMap<ShardId, Home>,
    now: Timestamp,
    prng: Prng,
    post: Vec<Letter>,
    hints: Vec<Delivery>,
    wakes: Vec<Wake>,
    started: Vec<Started>,
}

impl Server {
    /// A server of this name without data, with a signing key that the seed determines.
    #[must_use]
    pub fn new(name: &str, layout: Layout, seed: u64) -> Self {
        let mut prng = Prng::new(seed);
        let key = SigningKey::from_seed(KEY_ID, &prng.bytes()).expect("a key id");
        Self::with_key(name, key, layout, seed)
    }

    /// As [`Server::new`], with this signing key.
    ///
    /// # Panics
    /// When the name is none.
    #[must_use]
    pub fn with_key(name: &str, key: SigningKey, layout: Layout, seed: u64) -> Self {
        let name = ServerName::parse(name).expect("a server name");
        let mut prng = Prng::new(seed);
        // The first bytes are the key's, where the seed determines it.
        let _: [u8; 32] = prng.bytes();
        Self {
            rooms: RoomObject::new(Identity::new(name.clone(), key.clone())),
            name,
            key,
            layout,
            homes: BTreeMap::new(),
            now: EPOCH,
            prng,
            post: Vec::new(),
            hints: Vec::new(),
            wakes: Vec::new(),
            started: Vec::new(),
        }
    }

    /// The server's name.
    #[must_use]
    pub const fn name(&self) -> &ServerName {
        &self.name
    }

    /// The key that the server signs with.
    #[must_use]
    pub const fn key(&self) -> &SigningKey {
        &self.key
    }

    /// The virtual time.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// Lets time pass; timers ring when [`Server::ring`] is called.
    pub const fn tick(&mut self, ms: u64) {
        self.now = self.now.plus_ms(ms);
    }

    /// Makes time for all that happens next, whatever it was.
    pub const fn set_now(&mut self, now: Timestamp) {
        self.now = now;
    }

    /// The shard that houses an object.
    #[must_use]
    pub fn shard_of(&self, key: &ObjectKey) -> ShardId {
        self.layout.placement.shard_of(key)
    }

    /// The shards that were used so far.
    #[must_use]
    pub fn shards(&self) -> Vec<ShardId> {
        self.homes.keys().cloned().collect()
    }

    fn moment(&mut self) -> Moment {
        Moment {
            now: self.now,
            seed: self.prng.bytes(),
        }
    }

    /// The shard, started if it does not run.
    fn home(&mut self, shard: &ShardId) -> &mut Home {
        let home = self.homes.entry(shard.clone()).or_insert_with(Home::new);
        if home.shard.is_none() {
            let registry = Registry::new()
                .with(self.rooms.clone())
                .with(UserObject::new())
                .with(DestinationObject::new())
                .with(ServerObject::new());
            let limits = ShardLimits {
                loaded_bytes_max: self.layout.loaded_bytes_max,
            };
            let opened = Shard::open(
                home.storage.clone(),
                registry,
                self.layout.placement,
                limits,
                self.now,
            );
            home.shard = Some(opened.expect("the shard opens"));
        }
        home
    }

    /// Runs one command in its shard's batch. What it causes leaves the shard with [`Server::commit`], and never when the
    /// shard crashes before that: so long the reply must be held too.
    ///
    /// # Errors
    /// What the object refuses, or what is broken.
    pub fn turn(&mut self, to: &ObjectKey, command: &[u8]) -> Result<Vec<u8>, Failure> {
        let moment = self.moment();
        let shard = self.shard_of(to);
        self.home(&shard).ask(moment, to, command).reply
    }

    /// The version of an object, for those who watch it.
    ///
    /// # Panics
    /// When the object cannot be loaded.
    pub fn version(&mut self, of: &ObjectKey) -> u64 {
        let moment = self.moment();
        let shard = self.shard_of(of);
        let version = self.home(&shard).begin().version(moment, of);
        version.expect("the object loads")
    }

    /// Whether the shard has turns that are not durable.
    #[must_use]
    pub fn has_open_batch(&self, shard: &ShardId) -> bool {
        self.homes.get(shard).is_some_and(Home::is_open_batch)
    }

    /// Makes the shard's turns durable and lets out what they caused.
    pub fn commit(&mut self, shard: &ShardId) {
        let now = self.now;
        let home = self.home(shard);
        home.commit();
        let Held {
            acks,
            hints,
            wakes,
            started,
        } = std::mem::take(&mut home.held);
        let deliveries = home.begin().take_deliveries(now);
        home.commit();
        let life = home.life;
        let letters = deliveries
            .expect("the outbox is read")
            .into_iter()
            .map(|delivery| Letter::Delivery {
                from: shard.clone(),
                life,
                delivery,
            });
        self.post.extend(acks.into_iter().chain(letters));
        self.hints.extend(hints);
        self.wakes.extend(wakes);
        self.started.extend(started);
    }

    /// The shard's process dies and is started anew when it is needed. With `durable` it dies after its commit and before
    /// anything left it, else before its commit.
    pub fn crash(&mut self, shard: &ShardId, durable: bool) {
        let Some(home) = self.homes.get_mut(shard) else {
            return;
        };
        if durable {
            home.commit();
        }
        let unanswered = home.die();
        // No process starts in the millisecond in which another died.
        self.tick(1);
        for letter in unanswered {
            if let Letter::Ack { to, life, receipt } = letter {
                self.failed(&to, life, &receipt, false);
            }
        }
    }

    /// All shards die and start anew, after their commits.
    pub fn restart(&mut self) {
        for shard in self.shards() {
            self.crash(&shard, true);
        }
    }

    /// How many letters are under way.
    #[must_use]
    pub fn letters(&self) -> usize {
        self.post.len()
    }

    /// Decides what becomes of one letter.
    pub fn carry(&mut self, index: usize, fate: Fate) {
        if index >= self.post.len() {
            return;
        }
        match self.post.remove(index) {
            Letter::Delivery { from, life, delivery } => self.carry_delivery(from, life, delivery, fate),
            Letter::Ack { to, life, receipt } => self.carry_ack(&to, life, &receipt, fate),
        }
    }

    fn carry_delivery(&mut self, from: ShardId, life: u64, delivery: Delivery, fate: Fate) {
        let receipt = delivery.receipt();
        if fate != Fate::Arrive {
            return self.failed(&from, life, &receipt, fate == Fate::Busy);
        }
        let moment = self.moment();
        let shard = delivery.shard.clone();
        let home = self.home(&shard);
        let mut outcome = home.begin().deliver(moment, &delivery);
        home.hold(&mut outcome);
        assert!(
            outcome.refused.is_empty(),
            "a tell was refused: {:?}",
            outcome.refused
        );
        if outcome.reply.is_err() {
            return self.failed(&from, life, &receipt, false);
        }
        self.home(&shard).held.acks.push(Letter::Ack {
            to: from,
            life,
            receipt,
        });
    }

    fn carry_ack(&mut self, to: &ShardId, life: u64, receipt: &selvage_object::Receipt, fate: Fate) {
        if fate != Fate::Arrive {
            return self.failed(to, life, receipt, false);
        }
        let home = self.home(to);
        if home.life == life {
            home.begin().delivered(receipt).expect("the outbox is written");
        }
    }

    fn failed(&mut self, shard: &ShardId, life: u64, receipt: &selvage_object::Receipt, busy: bool) {
        let now = self.now;
        let home = self.home(shard);
        if home.life == life {
            let given_up = home.begin().not_delivered(receipt, now, busy);
            assert_eq!(given_up.expect("the outbox is written"), 0, "a tell was given up");
        }
    }

    /// Carries the hints that have left their shards, or loses them.
    pub fn carry_hints(&mut self, arrive: bool) {
        for hint in std::mem::take(&mut self.hints) {
            if arrive {
                let moment = self.moment();
                let home = self.home(&hint.shard);
                let mut outcome = home.begin().deliver(moment, &hint);
                home.hold(&mut outcome);
            }
        }
    }

    /// Rings the shard's timers that are due.
    ///
    /// # Panics
    /// When a timer's handling fails.
    pub fn ring(&mut self, shard: &ShardId) {
        let moment = self.moment();
        let home = self.home(shard);
        let mut outcome = home.begin().ring_timers(moment).expect("timers are read");
        home.hold(&mut outcome);
        assert!(
            outcome.refused.is_empty(),
            "a timer failed: {:?}",
            outcome.refused
        );
    }

    /// Commits everything and carries everything, again and again, until nothing is under way.
    ///
    /// # Panics
    /// When the outboxes do not drain.
    pub fn settle(&mut self) {
        for _ in 0..SETTLE_ROUNDS_MAX {
            for shard in self.shards() {
                self.commit(&shard);
            }
            self.carry_hints(true);
            while !self.post.is_empty() {
                self.carry(0, Fate::Arrive);
            }
            if self.shards().iter().any(|shard| self.has_open_batch(shard)) {
                continue;
            }
            if self.undelivered() == 0 {
                return;
            }
            self.tick(REDELIVERY_CHECK_MS);
        }
        panic!("the outboxes do not drain");
    }

    /// How many tells lie in outboxes.
    #[must_use]
    pub fn undelivered(&self) -> u64 {
        let count = |shard| self.rows(shard, "SELECT count(*) FROM outbox", &[]);
        let counts = self.homes.keys().flat_map(count);
        counts.map(|row| row.number(0).unwrap_or_default()).sum()
    }

    /// Reads a shard's database, its open batch among it.
    ///
    /// # Panics
    /// When the database refuses the statement.
    #[must_use]
    pub fn rows(&self, shard: &ShardId, sql: &'static str, params: &[Param<'_>]) -> Vec<Row> {
        let mut rows = Vec::new();
        if let Some(home) = self.homes.get(shard) {
            let read = home.storage.run(sql, params, &mut |row| {
                rows.push(row);
                Ok(())
            });
            read.expect("the statement runs");
        }
        rows
    }

    /// The rows that a shard wrote since this was last called, by table, as [`Counting`] counts them.
    pub fn take_written(&mut self, shard: &ShardId) -> BTreeMap<String, u64> {
        self.home(shard).storage.take_written()
    }

    /// The rows that a shard read since this was last called, by table.
    pub fn take_read(&mut self, shard: &ShardId) -> BTreeMap<String, u64> {
        self.home(shard).storage.take_read()
    }

    /// What is wrong with the databases, a line each.
    ///
    /// # Panics
    /// When a database cannot be read.
    #[must_use]
    pub fn damage(&self) -> Vec<String> {
        let check = |home: &Home| home.storage.database().check_integrity().expect("it can be read");
        self.homes.values().flat_map(check).collect()
    }

    /// The watchers that were woken since this was last called.
    pub fn take_wakes(&mut self) -> Vec<Wake> {
        std::mem::take(&mut self.wakes)
    }

    /// The workflows that objects have started since the last call; they are lost with whoever takes them.
    pub fn take_started(&mut self) -> Vec<Started> {
        std::mem::take(&mut self.started)
    }

    /// Asks one object, makes it durable, and carries everything that it causes to its end.
    ///
    /// # Errors
    /// What the object refuses, or what is broken.
    ///
    /// # Panics
    /// When the reply is not of the type that the protocol says.
    pub fn ask<A: Ask>(&mut self, to: &ObjectKey, ask: A) -> Result<A::Reply, Failure> {
        let reply = self.turn(to, &command(ask));
        self.settle();
        reply.map(|reply| serde_json::from_slice(&reply).expect("a reply of the protocol"))
    }
}

/// A command as the JSON that objects read.
///
/// # Panics
/// When it has no JSON form.
pub fn command<A: Ask>(ask: A) -> Vec<u8> {
    serde_json::to_vec(&ask.into_message()).expect("commands have a JSON form")
}
