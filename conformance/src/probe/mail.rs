//! Telling and being told: a probe numbers what it tells, and a told probe writes down what came, in which order.

use selvage_object::{Failure, Fault, Kind, ObjectKey, Param, Turn};

use super::command::{Command, Ending, Log};
use super::{end, sums};

/// The sum that counts what a probe has told.
const LAST_TOLD: &str = "last told";
/// The sum that holds how turns end that were not asked.
const TROUBLE: &str = "trouble";

fn keys(names: &[String]) -> Vec<ObjectKey> {
    names
        .iter()
        .map(|name| ObjectKey::new(Kind::Probe, name))
        .collect()
}

/// Tells some probes the next numbers.
pub(super) fn tell(turn: &mut Turn<'_>, to: &[String], count: u64) -> Result<u64, Failure> {
    let first = sums::get(turn, LAST_TOLD)?.unsigned_abs() + 1;
    for number in first..first + count {
        let from = turn.key().name().to_owned();
        turn.tell(keys(to), &Command::Told { from, number })?;
    }
    let last = first + count - 1;
    sums::set(turn, LAST_TOLD, i64::try_from(last).unwrap_or(i64::MAX))?;
    Ok(last)
}

/// Writes down what was told, once each, and how often something came again.
pub(super) fn told(turn: &Turn<'_>, from: &str, number: u64) -> Result<(), Failure> {
    let seen = "SELECT 1 FROM probe_told WHERE object = ?1 AND teller = ?2 AND number = ?3";
    if turn
        .row(seen, &[Param::Text(from), Param::number(number)])?
        .is_some()
    {
        let repeated = format!("repeated {from}");
        return Ok(sums::set(turn, &repeated, sums::get(turn, &repeated)? + 1)?);
    }
    let insert = "INSERT INTO probe_told (object, teller, position, number) SELECT ?1, ?2, count(*), ?3 \
                  FROM probe_told WHERE object = ?1 AND teller = ?2";
    turn.write(insert, &[Param::Text(from), Param::number(number)])?;
    trouble(turn)
}

/// What was told.
pub(super) fn log(turn: &Turn<'_>, from: &str) -> Result<Log, Failure> {
    let mut numbers = Vec::new();
    let select = "SELECT number FROM probe_told WHERE object = ?1 AND teller = ?2 ORDER BY position";
    turn.each(select, &[Param::Text(from)], &mut |row| {
        numbers.push(row.number(0)?);
        Ok(())
    })?;
    let repeated = sums::get(turn, &format!("repeated {from}"))?.unsigned_abs();
    Ok(Log { numbers, repeated })
}

/// Hints to some probes.
pub(super) fn hint(turn: &mut Turn<'_>, to: &[String]) -> Result<(), Fault> {
    turn.hint(keys(to), &Command::Raise)
}

const ENDINGS: [Ending; 5] = [
    Ending::Reply,
    Ending::Refusal,
    Ending::Fault,
    Ending::SqlFault,
    Ending::Panic,
];

/// Makes turns that nobody asked for end so.
pub(super) fn set_trouble(turn: &Turn<'_>, ending: Ending) -> Result<(), Failure> {
    let number = ENDINGS.iter().position(|one| *one == ending).unwrap_or(0);
    Ok(sums::set(turn, TROUBLE, i64::try_from(number).unwrap_or(0))?)
}

/// Ends a turn that nobody asked for as was ordered.
pub(super) fn trouble(turn: &Turn<'_>) -> Result<(), Failure> {
    let number = usize::try_from(sums::get(turn, TROUBLE)?).unwrap_or(0);
    end(turn, ENDINGS.get(number).copied().unwrap_or(Ending::Reply))
}
