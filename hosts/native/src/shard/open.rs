//! Opening a shard's database.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use selvage_object::{OpenError, Placement, Registry, Shard, ShardId, ShardLimits, SqlFaultKind};
use selvage_sqlite::Sqlite;

use crate::clock;

/// What a shard's objects may keep in memory between turns, in bytes; all shards together.
const LOADED_BYTES_MAX: usize = 40 * 1_024 * 1_024;

/// Makes the registry of object kinds; each shard's thread has its own.
pub type Kinds = Arc<dyn Fn() -> Registry + Send + Sync>;

/// A data directory that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database file is damaged.
    #[error("{} is damaged: {message}. Restore it from a backup", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        message: String,
    },
    /// A newer program wrote the file.
    #[error("{}: {source}. Start the newer program again", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Which schema it is.
        source: OpenError,
    },
    /// Anything else.
    #[error("{} cannot be opened: {source}", path.display())]
    Other {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: OpenError,
    },
    /// The operating system gives no thread.
    #[error("no thread for a shard: {0}")]
    Thread(#[from] std::io::Error),
}

/// A shard over its file.
pub(crate) type OpenShard = Shard<Sqlite>;

/// The name of a shard's file in the data directory.
pub(crate) fn file_name(shard: &ShardId) -> String {
    format!("shard-{shard}.sqlite")
}

/// How to open one shard, again and again.
#[derive(Clone)]
pub(crate) struct Opener {
    path: PathBuf,
    placement: Placement,
    kinds: Kinds,
}

impl Opener {
    pub(crate) fn new(directory: &Path, placement: Placement, shard: &ShardId, kinds: Kinds) -> Self {
        Self {
            path: directory.join(file_name(shard)),
            placement,
            kinds,
        }
    }

    pub(crate) fn open(&self) -> Result<OpenShard, StartError> {
        let sqlite = Sqlite::open(&self.path).map_err(OpenError::from);
        let shards = match self.placement {
            Placement::Hashed { shards } | Placement::ByKind { shards } => usize::from(shards.max(1)),
        };
        let limits = ShardLimits {
            loaded_bytes_max: LOADED_BYTES_MAX / shards,
        };
        sqlite
            .and_then(|sqlite| Shard::open(sqlite, (self.kinds)(), self.placement, limits, clock::now()))
            .map_err(|error| self.explain(error))
    }

    fn explain(&self, source: OpenError) -> StartError {
        let path = self.path.clone();
        match source {
            OpenError::Newer { .. } => StartError::Newer { path, source },
            OpenError::Fault(selvage_object::Fault::Sql(fault)) if fault.kind == SqlFaultKind::Damaged => {
                StartError::Damaged {
                    path,
                    message: fault.message,
                }
            }
            OpenError::Fault(selvage_object::Fault::Corrupt(message)) => {
                StartError::Damaged { path, message }
            }
            OpenError::Fault(_) => StartError::Other { path, source },
        }
    }
}
