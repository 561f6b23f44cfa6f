//! A shard on disk, as the native host has it: one file, every command durable before it is answered.

use std::path::Path;

use selvage_event::{ServerName, SigningKey};
use selvage_object::{Moment, ObjectKey, Placement, Registry, Row, Shard, ShardLimits, Storage, Timestamp};
use selvage_protocol::Ask;
use selvage_room::{Identity, RoomObject};
use selvage_sim::server::command;
use selvage_sqlite::{Durability, Shared, Sqlite};

/// The memory of the shard, in bytes.
const LOADED_BYTES_MAX: usize = 64 << 20;
/// Milliseconds since 1970.
const NOW: u64 = 1_800_000_000_000;

/// The shard.
pub(crate) struct Disk {
    database: Shared,
    shard: Shard<Shared>,
    turns: u64,
}

impl Disk {
    /// Opens the file, or begins it.
    pub(crate) fn open(path: &Path) -> Self {
        let database = Shared::new(Sqlite::open(path).expect("a database"));
        let key = SigningKey::from_seed("ed25519:bench", &[3; 32]).expect("a key");
        let identity = Identity::new(ServerName::parse("test").expect("a name"), key);
        let shard = Shard::open(
            database.clone(),
            Registry::new().with(RoomObject::new(identity)),
            Placement::Hashed { shards: 1 },
            ShardLimits {
                loaded_bytes_max: LOADED_BYTES_MAX,
            },
            Timestamp(NOW),
        );
        Self {
            database,
            shard: shard.expect("the shard opens"),
            turns: 0,
        }
    }

    /// Asks, and waits until it is durable.
    pub(crate) fn ask<A: Ask>(&mut self, to: &ObjectKey, ask: A) -> A::Reply {
        self.turns += 1;
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.turns.to_le_bytes());
        let moment = Moment {
            now: Timestamp(NOW + self.turns),
            seed,
        };
        self.database.begin(Durability::Synced).expect("a transaction");
        let outcome = self.shard.ask(moment, to, &command(ask));
        self.database.commit().expect("a commit");
        let reply = outcome.reply.expect("what is measured is allowed");
        serde_json::from_slice(&reply).expect("a reply of the protocol")
    }

    /// A number that the database tells.
    pub(crate) fn number(&self, sql: &'static str) -> u64 {
        let mut number = 0;
        let each = &mut |row: Row| {
            number = row.number(0).expect("a number");
            Ok(())
        };
        self.database.sql().run(sql, &[], each).expect("an answer");
        number
    }

    /// Carries what is in the log into the file.
    pub(crate) fn checkpoint(&self) {
        self.database.checkpoint().expect("a checkpoint");
    }
}
