//! The HTTP face of Selvage: one function from request to response, the same for both hosts.
//!
//! Stateless: it parses requests, authenticates, asks objects, and forms responses. It reaches objects, time, randomness
//! and waiting through [`Host`] only, and may not depend on a host, on an object crate, or on anything that does I/O.
//!
//! ```text
//! respond ── Router::find ──> one handler of client/ or admin/ ── Gateway::ask ──> objects
//!         <── Body or ApiError ──
//! ```
//!
//! A handler is an async function from a [`call::Call`] to an answer; it stands with its errors in the file of its group,
//! and that file's `routes` registers it under the paths that ruma's endpoint metadata name.

pub mod admin;
mod auth;
mod body;
mod call;
mod client;
mod error;
mod federation;
mod gateway;
mod input;
mod password;
mod respond;
mod router;
mod secret;
mod settings;
mod ticket;
mod token;
mod uia;

pub use body::{Body, BodyError, Chunks};
pub use error::ApiError;
pub use gateway::{Gateway, GatewayError};
pub use respond::{MatchedEndpoint, respond, respond_to_overload, respond_to_too_large};
pub use selvage_workflow::{
    AskError, FederationSettings, Host, MaybeSend, MaybeSync, RemoteError, RemoteResponse, STORAGE_FULL,
    ServerPattern, WorkflowError, Workflows,
};
pub use settings::{
    PASSWORD_HASH_MEMORY_DEFAULT_KIB, PASSWORD_HASH_MEMORY_MAX_KIB, PASSWORD_HASH_MEMORY_MIN_KIB,
    Registration, Settings, Support,
};
