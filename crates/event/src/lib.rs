//! Matrix events: formats, hashes, signatures, authorisation, state resolution, redaction, for room versions 1 to 12.
//!
//! Everything here is a pure function of its arguments: no clock, no randomness, no I/O, no async. What must be
//! looked up (events, state, keys) is asked of a trait that the caller implements and that may fail. It depends on no
//! other crate of this project and may not depend on anything that does I/O, reads a clock or makes random bytes.
//!
//! # One way in
//!
//! An event, local or remote, takes one path, and each step is a type that only the step before it can make:
//!
//! ```text
//! raw JSON ── ReceivedEvent::parse ──> ReceivedEvent ── verify ──> CheckedEvent
//! Template ── Template::build ───────────────────────────────────> CheckedEvent
//! CheckedEvent ── authorise_by_auth_events ──> ChainAuthorised
//!              ── as_outlier ────────────────> OutlierEvent      (without a place in the graph)
//!              ── authorise_before ──────────> StateAuthorised
//!              ── authorise_now ─────────────> AuthorisedEvent | SoftFailedEvent
//!              ── authorise_history ─────────> HistoricalEvent   (paging back)
//!                 any refusal on the way ────> RejectedEvent
//! ```
//!
//! Storage takes the types at the right and nothing else. [`Event::from_stored`] reads back what storage holds. None of the
//! types can be made but by the step before it: the compiler refuses, which `tests/one_way_in.rs` tries.
//!
//! spec: `server-server-api §Checks performed on receipt of a PDU`, `rooms/v1` to `rooms/v12` (v1.19).

pub mod acl;
pub mod auth;
pub mod build;
pub mod canonical;
pub mod event;
mod glob;
pub mod hash;
pub mod id;
pub mod key;
pub mod limits;
pub mod pipeline;
pub mod redact;
pub mod resolve;
pub mod version;

pub use acl::ServerAcl;
pub use auth::{AuthError, EventLookup, KnownEvent, PowerLevels, Refusal, Rule, StateLookup, auth_types_for};
pub use build::{Template, room_id_of_create};
pub use event::{Event, FormatError, Membership};
pub use glob::glob_matches;
pub use id::{EventId, IdError, RoomAlias, RoomId, ServerName, UserId};
pub use key::{KeyLookup, PublicKey, SignatureError, SigningKey, VerifyKeys};
pub use pipeline::{
    AuthorisedEvent, ChainAuthorised, CheckedEvent, HistoricalEvent, Outcome, OutlierEvent, ReceivedEvent,
    RejectedEvent, SoftFailedEvent, Stage, StateAuthorised, Unwanted, authorise, authorise_at_extremities,
};
pub use redact::redact;
pub use resolve::{ResolveError, Source, StateKey, resolve};
pub use version::{RoomVersion, Rules};

/// A JSON object, as events carry it.
pub type Map = serde_json::Map<String, serde_json::Value>;
