//! The host's own rows in a shard's database: a table of names and JSON texts, which can be dropped at any time.

use selvage_object::{Fault, Param, Sql, SqlFault};
use serde::Serialize;
use serde::de::DeserializeOwned;

const TABLE: &str = "CREATE TABLE IF NOT EXISTS host_cache (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID";
const EXISTS: &str = "SELECT name FROM sqlite_master WHERE name = 'host_cache'";
const PUT: &str =
    "INSERT INTO host_cache (name, value) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = excluded.value";
const GET: &str = "SELECT value FROM host_cache WHERE name = ?1";
const DELETE: &str = "DELETE FROM host_cache WHERE name = ?1";

/// Whether the database is a shard's. Asking does not make it one.
pub(super) fn exists(sql: &dyn Sql) -> Result<bool, SqlFault> {
    Ok(text(sql, EXISTS, &[])?.is_some())
}

/// Makes the table.
pub(super) fn make(sql: &dyn Sql) -> Result<(), SqlFault> {
    sql.run(TABLE, &[], &mut |_| Ok(())).map(|_| ())
}

/// Remembers a value under a name.
pub(super) fn put(sql: &dyn Sql, name: &str, value: &impl Serialize) -> Result<(), Fault> {
    let text = serde_json::to_string(value).map_err(|error| Fault::corrupt(error.to_string()))?;
    sql.run(PUT, &[Param::Text(name), Param::Text(&text)], &mut |_| Ok(()))?;
    Ok(())
}

/// What is remembered under a name.
pub(super) fn get<T: DeserializeOwned>(sql: &dyn Sql, name: &str) -> Result<Option<T>, Fault> {
    let Some(text) = text(sql, GET, &[Param::Text(name)])? else {
        return Ok(None);
    };
    let damaged = |error: serde_json::Error| Fault::corrupt(format!("host_cache: {error}"));
    serde_json::from_str(&text).map(Some).map_err(damaged)
}

/// Forgets what is remembered under a name.
pub(super) fn forget(sql: &dyn Sql, name: &str) -> Result<(), SqlFault> {
    sql.run(DELETE, &[Param::Text(name)], &mut |_| Ok(())).map(|_| ())
}

fn text(sql: &dyn Sql, select: &'static str, params: &[Param<'_>]) -> Result<Option<String>, SqlFault> {
    let mut found = None;
    sql.run(select, params, &mut |mut row| {
        found = Some(row.text(0)?);
        Ok(())
    })?;
    Ok(found)
}
