//! Shards that tell each other things, driven step by step.

use selvage_object::{
    Delivery, Kind, Moment, ObjectKey, Outcome, Param, Placement, Registry, Shard, ShardId, ShardLimits, Sql,
    Timestamp,
};
use selvage_sqlite::{Durability, Shared, Sqlite};

use super::notebook::{Command, Notebook, Pages};

pub const START: Timestamp = Timestamp(1_700_000_000_000);
const SHARDS: u16 = 2;
const PLACEMENT: Placement = Placement::Hashed { shards: SHARDS };

pub struct World {
    pub kind: Notebook,
    pub limits: ShardLimits,
    pub now: Timestamp,
    pub shards: Vec<Shard<Shared>>,
    databases: Vec<Shared>,
    turns: u64,
}

impl World {
    pub fn new() -> Self {
        Self::with(Notebook::default(), usize::MAX)
    }

    pub fn with(kind: Notebook, loaded_bytes_max: usize) -> Self {
        let databases = (0..SHARDS).map(|_| Shared::new(Sqlite::in_memory().unwrap()));
        let mut world = Self {
            kind,
            limits: ShardLimits { loaded_bytes_max },
            now: START,
            shards: Vec::new(),
            databases: databases.collect(),
            turns: 0,
        };
        for index in 0..usize::from(SHARDS) {
            let shard = world.open(index);
            world.shards.push(shard);
        }
        world
    }

    fn open(&self, index: usize) -> Shard<Shared> {
        let registry = Registry::new().with(self.kind.clone());
        let database = self.databases[index].clone();
        Shard::open(database, registry, PLACEMENT, self.limits, self.now).unwrap()
    }

    pub fn database(&self, index: usize) -> &Shared {
        &self.databases[index]
    }

    /// The process dies: what was not committed and all memory is lost. The next one starts a moment later.
    pub fn crash(&mut self, index: usize) {
        self.databases[index].roll_back();
        self.now = self.now.plus_ms(1);
        self.shards[index] = self.open(index);
    }

    pub fn begin(&self, index: usize) {
        self.databases[index].begin(Durability::Synced).unwrap();
    }

    pub fn commit(&self, index: usize) {
        self.databases[index].commit().unwrap();
    }

    pub fn moment(&mut self) -> Moment {
        self.turns += 1;
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.turns.to_be_bytes());
        Moment { now: self.now, seed }
    }

    pub fn ask(&mut self, to: &ObjectKey, command: &Command) -> Outcome {
        let moment = self.moment();
        let command = serde_json::to_vec(command).unwrap();
        self.shards[home(to)].ask(moment, to, &command)
    }

    /// Asks and expects success.
    pub fn do_ask(&mut self, to: &ObjectKey, command: &Command) -> Pages {
        let reply = self.ask(to, command).reply.unwrap();
        serde_json::from_slice(&reply).unwrap()
    }

    /// What a notebook holds; its memory and its rows are the same.
    pub fn notes(&mut self, of: &ObjectKey) -> Vec<(String, u64)> {
        let pages = self.do_ask(of, &Command::Read);
        assert_eq!(pages.memory, pages.rows, "{of}");
        pages.rows
    }

    /// The numbers that `of` has noted as told by `sender`, in order.
    pub fn told(&mut self, of: &ObjectKey, sender: &ObjectKey) -> Vec<u64> {
        let sender = sender.to_string();
        let notes = self.notes(of).into_iter();
        notes.filter(|(by, _)| *by == sender).map(|(_, n)| n).collect()
    }

    pub fn take(&mut self, index: usize) -> Vec<Delivery> {
        let now = self.now;
        self.shards[index].take_deliveries(now).unwrap()
    }

    pub fn deliver(&mut self, delivery: &Delivery) -> Outcome {
        let moment = self.moment();
        self.shards[number(&delivery.shard)].deliver(moment, delivery)
    }

    /// Carries out all deliveries until there are none.
    pub fn settle(&mut self) {
        loop {
            let mut quiet = true;
            for index in 0..usize::from(SHARDS) {
                for delivery in self.take(index) {
                    quiet = false;
                    self.deliver(&delivery).reply.unwrap();
                    self.shards[index].delivered(&delivery.receipt()).unwrap();
                }
            }
            if quiet {
                return;
            }
        }
    }

    /// The single number that a query over one shard's database returns.
    pub fn count(&self, index: usize, sql: &'static str) -> u64 {
        let mut count = None;
        let params: [Param<'_>; 0] = [];
        self.databases[index]
            .run(sql, &params, &mut |row| {
                count = Some(row.number(0)?);
                Ok(())
            })
            .unwrap();
        count.unwrap()
    }

    pub fn outbox_rows(&self) -> u64 {
        let count = |index| self.count(index, "SELECT count(*) FROM outbox");
        (0..usize::from(SHARDS)).map(count).sum()
    }
}

pub fn number(shard: &ShardId) -> usize {
    shard.as_str().parse().unwrap()
}

pub fn home(key: &ObjectKey) -> usize {
    number(&PLACEMENT.shard_of(key))
}

/// The `n`th object that this shard houses.
pub fn object_in(shard: usize, n: usize) -> ObjectKey {
    let keys = (0..).map(|n| ObjectKey::new(Kind::Probe, format!("notebook {n}")));
    keys.filter(|key| home(key) == shard).nth(n).unwrap()
}
