//! The timers of a shard's objects: one table, of which the host needs to know the earliest only.

use crate::{Fault, Kind, Migration, ObjectKey, Param, Sql, SqlFault, Timestamp};

pub(crate) const SCHEMA: &[Migration] = &[&[
    "CREATE TABLE timers (object INTEGER NOT NULL, name TEXT NOT NULL, due INTEGER NOT NULL, \
     PRIMARY KEY (object, name)) STRICT, WITHOUT ROWID",
    "CREATE INDEX timers_due ON timers (due)",
]];

pub(crate) const SET: &str = "INSERT INTO timers (object, name, due) VALUES (?1, ?2, ?3) \
                              ON CONFLICT (object, name) DO UPDATE SET due = excluded.due";
pub(crate) const STOP: &str = "DELETE FROM timers WHERE object = ?1 AND name = ?2";

/// A timer that has rung.
pub(crate) struct Rung {
    pub(crate) key: ObjectKey,
    pub(crate) number: i64,
    pub(crate) name: String,
}

/// When the earliest timer rings.
pub(crate) fn earliest(sql: &dyn Sql) -> Result<Option<Timestamp>, SqlFault> {
    let mut due = None;
    sql.run("SELECT due FROM timers ORDER BY due LIMIT 1", &[], &mut |row| {
        due = Some(Timestamp(row.number(0)?));
        Ok(())
    })?;
    Ok(due)
}

/// The first timers, at most `limit`, that have rung by `now`.
pub(crate) fn rung(sql: &dyn Sql, now: Timestamp, limit: u64) -> Result<Vec<Rung>, Fault> {
    let mut rows = Vec::new();
    let select = "SELECT timers.object, timers.name, objects.kind, objects.name FROM timers \
                  JOIN objects ON objects.object = timers.object WHERE due <= ?1 ORDER BY due LIMIT ?2";
    sql.run(
        select,
        &[Param::number(now.0), Param::number(limit)],
        &mut |row| {
            rows.push(row);
            Ok(())
        },
    )?;
    rows.into_iter()
        .map(|mut row| {
            let kind = Kind::from_number(row.integer(2)?)
                .ok_or_else(|| Fault::corrupt("an object of unknown kind"))?;
            Ok(Rung {
                number: row.integer(0)?,
                name: row.text(1)?,
                key: ObjectKey::new(kind, row.text(3)?),
            })
        })
        .collect()
}

/// Whether a timer is still set, to a time that has come.
pub(crate) fn is_due(sql: &dyn Sql, rung: &Rung, now: Timestamp) -> Result<bool, SqlFault> {
    let mut due = false;
    let params = [
        Param::Integer(rung.number),
        Param::Text(&rung.name),
        Param::number(now.0),
    ];
    sql.run(
        "SELECT 1 FROM timers WHERE object = ?1 AND name = ?2 AND due <= ?3",
        &params,
        &mut |_| {
            due = true;
            Ok(())
        },
    )?;
    Ok(due)
}

/// The timer that rings first, if it has rung by `now`.
pub(crate) fn first_rung(sql: &dyn Sql, now: Timestamp) -> Result<Option<Rung>, Fault> {
    Ok(rung(sql, now, 1)?.into_iter().next())
}

/// Makes a timer ring later, when its handling failed.
pub(crate) fn postpone(sql: &dyn Sql, rung: &Rung, due: Timestamp) -> Result<(), SqlFault> {
    let params = [
        Param::Integer(rung.number),
        Param::Text(&rung.name),
        Param::number(due.0),
    ];
    sql.run(SET, &params, &mut |_| Ok(())).map(|_| ())
}
