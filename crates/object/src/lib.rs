//! Objects, turns, shards, and the ports that a host gives them.
//!
//! An *object* is one single-threaded actor that owns its data: a room, a user, the server itself. A *shard* houses some
//! objects over one SQLite database. A *turn* is one command handled by one object: synchronous and atomic. This crate
//! is the turn loop and the contract between objects and hosts; it knows nothing of Matrix.
//!
//! It may not depend on anything that does I/O, reads a clock, makes random bytes, starts a thread or drives SQLite: the
//! host passes time and randomness in with each turn ([`Moment`]), and storage through two traits ([`Sql`], [`Storage`]).
//! It depends on no other crate of this project.

mod check;
mod delivery;
mod dispatch;
mod fault;
mod key;
mod loaded;
mod migrate;
mod moment;
mod object;
mod outbox;
mod placement;
mod shard;
mod sql;
mod storage;
mod timers;
mod tracked;
mod turn;

pub use check::check;
pub use delivery::{Delivery, Receipt, Tell};
pub use dispatch::{OUTBOX_ROWS_MAX, RETRY_MAX_MS, RETRY_MIN_MS};
pub use fault::{Failure, Fault, Refusal};
pub use key::{KeyError, Kind, ObjectKey};
pub use migrate::{Migration, OpenError};
pub use moment::{Moment, Random, Timestamp};
pub use object::{Object, Registry};
pub use placement::{Placement, ShardId};
pub use shard::{Outcome, REDELIVERY_CHECK_MS, Shard, ShardLimits, Started, Wake};
pub use sql::{
    BOUND_PARAMETERS_MAX, INTEGER_MAX, Param, Row, SQL_TEXT_MAX_BYTES, Sql, SqlFault, SqlFaultKind,
    VALUE_MAX_BYTES, Value, check_statement,
};
pub use storage::{Rollback, Storage};
pub use tracked::Tracked;
pub use turn::Turn;
