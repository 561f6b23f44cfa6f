//! The object under test.

use std::cell::Cell;
use std::rc::Rc;

use selvage_object::{
    Failure, Fault, Kind, Migration, Object, ObjectKey, Param, Refusal, Timestamp, Tracked, Turn,
};
use serde::{Deserialize, Serialize};

pub const SCHEMA: &[Migration] = &[&[
    "CREATE TABLE notes (object INTEGER NOT NULL, at INTEGER NOT NULL, sender TEXT NOT NULL, n INTEGER NOT NULL, \
     PRIMARY KEY (object, at), UNIQUE (object, sender, n)) STRICT, WITHOUT ROWID",
]];

/// A timer of this name fails when it rings.
pub const FAILING: &str = "failing";
/// A timer of this name stops the timer [`STOPPED`].
pub const STOPPING: &str = "stopping";
pub const STOPPED: &str = "x stopped";

const TIMERS: [&str; 5] = [FAILING, STOPPING, STOPPED, "one", "two"];

/// How a turn ends after it has written and changed memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    Well,
    Refusal,
    Fault,
    Database,
    Assertion,
    Panic,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Command {
    /// Notes `n` and ends so.
    Note {
        n: u64,
        end: End,
    },
    /// Notes `n` as told by `sender`; fails when it is `poison`.
    Told {
        sender: String,
        n: u64,
    },
    /// Notes `n` and tells it to others.
    Tell {
        to: Vec<ObjectKey>,
        n: u64,
    },
    /// Tells `count` numbers to others, each by itself.
    TellMany {
        to: Vec<ObjectKey>,
        count: u64,
    },
    /// Tells without having any rows.
    TellOnly {
        to: Vec<ObjectKey>,
    },
    /// Notes `n` and hints it to others.
    Hint {
        to: Vec<ObjectKey>,
        n: u64,
    },
    Read,
    /// Has `n` in mind without writing it down.
    Think {
        n: u64,
    },
    SetTimer {
        name: String,
        due: u64,
    },
    StopTimer {
        name: String,
    },
}

/// What a notebook says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pages {
    pub memory: Vec<(String, u64)>,
    pub rows: Vec<(String, u64)>,
    pub thoughts: Vec<u64>,
}

/// The kind.
#[derive(Clone, Default)]
pub struct Notebook {
    /// How often a notebook was loaded.
    pub loads: Rc<Cell<usize>>,
    /// A told number that no notebook takes.
    pub poison: Rc<Cell<Option<u64>>>,
    /// Whether turns fail at their end.
    pub fail_after_telling: Rc<Cell<bool>>,
    /// What one notebook says that its memory takes.
    pub memory_bytes: usize,
    pub schema: Option<&'static [Migration]>,
}

#[derive(Default)]
pub struct Memory {
    notes: Vec<(String, u64)>,
    thoughts: Vec<u64>,
}

const SELECT: &str = "SELECT sender, n FROM notes WHERE object = ?1 ORDER BY at";
const INSERT: &str = "INSERT INTO notes (object, at, sender, n) VALUES (?1, ?2, ?3, ?4)";

fn stored(turn: &Turn<'_>) -> Result<Vec<(String, u64)>, Fault> {
    let rows = turn.rows(SELECT, &[])?;
    let notes = rows.into_iter().map(|mut row| Ok((row.text(0)?, row.number(1)?)));
    notes.collect()
}

fn note(memory: &mut Tracked<Memory>, turn: &Turn<'_>, sender: &str, n: u64) -> Result<(), Failure> {
    if memory.notes.contains(&(sender.to_owned(), n)) {
        return Ok(());
    }
    let at = memory.notes.len() as u64;
    turn.write(
        INSERT,
        &[Param::number(at), Param::Text(sender), Param::number(n)],
    )?;
    memory.change().notes.push((sender.to_owned(), n));
    Ok(())
}

fn end(turn: &Turn<'_>, end: End) -> Result<(), Failure> {
    match end {
        End::Well => Ok(()),
        End::Refusal => Err(Refusal::new("M_FORBIDDEN", "not today").into()),
        End::Fault => Err(Fault::corrupt("it makes no sense").into()),
        End::Database => Ok(turn.write("INSERT INTO nowhere (object) VALUES (?1)", &[])?),
        End::Assertion => {
            assert!(turn.key().name().is_empty(), "the name is empty");
            Ok(())
        }
        End::Panic => panic!("in the middle of a turn"),
    }
}

fn timer(name: &str) -> &'static str {
    TIMERS.into_iter().find(|known| *known == name).unwrap()
}

impl Object for Notebook {
    const KIND: Kind = Kind::Probe;
    type Memory = Memory;
    type Command = Command;

    fn schema(&self) -> &'static [Migration] {
        self.schema.unwrap_or(SCHEMA)
    }

    fn load(&self, turn: &Turn<'_>) -> Result<Memory, Fault> {
        self.loads.set(self.loads.get() + 1);
        Ok(Memory {
            notes: stored(turn)?,
            thoughts: Vec::new(),
        })
    }

    fn handle(
        &self,
        memory: &mut Tracked<Memory>,
        turn: &mut Turn<'_>,
        command: Command,
    ) -> Result<Vec<u8>, Failure> {
        let own = turn.key().to_string();
        match command {
            Command::Note { n, end: how } => {
                note(memory, turn, "me", n)?;
                turn.wake(memory.notes.len() as u64);
                end(turn, how)?;
            }
            Command::Told { n, .. } if self.poison.get() == Some(n) => {
                return Err(Fault::corrupt("poison").into());
            }
            Command::Told { sender, n } => note(memory, turn, &sender, n)?,
            Command::Tell { to, n } => {
                note(memory, turn, "me", n)?;
                turn.tell(to, &Command::Told { sender: own, n })?;
            }
            Command::TellMany { to, count } => {
                note(memory, turn, "me", 0)?;
                for n in 0..count {
                    let sender = own.clone();
                    turn.tell(to.clone(), &Command::Told { sender, n })?;
                }
            }
            Command::TellOnly { to } => turn.tell(to, &Command::Read)?,
            Command::Hint { to, n } => {
                note(memory, turn, "me", n)?;
                turn.hint(to, &Command::Told { sender: own, n })?;
            }
            Command::Read => {}
            Command::Think { n } => memory.change().thoughts.push(n),
            Command::SetTimer { name, due } => turn.set_timer(timer(&name), Timestamp(due))?,
            Command::StopTimer { name } => turn.stop_timer(&name)?,
        }
        if self.fail_after_telling.get() {
            return Err(Fault::corrupt("told to fail").into());
        }
        let pages = Pages {
            memory: memory.notes.clone(),
            rows: stored(turn)?,
            thoughts: memory.thoughts.clone(),
        };
        Ok(serde_json::to_vec(&pages).unwrap())
    }

    fn ring(&self, memory: &mut Tracked<Memory>, turn: &mut Turn<'_>, name: &str) -> Result<(), Failure> {
        let rings = memory.notes.len() as u64;
        note(memory, turn, name, rings)?;
        match name {
            FAILING => Err(Fault::corrupt("it cannot ring").into()),
            STOPPING => Ok(turn.stop_timer(STOPPED)?),
            _ => Ok(()),
        }
    }

    fn version(&self, memory: &Memory) -> u64 {
        memory.notes.len() as u64
    }

    fn memory_bytes(&self, _: &Memory) -> usize {
        self.memory_bytes
    }
}
