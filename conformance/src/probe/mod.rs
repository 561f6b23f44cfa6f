//! An object made to be tested with. It does on command what objects do, and what they must never do.

mod command;
mod exhaust;
mod mail;
mod schema;
mod statements;
mod sums;
mod timers;
mod values;

use selvage_object::{Failure, Fault, Kind, Migration, Object, Param, Refusal, Timestamp, Tracked, Turn};
use serde::Serialize;

pub use command::{Command, Datum, Digest, Ending, Instant, Log, Resource, Sum};
pub use statements::{STATEMENTS, Statement, Verdict};
pub use timers::TIMERS;

/// The sum that [`Command::Add`] adds to.
const SUM: &str = "sum";
/// The sum that holds the version for those who watch.
const VERSION: &str = "version";

/// The probe.
pub struct Probe;

/// What a probe remembers.
pub struct Memory {
    sum: i64,
    version: u64,
    age: u64,
    claimed_bytes: usize,
}

impl Object for Probe {
    const KIND: Kind = Kind::Probe;
    type Memory = Memory;
    type Command = Command;

    fn schema(&self) -> &'static [Migration] {
        schema::SCHEMA
    }

    fn load(&self, turn: &Turn<'_>) -> Result<Memory, Fault> {
        Ok(Memory {
            sum: sums::get(turn, SUM)?,
            version: sums::get(turn, VERSION)?.unsigned_abs(),
            age: 0,
            claimed_bytes: 0,
        })
    }

    fn handle(
        &self,
        memory: &mut Tracked<Memory>,
        turn: &mut Turn<'_>,
        command: Command,
    ) -> Result<Vec<u8>, Failure> {
        match command {
            Command::Put { slot, value } => reply(&values::put(turn, &slot, &value)?),
            Command::PutLong { slot, bytes, text } => reply(&values::put_long(turn, &slot, bytes, text)?),
            Command::Get { slot } => reply(&values::get(turn, &slot)?),
            Command::GetDigest { slot } => reply(&values::digest(turn, &slot)?),
            Command::Run { statement } => reply(&values::run(turn, &statement)?),
            Command::Bind { parameters } => reply(&values::bind(turn, parameters)?),
            Command::Add { amount, ending } => reply(&add(memory, turn, amount, ending)?),
            Command::Exhaust { resource } => reply(&exhaust(memory, turn, resource)?),
            Command::AddRows { rows } => reply(&add_rows(turn, rows)?),
            Command::Sum => reply(&sum(memory, turn)?),
            Command::Instant => reply(&instant(turn)),
            Command::Tell { to, count, ending } => {
                let last = mail::tell(turn, &to, count)?;
                end(turn, ending)?;
                reply(&last)
            }
            Command::Told { from, number } => reply(&mail::told(turn, &from, number)?),
            Command::Log { from } => reply(&mail::log(turn, &from)?),
            Command::Trouble { ending } => reply(&mail::set_trouble(turn, ending)?),
            Command::Hint { to } => reply(&mail::hint(turn, &to)?),
            Command::Raise => reply(&raise(memory, turn)?),
            Command::Version => reply(&memory.version),
            Command::SetTimer { timer, in_ms } => reply(&timers::set(turn, &timer, in_ms)?),
            Command::StopTimer { timer } => reply(&timers::stop(turn, &timer)?),
            Command::Rings => reply(&timers::rings(turn)?),
            Command::Age => {
                memory.change().age += 1;
                reply(&memory.age)
            }
            Command::Weigh { bytes } => {
                sums::set(turn, "weighs", 1)?;
                memory.change().claimed_bytes = bytes;
                reply(&())
            }
        }
    }

    fn ring(&self, _: &mut Tracked<Memory>, turn: &mut Turn<'_>, timer: &str) -> Result<(), Failure> {
        timers::rung(turn, timer)
    }

    fn version(&self, memory: &Memory) -> u64 {
        memory.version
    }

    fn memory_bytes(&self, memory: &Memory) -> usize {
        memory.claimed_bytes
    }
}

fn reply(reply: &impl Serialize) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(reply).map_err(|error| Fault::corrupt(error.to_string()).into())
}

fn add(memory: &mut Tracked<Memory>, turn: &Turn<'_>, amount: i64, ending: Ending) -> Result<Sum, Failure> {
    memory.change().sum += amount;
    sums::set(turn, SUM, sums::get(turn, SUM)? + amount)?;
    end(turn, ending)?;
    sum(memory, turn)
}

fn exhaust(memory: &mut Tracked<Memory>, turn: &Turn<'_>, resource: Resource) -> Result<u64, Failure> {
    add(memory, turn, 1, Ending::Reply)?;
    Ok(exhaust::exhaust(resource))
}

fn sum(memory: &Memory, turn: &Turn<'_>) -> Result<Sum, Failure> {
    Ok(Sum {
        stored: sums::get(turn, SUM)?,
        remembered: memory.sum,
    })
}

fn add_rows(turn: &Turn<'_>, rows: i64) -> Result<u64, Failure> {
    sums::set(turn, "rows", rows)?;
    let before = turn.rows_written();
    for row in 0..rows {
        turn.write(
            "INSERT INTO probe_rows (object, row) VALUES (?1, ?2)",
            &[Param::Integer(row)],
        )?;
    }
    Ok(turn.rows_written() - before)
}

fn instant(turn: &mut Turn<'_>) -> Instant {
    let Timestamp(now_ms) = turn.now();
    let letters = turn.random().letters(20);
    Instant { now_ms, letters }
}

fn raise(memory: &mut Tracked<Memory>, turn: &mut Turn<'_>) -> Result<u64, Failure> {
    let version = memory.version + 1;
    memory.change().version = version;
    sums::set(turn, VERSION, i64::try_from(version).unwrap_or(i64::MAX))?;
    turn.wake(version);
    Ok(version)
}

/// Ends a turn in this way.
#[allow(clippy::panic, reason = "whether hosts survive a panic is what is tested")]
fn end(turn: &Turn<'_>, ending: Ending) -> Result<(), Failure> {
    match ending {
        Ending::Reply => Ok(()),
        Ending::Refusal => Err(Refusal::new("M_FORBIDDEN", "as ordered").into()),
        Ending::Fault => Err(Fault::corrupt("as ordered").into()),
        Ending::SqlFault => Ok(turn.write("INSERT INTO nowhere VALUES (?1)", &[])?),
        Ending::Panic => panic!("as ordered"),
    }
}
