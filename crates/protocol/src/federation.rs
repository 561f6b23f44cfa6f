//! What a room exchanges with other servers, as commands: the gateway and the workflows translate between these and the
//! server-server API.
//!
//! Events are in the form that servers exchange. The room checks each one itself, from the bytes on; whoever asks brings
//! the keys that verify them.

use serde::{Deserialize, Serialize};

use crate::Json;
use crate::user::Membership;

/// A key that a server signs with (spec: server-server-api §publishing-keys).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ServerKey {
    /// Whose key it is.
    pub server: String,
    /// `ed25519:` and a version.
    pub key_id: String,
    /// The public half, unpadded Base64.
    pub public_key: String,
    /// The last moment whose events it may sign, in milliseconds since 1970.
    pub valid_until_ts: i64,
}

/// Events that another server sent, in any order. Those whose place in the graph is known are taken in at once; the others
/// are kept until what they need has come. Repetition changes nothing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Receive {
    /// Which server sent them: the one to ask for what is missing.
    pub origin: String,
    /// The events.
    pub events: Vec<Json>,
    /// The keys that verify them.
    pub keys: Vec<ServerKey>,
    /// When they come of paging back: the position of the [`Edge`] that they lie before. They are not held against the
    /// current state.
    #[serde(default)]
    pub history_before: Option<i64>,
}

/// Events that another server sent of its own accord: as [`Receive`], but refused with `M_NOT_FOUND` by a room that no local
/// user is in, and with `M_FORBIDDEN` by one that does not let that server take part.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Push {
    /// The server.
    pub server: String,
    /// The events.
    pub events: Vec<Json>,
    /// The keys that verify them.
    pub keys: Vec<ServerKey>,
}

/// What became of each event of a command, in order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReceiveReply {
    /// One for each event.
    pub verdicts: Vec<Verdict>,
    /// What became of events that had waited for these.
    #[serde(default)]
    pub taken: Vec<Verdict>,
    /// Whether the room waits for events that it does not have ([`Missing`] lists them).
    pub incomplete: bool,
}

/// What became of an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Its id, as far as it has one.
    pub event_id: Option<String>,
    /// What became of it.
    pub outcome: Outcome,
    /// Which rule it broke, or what was wrong with it.
    #[serde(default)]
    pub why: Option<String>,
}

/// See [`Verdict`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// In the timeline.
    Accepted,
    /// Allowed where it stands and refused by the current state: kept, not shown.
    SoftFailed,
    /// Refused: kept as such, never shown.
    Rejected,
    /// Kept without a place in the graph: an outlier.
    Outlier,
    /// Kept until what it needs has come.
    Waiting,
    /// It was here already.
    Known,
    /// No event, not signed, of another room, or more than may wait: nothing is kept.
    Dropped,
}

/// What a room waits for and has not asked other servers for a short while ago, at most a few hundred events.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Missing {}

/// See [`Missing`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MissingReply {
    /// The missing events.
    pub events: Vec<MissingEvent>,
    /// The forward extremities: where what is held ends.
    pub extremities: Vec<String>,
    /// The room version.
    #[serde(default)]
    pub version: String,
    /// Other servers in the room, those with the most users first; at most a few dozen.
    #[serde(default)]
    pub servers: Vec<String>,
}

/// An event that others wait for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingEvent {
    /// The missing event.
    pub event_id: String,
    /// One that waits for it.
    pub needed_by: String,
    /// Who sent that one.
    pub origin: String,
    /// Whether it is needed as an auth event, and not merely as a predecessor.
    pub is_auth: bool,
}

/// Where the room's past is not held: events at which paging back asks other servers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Edges {
    /// Only edges at or before this position; `None` for all.
    pub before: Option<i64>,
}

/// An event that is held and has predecessors that are not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edge {
    /// The event.
    pub event_id: String,
    /// Its position; `None` for one that is not in the timeline.
    pub pos: Option<i64>,
    /// What is missing before it.
    pub missing: Vec<String>,
}

/// Begins a room that other servers have: until the first [`Place`], there is no such room for anybody here. A repetition
/// changes nothing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Begin {
    /// The room version.
    pub version: String,
}

/// Events without a place in the graph: the state and the auth chains of a join or a gap. Repetition changes nothing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Supply {
    /// The events. Each comes after its auth events, unless `place` is given.
    pub events: Vec<Json>,
    /// The keys that verify them.
    pub keys: Vec<ServerKey>,
    /// The event whose place they are for: those whose auth events are not here wait for
    /// [`Settle`](crate::elsewhere::Settle).
    #[serde(default)]
    pub place: Option<String>,
    /// Whether they are the state before that event, and not merely its auth chain.
    #[serde(default)]
    pub is_state: bool,
}

/// A piece of the state before an event, as another server tells it. What the room knows to be rejected is left out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SupplyState {
    /// The event that the state is before.
    pub event_id: String,
    /// Whether this is the first piece: earlier ones are forgotten.
    pub first: bool,
    /// State events, by id.
    pub state: Vec<String>,
}

/// See [`SupplyState`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SupplyStateReply {
    /// Those that are not here: supply them and say this piece again.
    pub missing: Vec<String>,
}

