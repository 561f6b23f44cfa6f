//! Storage that outlives a shard.

use std::ops::Deref;
use std::rc::Rc;

use selvage_object::{Rollback, Sql, Storage};

use crate::Sqlite;

/// One database in the hands of several on one thread: tests and the simulator drop a shard and open it again over the
/// same in-memory database.
#[derive(Clone)]
pub struct Shared(Rc<Sqlite>);

impl Shared {
    /// Shares a database.
    #[must_use]
    pub fn new(sqlite: Sqlite) -> Self {
        Self(Rc::new(sqlite))
    }
}

impl Deref for Shared {
    type Target = Sqlite;

    fn deref(&self) -> &Sqlite {
        &self.0
    }
}

impl Storage for Shared {
    fn sql(&self) -> &dyn Sql {
        self.0.sql()
    }

    fn atomically(&self, work: &mut dyn FnMut(&dyn Sql) -> Result<(), Rollback>) -> Result<(), Rollback> {
        self.0.atomically(work)
    }
}
