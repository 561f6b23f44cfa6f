//! Rooms that other servers are in, as commands of the room: how this server enters them, whom it invites into them, and how it
//! fetches what it misses.

use serde::{Deserialize, Serialize};

use crate::Json;
use crate::federation::ServerKey;
use crate::user::Profile;

/// How this server stands to a room, which may not be here.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Standing {}

/// See [`Standing`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StandingReply {
    /// The room version, where it is known.
    pub version: Option<String>,
    /// Whether a local user has joined.
    pub is_here: bool,
    /// Other servers with users in the room as far as is known, those with the most first; at most a few dozen.
    pub servers: Vec<String>,
}

/// The invite of a user of another server, signed and not yet in the room: that user's server signs it first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MakeInvite {
    /// Who invites.
    pub sender: String,
    /// Who is invited.
    pub target: String,
    /// Why, as the user put it.
    #[serde(default)]
    pub reason: Option<String>,
    /// The target's profile, where it is known.
    #[serde(default)]
    pub profile: Profile,
    /// Whether the invite is to a direct chat.
    #[serde(default)]
    pub is_direct: bool,
}

/// See [`MakeInvite`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MakeInviteReply {
    /// The room version.
    pub version: String,
    /// The event's id.
    pub event_id: String,
    /// The signed event.
    pub event: Json,
    /// What the invited user's server is shown of the room, in the form that servers exchange.
    pub room_state: Vec<Json>,
}

/// The invite with the other server's signature. Refused when the room changed so that it is no longer allowed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SendInvite {
    /// The event.
    pub event: Json,
    /// The invited user's server.
    pub server: String,
    /// The keys that verify the other server's signature.
    pub keys: Vec<ServerKey>,
}

/// The newest of the room, for a server that missed much: the forward extremities. One that is no longer in the room gets what
/// [`Outgoing`](crate::federation::Outgoing) has for it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CatchUp {
    /// The server.
    pub server: String,
    /// The position up to which the server has everything.
    pub after: i64,
}

/// Takes in what was supplied for an event ([`Supply`](crate::federation::Supply)), as far as what authorises it is here.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Settle {
    /// The event whose state was supplied.
    pub event_id: String,
    /// Where the last piece ended; `None` to begin with the first.
    pub after: Option<String>,
    /// Whether there are no more pieces: what still waits is forgotten, and what came of the state is put together, some at a time.
    #[serde(default)]
    pub finish: bool,
}

/// See [`Settle`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SettleReply {
    /// How many events of this piece were taken in.
    pub taken: u64,
    /// How many of this piece still lack what authorises them.
    pub left: u64,
    /// Where the next piece begins; `None` after the last.
    pub next: Option<String>,
}

/// Gives an event that waits its place behind a gap, as [`Place`](crate::federation::Place).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PlaceWaiting {
    /// The event.
    pub event_id: String,
}

/// Other servers were asked for what the room misses. What is still missing is asked for again later, and not for ever: then
/// what waits for it is forgotten.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sought {
    /// The missing events that were asked for.
    pub event_ids: Vec<String>,
}
