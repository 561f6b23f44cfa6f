//! One shard of a simulated server: its database, which survives crashes, and its turn loop, which does not.

use selvage_object::{Delivery, Moment, ObjectKey, Outcome, Shard, Started, Wake};
use selvage_sqlite::{Durability, Shared, Sqlite};

use super::counting::Counting;
use super::post::Letter;

/// A shard between two commits.
pub(crate) struct Home {
    pub(crate) storage: Counting,
    /// `None` after a crash, until something is asked of it.
    pub(crate) shard: Option<Shard<Counting>>,
    /// How often it crashed: what was sent by an earlier life is not answered to the next.
    pub(crate) life: u64,
    /// Whether turns have run since the last commit.
    batch: bool,
    /// What leaves with the next commit.
    pub(crate) held: Held,
}

/// What a commit releases.
#[derive(Default)]
pub(crate) struct Held {
    pub(crate) acks: Vec<Letter>,
    pub(crate) hints: Vec<Delivery>,
    pub(crate) wakes: Vec<Wake>,
    pub(crate) started: Vec<Started>,
}

impl Home {
    pub(crate) fn new() -> Self {
        let database = Shared::new(Sqlite::in_memory().expect("SQLite in memory"));
        Self {
            storage: Counting::new(database),
            shard: None,
            life: 0,
            batch: false,
            held: Held::default(),
        }
    }

    /// The turn loop, in the open batch.
    pub(crate) fn begin(&mut self) -> &mut Shard<Counting> {
        if !self.batch {
            let begun = self.storage.database().begin(Durability::Synced);
            begun.expect("a database in memory begins a transaction");
            self.batch = true;
        }
        self.shard.as_mut().expect("the shard is open")
    }

    pub(crate) fn is_open_batch(&self) -> bool {
        self.batch
    }

    pub(crate) fn ask(&mut self, moment: Moment, to: &ObjectKey, command: &[u8]) -> Outcome {
        let mut outcome = self.begin().ask(moment, to, command);
        self.hold(&mut outcome);
        outcome
    }

    /// Keeps what an outcome would send until the commit.
    pub(crate) fn hold(&mut self, outcome: &mut Outcome) {
        self.held.hints.append(&mut outcome.hints);
        self.held.wakes.append(&mut outcome.wakes);
        self.held.started.append(&mut outcome.started);
    }

    /// Makes the batch durable.
    pub(crate) fn commit(&mut self) {
        if std::mem::take(&mut self.batch) {
            self.storage
                .database()
                .commit()
                .expect("a database in memory commits");
        }
    }

    /// The process dies: what was not committed is gone, and so is everything in memory. Returns the deliveries that it
    /// took and never answered.
    pub(crate) fn die(&mut self) -> Vec<Letter> {
        if std::mem::take(&mut self.batch) {
            self.storage.database().roll_back();
        }
        self.shard = None;
        self.life += 1;
        std::mem::take(&mut self.held).acks
    }
}
