//! One shard's database.

use std::cell::Cell;
use std::path::Path;

use rusqlite::Connection;
use selvage_object::{Param, Rollback, Row, Sql, SqlFault, SqlFaultKind, Storage};

use crate::authorizer::{self, HostRuns};
use crate::fault::fault;
use crate::savepoint::Savepoint;
use crate::{open, sql};

const BEGIN: &str = "BEGIN IMMEDIATE -- host";
const COMMIT: &str = "COMMIT -- host";
const ROLL_BACK: &str = "ROLLBACK -- host";

/// How much a group commit waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// The disk has the writes when the commit returns.
    Synced,
    /// A crash of the machine may undo the last of the writes, in order; the next [`Durability::Synced`] commit makes them
    /// durable too. For writes that the turn loop can do without: that a delivery was acknowledged.
    Lazy,
}

/// A SQLite database that houses one shard, opened by one thread of one process.
///
/// Between [`Sqlite::begin`] and [`Sqlite::commit`] every turn is a savepoint in one transaction. Without them every turn
/// is a transaction of its own.
pub struct Sqlite {
    connection: Connection,
    host: HostRuns,
    durability: Cell<Durability>,
    batch: Cell<Batch>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Batch {
    None,
    Open,
    /// SQLite rolled the transaction back by itself, or could not undo a part of it.
    Lost,
}

impl Sqlite {
    /// Opens the database in this file, or makes it. The file is locked against other processes.
    ///
    /// # Errors
    /// When the file cannot be opened, is no database or a damaged one, or is in use.
    pub fn open(path: &Path) -> Result<Self, SqlFault> {
        Self::over(open::file(path)?)
    }

    /// A new database in memory, for tests and the simulator.
    ///
    /// # Errors
    /// When SQLite lacks something that this crate needs.
    pub fn in_memory() -> Result<Self, SqlFault> {
        Self::over(open::memory()?)
    }

    fn over(mut connection: Connection) -> Result<Self, SqlFault> {
        let host = HostRuns::default();
        authorizer::install(&mut connection, &host).map_err(fault)?;
        Ok(Self {
            connection,
            host,
            durability: Cell::new(Durability::Synced),
            batch: Cell::new(Batch::None),
        })
    }

    /// Begins a group commit: what follows is kept by [`Sqlite::commit`] or not at all.
    ///
    /// # Errors
    /// When the database fails.
    pub fn begin(&self, durability: Durability) -> Result<(), SqlFault> {
        if self.durability.replace(durability) != durability {
            self.host_statement(match durability {
                Durability::Synced => "PRAGMA synchronous = FULL",
                Durability::Lazy => "PRAGMA synchronous = NORMAL",
            })?;
        }
        self.host_statement(BEGIN)?;
        self.batch.set(Batch::Open);
        Ok(())
    }

    /// Ends a group commit. One without writes costs next to nothing.
    ///
    /// # Errors
    /// When the database fails, or has undone some of it before: then nothing since [`Sqlite::begin`] was written, and
    /// whatever was made of those turns in memory must be dropped.
    pub fn commit(&self) -> Result<(), SqlFault> {
        if self.lost() {
            self.roll_back();
            return Err(lost());
        }
        let committed = self.host_statement(COMMIT);
        if committed.is_err() {
            self.roll_back();
        }
        self.batch.set(Batch::None);
        committed
    }

    /// Gives a group commit up: nothing since [`Sqlite::begin`] was written.
    pub fn roll_back(&self) {
        if !self.connection.is_autocommit() {
            // A failure here leaves the transaction open, and the next `begin` fails.
            drop(self.host_statement(ROLL_BACK));
        }
        self.batch.set(Batch::None);
    }

    /// Carries the whole log over into the database file and empties it.
    ///
    /// # Errors
    /// When the database fails.
    pub fn checkpoint(&self) -> Result<(), SqlFault> {
        self.host_statement("PRAGMA wal_checkpoint(TRUNCATE)")
    }

    /// Reads the whole database and returns what is wrong with it, a line each; nothing when it is sound.
    ///
    /// # Errors
    /// When the database cannot be read at all.
    pub fn check_integrity(&self) -> Result<Vec<String>, SqlFault> {
        let mut problems = self.host_rows("PRAGMA integrity_check")?;
        problems.retain(|line| line != "ok");
        let orphans = self.host_rows("PRAGMA foreign_key_check")?;
        problems.extend(
            orphans
                .into_iter()
                .map(|table| format!("a row of {table} refers to none")),
        );
        Ok(problems)
    }

    /// How many rows were ever changed over this connection, undone changes included.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.connection.total_changes()
    }

    /// Lets the database grow to so many pages of 4,096 bytes and no further, as if the disk were full then.
    ///
    /// # Errors
    /// When the database fails.
    pub fn limit_pages(&self, pages: u32) -> Result<(), SqlFault> {
        let set = || self.connection.pragma_update(None, "max_page_count", pages);
        self.host.during(set).map_err(fault)
    }

    fn host_rows(&self, statement: &'static str) -> Result<Vec<String>, SqlFault> {
        let mut rows = Vec::new();
        self.host.during(|| {
            sql::run(&self.connection, statement, &[], &mut |mut row| {
                rows.push(row.text(0)?);
                Ok(())
            })
        })?;
        Ok(rows)
    }

    /// Runs a statement that object code may not.
    pub(crate) fn host_statement(&self, statement: &'static str) -> Result<(), SqlFault> {
        let run = || sql::run(&self.connection, statement, &[], &mut |_| Ok(()));
        self.host.during(run).map(|_| ())
    }

    /// The savepoint at hand could not be undone alone.
    pub(crate) fn lose_transaction(&self) {
        if self.batch.get() == Batch::Open {
            self.batch.set(Batch::Lost);
        } else if !self.connection.is_autocommit() {
            drop(self.host_statement(ROLL_BACK));
        }
    }

    /// Whether the transaction of the group commit is gone, so that another turn would commit on its own.
    fn lost(&self) -> bool {
        match self.batch.get() {
            Batch::None => false,
            Batch::Open => self.connection.is_autocommit(),
            Batch::Lost => true,
        }
    }
}

fn lost() -> SqlFault {
    SqlFault::new(
        SqlFaultKind::Other,
        "the transaction was rolled back after an earlier error",
    )
}

impl Sql for Sqlite {
    fn run(
        &self,
        sql: &'static str,
        params: &[Param<'_>],
        each: &mut dyn FnMut(Row) -> Result<(), SqlFault>,
    ) -> Result<u64, SqlFault> {
        if self.lost() {
            return Err(lost());
        }
        sql::run(&self.connection, sql, params, each)
    }
}

impl Storage for Sqlite {
    fn sql(&self) -> &dyn Sql {
        self
    }

    fn atomically(&self, work: &mut dyn FnMut(&dyn Sql) -> Result<(), Rollback>) -> Result<(), Rollback> {
        if self.lost() {
            return Err(lost().into());
        }
        let savepoint = Savepoint::begin(self)?;
        work(self)?;
        savepoint.keep()
    }
}
