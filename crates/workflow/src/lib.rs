//! Procedures over several objects and other servers: joining a remote room, fetching missing events, delivering to a
//! destination.
//!
//! A workflow is async and keeps nothing that matters in memory: it can be stopped anywhere and started again. It asks
//! objects and talks to other servers through [`Host`], which is all that it knows of the host. It may not depend on an
//! object crate, on the gateway, or on anything that does I/O, reads a clock or makes random bytes.
//!
//! Some are run by the gateway as part of a request, others are started by objects ([`selvage_object::Turn::start`]); hosts
//! hand those to [`Workflows::run`].

mod backfill;
mod deliver;
pub mod discovery;
mod failed;
mod federation;
mod gaps;
mod handshake;
mod host;
mod invite;
mod join;
mod key_document;
mod keys;
mod knock;
mod leave;
mod notaries;
mod path;
mod pieces;
mod query;
mod remote;
mod request;
mod state_before;
mod stripped;
mod supply;
mod workflows;
pub mod x_matrix;

pub use failed::WorkflowError;
pub use federation::{
    FederationSettings, NotAPattern, RETRY_MAX_DEFAULT_MS, RETRY_MIN_DEFAULT_MS, ServerPattern,
};
pub use handshake::Entrant;
pub use host::{AskError, Host, MaybeSend, MaybeSync, STORAGE_FULL};
pub use path::{path, with_query};
pub use query::AliasTarget;
pub use remote::{RemoteBody, RemoteChunks, RemoteError, RemoteResponse, USER_AGENT, patience_ms};
pub use stripped::stripped;
pub use workflows::Workflows;
