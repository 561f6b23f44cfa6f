//! Shards on threads: a queue before each, group commit, and what leaves only after it.

mod answer;
mod batch;
mod held;
mod input;
mod open;
mod pool;
mod trouble;
mod watches;
mod worker;

pub use open::{Kinds, StartError};
pub use pool::{QUEUE_MAX, ShardPool};

pub(crate) use input::Input;
pub(crate) use open::{OpenShard, Opener, file_name};
pub(crate) use trouble::OVERLOAD_RETRY_MS;
