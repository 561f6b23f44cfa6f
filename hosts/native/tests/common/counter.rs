//! An object that counts, tells, blocks and panics, and a pool of shards of it.

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};

use selvage::host::NativeHost;
use selvage::metrics::Metrics;
use selvage::remote::Remotes;
use selvage::settings::Outgoing;
use selvage::shard::{Kinds, ShardPool};
use selvage_gateway::{AskError, FederationSettings, Host as _};
use selvage_object::{
    Failure, Fault, Kind, Migration, Object, ObjectKey, Param, Placement, Registry, Tracked, Turn,
};
use serde::{Deserialize, Serialize};

const SCHEMA: &[Migration] = &[&[
    "CREATE TABLE counts (object INTEGER NOT NULL, at INTEGER NOT NULL, sender TEXT NOT NULL, n INTEGER NOT NULL, \
     PRIMARY KEY (object, at), UNIQUE (object, sender, n)) STRICT, WITHOUT ROWID",
]];

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Command {
    /// Writes a row, and wakes whoever watches.
    Add,
    /// Writes a row as told by somebody, once.
    Told {
        sender: String,
        n: u64,
    },
    /// Writes a row and tells others its number.
    Tell {
        to: Vec<ObjectKey>,
    },
    /// What it was told by somebody, in order.
    ToldBy {
        sender: String,
    },
    /// How many rows there are.
    Read,
    /// Waits until the gate is open.
    Block,
    Panic,
}

/// Holds up a shard's thread in the middle of a turn.
#[derive(Clone, Default)]
pub struct Gate(Arc<(Mutex<State>, Condvar)>);

#[derive(Default)]
struct State {
    waiting: usize,
    open: bool,
}

impl Gate {
    fn pass(&self) {
        let (state, changed) = &*self.0;
        let mut state = state.lock().unwrap();
        state.waiting += 1;
        changed.notify_all();
        drop(changed.wait_while(state, |state| !state.open).unwrap());
    }

    pub fn wait_until_reached(&self) {
        let (state, changed) = &*self.0;
        let state = state.lock().unwrap();
        drop(changed.wait_while(state, |state| state.waiting == 0).unwrap());
    }

    pub fn open(&self) {
        let (state, changed) = &*self.0;
        state.lock().unwrap().open = true;
        changed.notify_all();
    }
}

struct Counter(Gate);

fn count(turn: &Turn<'_>) -> Result<u64, Fault> {
    let row = turn.row("SELECT count(*) FROM counts WHERE object = ?1", &[])?;
    Ok(row.unwrap().number(0)?)
}

fn add(memory: &mut Tracked<u64>, turn: &mut Turn<'_>, sender: &str, n: u64) -> Result<(), Failure> {
    let known = "SELECT 1 FROM counts WHERE object = ?1 AND sender = ?2 AND n = ?3";
    if turn
        .row(known, &[Param::Text(sender), Param::number(n)])?
        .is_some()
    {
        return Ok(());
    }
    let insert = "INSERT INTO counts (object, at, sender, n) VALUES (?1, ?2, ?3, ?4)";
    turn.write(
        insert,
        &[Param::number(**memory), Param::Text(sender), Param::number(n)],
    )?;
    *memory.change() += 1;
    turn.wake(**memory);
    Ok(())
}

fn told_by(turn: &Turn<'_>, sender: &str) -> Result<Vec<u64>, Fault> {
    let select = "SELECT n FROM counts WHERE object = ?1 AND sender = ?2 ORDER BY at";
    let rows = turn.rows(select, &[Param::Text(sender)])?;
    rows.iter().map(|row| Ok(row.number(0)?)).collect()
}

impl Object for Counter {
    const KIND: Kind = Kind::Probe;
    type Memory = u64;
    type Command = Command;

    fn schema(&self) -> &'static [Migration] {
        SCHEMA
    }

    fn load(&self, turn: &Turn<'_>) -> Result<u64, Fault> {
        count(turn)
    }

    fn handle(
        &self,
        memory: &mut Tracked<u64>,
        turn: &mut Turn<'_>,
        command: Command,
    ) -> Result<Vec<u8>, Failure> {
        let own = turn.key().to_string();
        let n = **memory;
        match command {
            Command::Add => add(memory, turn, &own, n)?,
            Command::Told { sender, n } => add(memory, turn, &sender, n)?,
            Command::Tell { to } => {
                add(memory, turn, &own, n)?;
                turn.tell(to, &Command::Told { sender: own, n })?;
            }
            Command::ToldBy { sender } => {
                return Ok(serde_json::to_vec(&told_by(turn, &sender)?).unwrap());
            }
            Command::Read => assert_eq!(**memory, count(turn)?, "memory and rows"),
            Command::Block => self.0.pass(),
            Command::Panic => {
                add(memory, turn, &own, n)?;
                panic!("as asked");
            }
        }
        Ok(serde_json::to_vec(&**memory).unwrap())
    }

    fn version(&self, memory: &u64) -> u64 {
        *memory
    }
}

/// A host over shards of counters.
pub struct Pool {
    pub host: NativeHost,
    pub metrics: Arc<Metrics>,
    pub gate: Gate,
}

pub fn start(directory: &Path, shards: u16) -> Pool {
    let gate = Gate::default();
    let counters = gate.clone();
    let kinds: Kinds = Arc::new(move || Registry::new().with(Counter(counters.clone())));
    let metrics = Arc::new(Metrics::default());
    let pool = ShardPool::start(directory, shards, &kinds, &metrics).unwrap();
    let remotes = Remotes::new(&Outgoing::default(), FederationSettings::default()).unwrap();
    Pool {
        host: NativeHost::new(pool, remotes, Arc::clone(&metrics)),
        metrics,
        gate,
    }
}

impl Pool {
    pub fn stop(self) {
        self.host.close();
        self.host.finish();
    }
}

pub async fn ask(host: &NativeHost, to: &ObjectKey, command: Command) -> Result<u64, AskError> {
    let reply = host.ask(to, serde_json::to_vec(&command).unwrap()).await?;
    Ok(serde_json::from_slice(&reply).unwrap())
}

pub async fn told(host: &NativeHost, of: &ObjectKey, sender: &ObjectKey) -> Vec<u64> {
    let command = Command::ToldBy {
        sender: sender.to_string(),
    };
    let reply = host.ask(of, serde_json::to_vec(&command).unwrap()).await.unwrap();
    serde_json::from_slice(&reply).unwrap()
}

/// The `n`th counter that this shard houses.
pub fn object_in(shards: u16, shard: u16, n: usize) -> ObjectKey {
    let keys = (0..).map(|n| ObjectKey::new(Kind::Probe, format!("counter {n}")));
    let home = |key: &ObjectKey| Placement::Hashed { shards }.shard_of(key).to_string();
    keys.filter(|key| home(key) == shard.to_string()).nth(n).unwrap()
}

/// A runtime with threads of its own.
pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}
