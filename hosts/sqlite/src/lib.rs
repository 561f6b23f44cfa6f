//! Shard storage over SQLite: [`selvage_object::Sql`] and [`selvage_object::Storage`] for the native host, the simulator
//! and tests.
//!
//! It is as strict as Durable Objects are: their limits, their refused statements and their functions, so that what passes
//! here passes there. Beside the two ports it gives its owner the group commit: many turns in one transaction, one sync.
//!
//! It may depend on `selvage-object` and the SQLite driver, and on nothing else of this project.

mod authorizer;
mod fault;
mod functions;
mod open;
mod savepoint;
mod shared;
mod sql;
mod sqlite;

pub use shared::Shared;
pub use sqlite::{Durability, Sqlite};