/// Gives an event its place behind a gap: the state before it is the one that was supplied. The event passes all checks.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Place {
    /// Which server sent it.
    pub origin: String,
    /// The event.
    pub event: Json,
    /// The keys that verify it.
    pub keys: Vec<ServerKey>,
    /// See [`Receive::history_before`].
    #[serde(default)]
    pub history_before: Option<i64>,
}

/// What local users have sent after a position, in order, for another server: what happened while it was in the room, and the
/// memberships of its users.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Outgoing {
    /// The server.
    pub server: String,
    /// After this position.
    pub after: i64,
    /// Up to this position; `None` for all.
    #[serde(default)]
    pub up_to: Option<i64>,
    /// The most events.
    pub limit: u32,
}

/// See [`Outgoing`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OutgoingReply {
    /// The events.
    pub events: Vec<Json>,
    /// The position up to which all were looked at: where to go on.
    pub up_to: i64,
}

/// The events between some that a server has and some that it wants (spec: server-server-api
/// §post_matrixfederationv1get_missing_eventsroomid). Breadth first from the latest, answered oldest first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GetMissingEvents {
    /// Who asks.
    pub server: String,
    /// Where to stop.
    pub earliest: Vec<String>,
    /// Where to begin; not among the answer.
    pub latest: Vec<String>,
    /// The most events.
    pub limit: u32,
    /// The least depth.
    #[serde(default)]
    pub min_depth: i64,
}

/// Some events and what came before them, newest first (spec: server-server-api §get_matrixfederationv1backfillroomid).
/// What the server may not see is answered in its redacted form.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Backfill {
    /// Who asks.
    pub server: String,
    /// Where to begin.
    pub from: Vec<String>,
    /// The most events.
    pub limit: u32,
}

/// One event for a server (spec: server-server-api §get_matrixfederationv1eventeventid).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EventForServer {
    /// Who asks.
    pub server: String,
    /// The event.
    pub event_id: String,
}

/// The state before an event and its auth chain, as ids (spec: server-server-api
/// §get_matrixfederationv1state_idsroomid).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StateIds {
    /// Who asks.
    pub server: String,
    /// The event.
    pub event_id: String,
}

/// See [`StateIds`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StateIdsReply {
    /// The state events.
    pub state: Vec<String>,
    /// All that authorises them, each event after its auth events.
    pub auth_chain: Vec<String>,
}

/// Events by their ids, for a server that has been told the ids ([`StateIds`]). Those that are not here are left out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EventsById {
    /// The ids.
    pub ids: Vec<String>,
}

/// An event's auth chain, as ids, each event after those that it cites (spec: server-server-api
/// §get_matrixfederationv1event_authroomideventid).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AuthChain {
    /// Who asks.
    pub server: String,
    /// The event.
    pub event_id: String,
}

/// The version of a room that this server is in; `None` of another one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Residence {}

/// A user of another server types, or stops (spec: server-server-api §typing-notifications). What the room does not take
/// changes nothing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReceiveTyping {
    /// The server that says so.
    pub server: String,
    /// The user.
    pub user_id: String,
    /// Whether it types.
    pub typing: bool,
}

/// Receipts of users of another server (spec: server-server-api §receipts). What the room does not take changes nothing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReceiveReceipts {
    /// The server that says so.
    pub server: String,
    /// The receipts.
    pub receipts: Vec<RemoteReceipt>,
}

/// See [`ReceiveReceipts`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RemoteReceipt {
    /// Who has read.
    pub user_id: String,
    /// Up to which event.
    pub event_id: String,
    /// In which thread: `main`, or a thread's root; `None` for all.
    pub thread_id: Option<String>,
    /// When, in milliseconds since 1970, as the server says.
    pub ts: u64,
}

/// A membership event for a user of another server to sign (spec: server-server-api §joining-rooms, §leaving-rooms,
/// §knocking-upon-a-room).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MakeMembership {
    /// The server that asks; the user is its.
    pub server: String,
    /// The user.
    pub user_id: String,
    /// Join, leave or knock.
    pub membership: Membership,
    /// The room versions that the server supports.
    pub versions: Vec<String>,
    /// In a restricted room, whether the user is in one of the rooms that let in.
    #[serde(default)]
    pub is_in_allowed_room: bool,
}

/// See [`MakeMembership`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MakeMembershipReply {
    /// The room version.
    pub version: String,
    /// The event without hashes and signatures.
    pub event: Json,
}

/// The signed membership event of a user of another server. It is accepted or refused, never kept waiting.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SendMembership {
    /// The server that sends it.
    pub server: String,
    /// Join, leave or knock.
    pub membership: Membership,
    /// The event.
    pub event: Json,
    /// The keys that verify it.
    pub keys: Vec<ServerKey>,
    /// In a restricted room, whether the user is in one of the rooms that let in.
    #[serde(default)]
    pub is_in_allowed_room: bool,
}

/// See [`SendMembership`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SendMembershipReply {
    /// The event's id.
    pub event_id: String,
    /// The event, with this server's signature added where it authorises the join.
    pub event: Json,
    /// For a knock: the state events that show the room, in the form that servers exchange.
    pub stripped_state: Vec<Json>,
}
