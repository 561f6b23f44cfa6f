//! The outbox: what a shard's objects have told others and nobody has acknowledged yet, as rows.

use std::collections::BTreeSet;

use serde_json::value::RawValue;

use crate::{Fault, Kind, Migration, ObjectKey, Param, Placement, ShardId, Sql, SqlFault, Tell};

/// The most recipients of one row; more take several rows, so that a row stays far under the size limit.
const RECIPIENTS_PER_ROW_MAX: usize = 1_000;

pub(crate) const SCHEMA: &[Migration] = &[&[
    "CREATE TABLE objects (object INTEGER PRIMARY KEY, kind INTEGER NOT NULL, name TEXT NOT NULL, \
     UNIQUE (kind, name)) STRICT",
    "CREATE TABLE outbox (object INTEGER NOT NULL, seq INTEGER NOT NULL, recipients TEXT NOT NULL, \
     message TEXT NOT NULL, PRIMARY KEY (object, seq)) STRICT, WITHOUT ROWID",
    "CREATE TABLE dead_letters (object INTEGER NOT NULL, seq INTEGER NOT NULL, shard TEXT NOT NULL, \
     recipients TEXT NOT NULL, message TEXT NOT NULL, PRIMARY KEY (object, seq, shard)) STRICT, WITHOUT ROWID",
]];

/// A row of the outbox, as the dispatcher needs it.
pub(crate) struct Queued {
    pub(crate) number: i64,
    pub(crate) seq: u64,
    pub(crate) shards: BTreeSet<ShardId>,
}

/// Writes a turn's tells and returns what was queued; numbers them from `seq` on.
pub(crate) fn write(
    sql: &dyn Sql,
    placement: Placement,
    number: i64,
    seq: &mut u64,
    tells: &[(Vec<ObjectKey>, Box<RawValue>)],
) -> Result<Vec<Queued>, Fault> {
    let mut queued = Vec::new();
    for (recipients, message) in tells {
        for recipients in recipients.chunks(RECIPIENTS_PER_ROW_MAX) {
            *seq += 1;
            insert(sql, number, *seq, recipients, message)?;
            queued.push(Queued {
                number,
                seq: *seq,
                shards: shards(placement, recipients),
            });
        }
    }
    Ok(queued)
}

fn insert(sql: &dyn Sql, number: i64, seq: u64, to: &[ObjectKey], message: &RawValue) -> Result<(), Fault> {
    let to = serde_json::to_string(to).map_err(|error| Fault::corrupt(error.to_string()))?;
    let params = [
        Param::Integer(number),
        Param::number(seq),
        Param::Text(&to),
        Param::Text(message.get()),
    ];
    crate::check_statement("", &params)?;
    sql.run(
        "INSERT INTO outbox (object, seq, recipients, message) VALUES (?1, ?2, ?3, ?4)",
        &params,
        &mut |_| Ok(()),
    )?;
    Ok(())
}

fn shards(placement: Placement, recipients: &[ObjectKey]) -> BTreeSet<ShardId> {
    recipients.iter().map(|key| placement.shard_of(key)).collect()
}

/// All that waits, in order: what a shard reads when it wakes.
pub(crate) fn waiting(sql: &dyn Sql, placement: Placement) -> Result<Vec<Queued>, Fault> {
    let mut queued = Vec::new();
    let mut damaged = None;
    sql.run(
        "SELECT object, seq, recipients FROM outbox ORDER BY object, seq",
        &[],
        &mut |mut row| {
            match serde_json::from_str::<Vec<ObjectKey>>(&row.text(2)?) {
                Ok(to) => queued.push(Queued {
                    number: row.integer(0)?,
                    seq: row.number(1)?,
                    shards: shards(placement, &to),
                }),
                Err(error) => damaged = Some(error),
            }
            Ok(())
        },
    )?;
    damaged.map_or(Ok(queued), |error| {
        Err(Fault::corrupt(format!("outbox: {error}")))
    })
}

/// Reads one tell, for the recipients that one shard houses.
pub(crate) fn read(
    sql: &dyn Sql,
    placement: Placement,
    number: i64,
    seq: u64,
    shard: &ShardId,
) -> Result<Option<Tell>, Fault> {
    let mut found = None;
    let params = [Param::Integer(number), Param::number(seq)];
    sql.run(
        "SELECT recipients, message FROM outbox WHERE object = ?1 AND seq = ?2",
        &params,
        &mut |mut row| {
            found = Some((row.text(0)?, row.text(1)?));
            Ok(())
        },
    )?;
    let Some((to, message)) = found else {
        return Ok(None);
    };
    let damaged = |error: serde_json::Error| Fault::corrupt(format!("outbox: {error}"));
    let to: Vec<ObjectKey> = serde_json::from_str(&to).map_err(damaged)?;
    let to = to
        .into_iter()
        .filter(|key| placement.shard_of(key) == *shard)
        .collect();
    Ok(Some(Tell {
        seq,
        to,
        message: RawValue::from_string(message).map_err(damaged)?,
    }))
}

/// Forgets a tell that all recipients have.
pub(crate) fn delete(sql: &dyn Sql, number: i64, seq: u64) -> Result<(), SqlFault> {
    let params = [Param::Integer(number), Param::number(seq)];
    sql.run(
        "DELETE FROM outbox WHERE object = ?1 AND seq = ?2",
        &params,
        &mut |_| Ok(()),
    )
    .map(|_| ())
}

/// Sets a tell aside that one shard could not take, so that what follows it can pass.
pub(crate) fn set_aside(sql: &dyn Sql, number: i64, seq: u64, shard: &ShardId) -> Result<(), SqlFault> {
    let params = [
        Param::Integer(number),
        Param::number(seq),
        Param::Text(shard.as_str()),
    ];
    let copy = "INSERT OR IGNORE INTO dead_letters (object, seq, shard, recipients, message) \
                SELECT object, seq, ?3, recipients, message FROM outbox WHERE object = ?1 AND seq = ?2";
    sql.run(copy, &params, &mut |_| Ok(())).map(|_| ())
}

/// The key of an object that has a number.
pub(crate) fn key_of(sql: &dyn Sql, number: i64) -> Result<ObjectKey, Fault> {
    let mut found = None;
    sql.run(
        "SELECT kind, name FROM objects WHERE object = ?1",
        &[Param::Integer(number)],
        &mut |mut row| {
            found = Some((row.integer(0)?, row.text(1)?));
            Ok(())
        },
    )?;
    let (kind, name) = found.ok_or_else(|| Fault::corrupt(format!("no object {number}")))?;
    let kind = Kind::from_number(kind).ok_or_else(|| Fault::corrupt("an object of unknown kind"))?;
    Ok(ObjectKey::new(kind, name))
}

/// The number of an object that exists.
pub(crate) fn number_of(sql: &dyn Sql, key: &ObjectKey) -> Result<Option<i64>, SqlFault> {
    let mut found = None;
    let params = [Param::Integer(key.kind().number()), Param::Text(key.name())];
    sql.run(
        "SELECT object FROM objects WHERE kind = ?1 AND name = ?2",
        &params,
        &mut |row| {
            found = Some(row.integer(0)?);
            Ok(())
        },
    )?;
    Ok(found)
}

/// The number for the next object that comes to be.
pub(crate) fn next_number(sql: &dyn Sql) -> Result<i64, SqlFault> {
    let mut next = 1;
    sql.run(
        "SELECT object FROM objects ORDER BY object DESC LIMIT 1",
        &[],
        &mut |row| {
            next = row.integer(0)? + 1;
            Ok(())
        },
    )?;
    Ok(next)
}
