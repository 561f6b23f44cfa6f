//! The savepoint of one turn.

use selvage_object::{Failure, SqlFault};

use crate::Sqlite;

// The remark keeps these texts apart from any that object code could have in the statement cache.
const BEGIN: &str = "SAVEPOINT turn -- host";
const KEEP: &str = "RELEASE turn -- host";
const UNDO: &str = "ROLLBACK TO turn -- host";

/// An open savepoint; undone when it is dropped.
pub(crate) struct Savepoint<'a> {
    sqlite: &'a Sqlite,
    open: bool,
}

impl<'a> Savepoint<'a> {
    pub(crate) fn begin(sqlite: &'a Sqlite) -> Result<Self, SqlFault> {
        sqlite.host_statement(BEGIN)?;
        Ok(Self { sqlite, open: true })
    }

    /// Makes the writes part of the transaction around them, or durable where there is none.
    pub(crate) fn keep(mut self) -> Result<(), Failure> {
        self.sqlite.host_statement(KEEP)?;
        self.open = false;
        Ok(())
    }

    /// Undoes the writes. SQLite may have done so by itself, and with more than the savepoint, when the disk was full.
    fn undo(&self) {
        let undone = self.sqlite.host_statement(UNDO);
        if undone.and_then(|()| self.sqlite.host_statement(KEEP)).is_err() {
            self.sqlite.lose_transaction();
        }
    }
}

impl Drop for Savepoint<'_> {
    fn drop(&mut self) {
        if self.open {
            self.undo();
        }
    }
}
