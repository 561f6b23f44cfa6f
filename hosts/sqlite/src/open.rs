//! How a connection is set up.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use selvage_object::{BOUND_PARAMETERS_MAX, SQL_TEXT_MAX_BYTES, SqlFault, SqlFaultKind, VALUE_MAX_BYTES};

use crate::fault::fault;

/// The size of a page, in bytes: what Durable Objects have.
const PAGE_BYTES: i64 = 4_096;
/// How much of the database SQLite keeps in memory, in KiB.
const CACHE_KIB: i64 = 6_144;
/// The log is carried over into the database when it has so many pages: 16 MiB.
const CHECKPOINT_PAGES: i64 = 4_096;
/// After a checkpoint the log's file is cut to this size, in bytes.
const LOG_KEPT_BYTES: i64 = 64 * 1_024 * 1_024;
/// How long opening waits for another process to let go of the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(1);
/// How many prepared statements are kept; more than the objects have.
const STATEMENTS_KEPT: usize = 512;
/// What a row may take beyond one value of the largest size, in bytes: SQLite has one limit for both.
const ROW_OVERHEAD_BYTES: usize = 4_096;

/// Durable Objects' limits, in the units of `sqlite3_limit`.
const LIMITS: [(Limit, usize); 11] = [
    (Limit::SQLITE_LIMIT_LENGTH, VALUE_MAX_BYTES + ROW_OVERHEAD_BYTES),
    (Limit::SQLITE_LIMIT_SQL_LENGTH, SQL_TEXT_MAX_BYTES),
    (Limit::SQLITE_LIMIT_COLUMN, 100),
    (Limit::SQLITE_LIMIT_EXPR_DEPTH, 100),
    (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 5),
    (Limit::SQLITE_LIMIT_VDBE_OP, 25_000),
    (Limit::SQLITE_LIMIT_FUNCTION_ARG, 32),
    (Limit::SQLITE_LIMIT_ATTACHED, 0),
    (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 50),
    (Limit::SQLITE_LIMIT_VARIABLE_NUMBER, BOUND_PARAMETERS_MAX),
    (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 10),
];

const SWITCHES: [(DbConfig, bool); 5] = [
    (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
    (DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, true),
    (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
    (DbConfig::SQLITE_DBCONFIG_DQS_DML, false),
    (DbConfig::SQLITE_DBCONFIG_DQS_DDL, false),
];

/// Opens a file, or makes it.
pub(crate) fn file(path: &Path) -> Result<Connection, SqlFault> {
    let connection = Connection::open(path).map_err(fault)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(fault)?;
    pragma(&connection, "page_size", PAGE_BYTES)?;
    // Nobody else opens the file: the log's index then lies in memory and a transaction takes no file locks.
    pragma(&connection, "locking_mode", "EXCLUSIVE")?;
    pragma(&connection, "journal_mode", "WAL")?;
    in_log_mode(&connection)?;
    pragma(&connection, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    pragma(&connection, "journal_size_limit", LOG_KEPT_BYTES)?;
    set_up(&connection)?;
    Ok(connection)
}

/// Opens a database that lives as long as its connection.
pub(crate) fn memory() -> Result<Connection, SqlFault> {
    let connection = Connection::open_in_memory().map_err(fault)?;
    pragma(&connection, "page_size", PAGE_BYTES)?;
    set_up(&connection)?;
    Ok(connection)
}

fn set_up(connection: &Connection) -> Result<(), SqlFault> {
    pragma(connection, "synchronous", "FULL")?;
    pragma(connection, "cache_size", -CACHE_KIB)?;
    pragma(connection, "temp_store", "MEMORY")?;
    pragma(connection, "cell_size_check", "ON")?;
    for (switch, on) in SWITCHES {
        connection.set_db_config(switch, on).map_err(fault)?;
    }
    for (limit, value) in LIMITS {
        let value = i32::try_from(value).unwrap_or(i32::MAX);
        connection.set_limit(limit, value).map_err(fault)?;
    }
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    Ok(())
}

fn pragma(connection: &Connection, name: &str, value: impl rusqlite::ToSql) -> Result<(), SqlFault> {
    connection.pragma_update(None, name, value).map_err(fault)
}

fn in_log_mode(connection: &Connection) -> Result<(), SqlFault> {
    let mode: String = connection
        .pragma_query_value(None, "journal_mode", |row| row.get(0))
        .map_err(fault)?;
    if mode == "wal" {
        return Ok(());
    }
    let message = format!("the file system keeps no write-ahead log: journal mode {mode}");
    Err(SqlFault::new(SqlFaultKind::Other, message))
}
