//! The native host: shards on threads over SQLite files, and an HTTP server before the gateway.
//!
//! ```text
//! http ── gateway::respond ── host::NativeHost ── shard::ShardPool ──> one thread and one file a shard
//! ```
//!
//! A request runs on the tokio runtime and asks objects through bounded queues. A shard's thread drains its queue, runs the
//! turns in one transaction, syncs once, and only then lets replies, wakes and deliveries go. Clocks, randomness, threads,
//! files and sockets are here and in no crate below.

pub mod admin;
pub mod cli;
pub mod clock;
pub mod directory;
pub mod host;
pub mod http;
mod identity;
mod kinds;
mod log;
pub mod metrics;
mod queue;
pub mod random;
pub mod remote;
pub mod server;
pub mod settings;
pub mod shard;
mod workflows;
