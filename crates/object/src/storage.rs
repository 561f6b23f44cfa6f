//! The storage port: a database and a savepoint that the host makes.

use crate::{Failure, Sql};

/// Why a savepoint was rolled back.
pub type Rollback = Failure;

/// One shard's storage. Object code never sees this: it is between the turn loop and the host.
pub trait Storage {
    /// The database.
    fn sql(&self) -> &dyn Sql;

    /// Runs `work` in a savepoint: keeps its writes when it succeeds, undoes all of them when it fails.
    ///
    /// A host whose panics cannot be caught (wasm) undoes the writes of a trapped `work` as well.
    ///
    /// # Errors
    /// What `work` returned, or the fault of the savepoint itself; either way nothing was written.
    fn atomically(&self, work: &mut dyn FnMut(&dyn Sql) -> Result<(), Rollback>) -> Result<(), Rollback>;
}
