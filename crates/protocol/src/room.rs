//! The room object: its events, its state, and who may see them.

use serde::{Deserialize, Serialize};

use crate::elsewhere::{
    CatchUp, MakeInvite, MakeInviteReply, PlaceWaiting, SendInvite, Settle, SettleReply, Sought, Standing,
    StandingReply,
};
use crate::federation::{
    AuthChain, Backfill, Begin, Edge, Edges, EventForServer, EventsById, GetMissingEvents, MakeMembership,
    MakeMembershipReply, Missing, MissingReply, Outgoing, OutgoingReply, Place, Push, Receive,
    ReceiveReceipts, ReceiveReply, ReceiveTyping, Residence, SendMembership, SendMembershipReply, StateIds,
    StateIdsReply, Supply, SupplyState, SupplyStateReply,
};
use crate::user::{Membership, Profile, WindowStart};
use crate::{Json, commands};

/// Who asks a room for something to read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Viewer {
    /// The user id.
    pub user_id: String,
    /// The device, which alone sees its own transaction ids.
    pub device_id: String,
}

/// Makes the room: the create event, the creator's join, and what follows in order, all sent by the creator and each
/// authorised. A repetition changes nothing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Create {
    /// The room version.
    pub version: String,
    /// The signed `m.room.create` event, in the form that servers exchange.
    pub create: Json,
    /// The creator's profile.
    pub profile: Profile,
    /// The state that follows, in order; invites are `m.room.member` events among it.
    pub state: Vec<NewState>,
}

/// A state event to be made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NewState {
    /// The event type.
    pub kind: String,
    /// The state key.
    pub state_key: String,
    /// The content, a JSON object.
    pub content: Json,
}

/// Sends an event: a message event, or a state event when there is a state key. The same transaction id of the same user
/// and device sends one event and gets the same answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Send {
    /// The sender.
    pub sender: String,
    /// The sending device.
    pub device_id: String,
    /// The client's transaction id; state events have none.
    pub txn_id: Option<String>,
    /// The event type.
    pub kind: String,
    /// The state key of a state event.
    pub state_key: Option<String>,
    /// The content, a JSON object as the client sent it.
    pub content: Json,
    /// The time to stamp the event with, where the sender may choose it; else the time of the turn.
    #[serde(default)]
    pub origin_server_ts: Option<u64>,
}

/// The event that was sent, or had been.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendReply {
    /// Its id.
    pub event_id: String,
}

/// What a user asks for through the membership endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MembershipAction {
    /// Enter the room.
    Join,
    /// Ask somebody in.
    Invite,
    /// Leave, reject an invite, or take a knock back.
    Leave,
    /// Make somebody leave.
    Kick,
    /// Keep somebody out.
    Ban,
    /// Let somebody in again, who is then merely gone.
    Unban,
    /// Ask to be let in.
    Knock,
}

/// Changes a membership. Asking for what is already so changes nothing and succeeds, where the spec lets it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ChangeMembership {
    /// Who asks.
    pub sender: String,
    /// Whose membership it is.
    pub target: String,
    /// What is asked.
    pub action: MembershipAction,
    /// Why, as the user put it.
    #[serde(default)]
    pub reason: Option<String>,
    /// The target's profile, where it is known and goes into the event.
    #[serde(default)]
    pub profile: Profile,
    /// Whether an invite is to a direct chat.
    #[serde(default)]
    pub is_direct: bool,
    /// In a restricted room, whether the target is in one of the rooms that let in.
    #[serde(default)]
    pub is_in_allowed_room: bool,
}

/// The rooms whose members a restricted room lets in (spec: client-server-api §restricted-rooms); none where the user's
/// joining does not depend on them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AllowedRooms {
    /// Who wants to join.
    pub user_id: String,
}

/// A user's membership in the current state; leave for one of whom the room knows nothing, and `None` where this server is
/// in no such room and cannot know.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MembershipOf {
    /// The user.
    pub user_id: String,
}

/// Prepares to replace the room by another (spec: client-server-api §room-upgrades). Refused when the sender may not end it;
/// nothing changes yet.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PrepareUpgrade {
    /// Who upgrades.
    pub sender: String,
}

/// What the new room takes over.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PrepareUpgradeReply {
    /// The room version.
    pub version: String,
    /// Its creators: the sender of the create event and those whom it names.
    pub creators: Vec<String>,
    /// The content of the create event.
    pub create: Json,
    /// The content of the power levels, where there are any.
    pub power_levels: Option<Json>,
    /// Other state to be sent into the new room.
    pub state: Vec<NewState>,
    /// An event that nothing follows yet.
    pub last_event_id: String,
}

/// A user tells the rooms it is joined to that its profile changed. Repetition changes nothing, not even after later changes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ProfileChanged {
    /// The user.
    pub user_id: String,
    /// The profile now.
    pub profile: Profile,
    /// The number of the change, which rises from one to the next.
    pub number: u64,
}

/// A user whose account ended leaves the room. Repetition changes nothing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AccountEnded {
    /// The user.
    pub user_id: String,
}

/// A part of the timeline, with the state that goes with it, for sync.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Slice {
    /// Who reads.
    pub viewer: Viewer,
    /// What the client has seen.
    pub from: WindowStart,
    /// The last position wanted.
    pub to: i64,
    /// How the timeline and the state are filtered.
    #[serde(default)]
    pub filter: SliceFilter,
    /// Whether the whole state is wanted, though the client has seen some of it.
    #[serde(default)]
    pub full_state: bool,
    /// Whether the state after the timeline is wanted rather than before it.
    #[serde(default)]
    pub state_after: bool,
}

/// How a timeline and a state are filtered (spec: client-server-api §filtering).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SliceFilter {
    /// The most timeline events.
    pub limit: u32,
    /// Which timeline events.
    #[serde(default)]
    pub timeline: EventFilter,
    /// Which state events.
    #[serde(default)]
    pub state: EventFilter,
    /// Whether only the members that the timeline needs are wanted.
    #[serde(default)]
    pub lazy_load_members: bool,
}

impl Default for SliceFilter {
    fn default() -> Self {
        Self {
            limit: 10,
            timeline: EventFilter::default(),
            state: EventFilter::default(),
            lazy_load_members: false,
        }
    }
}

/// Which events are wanted; an absent list wants all, `*` in a type stands for anything.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct EventFilter {
    /// Only these types.
    #[serde(default)]
    pub types: Option<Vec<String>>,
    /// Not these types.
    #[serde(default)]
    pub not_types: Vec<String>,
    /// Only these senders.
    #[serde(default)]
    pub senders: Option<Vec<String>>,
    /// Not these senders.
    #[serde(default)]
    pub not_senders: Vec<String>,
    /// Only events with, or only those without, a `url` in their content.
    #[serde(default)]
    pub contains_url: Option<bool>,
}

/// See [`Slice`]. Events are in the form that clients read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SliceReply {
    /// The timeline, oldest first.
    pub timeline: Vec<Json>,
    /// Whether events between `from` and the timeline were left out.
    pub limited: bool,
    /// The position before the timeline's first event: where paging back starts.
    pub prev_batch: i64,
    /// The state that the client lacks.
    pub state: Vec<Json>,
    /// Receipts that changed, as contents of `m.receipt` events: one for each thread, those of no thread first.
    pub receipts: Vec<Json>,
    /// What clients show of who is in the room; `None` when it did not change.
    pub summary: Option<Summary>,
}

/// Who is in a room (spec: client-server-api §get_matrixclientv3sync, `RoomSummary`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Some members other than the viewer, for a name; only where the room has none.
    pub heroes: Vec<String>,
    /// How many have joined.
    pub joined: u64,
    /// How many are invited.
    pub invited: u64,
}

/// A page of the timeline.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Messages {
    /// Who reads.
    pub viewer: Viewer,
    /// Where to start: between this position and the next. `None` for the end that `backwards` starts at.
    pub from: Option<i64>,
    /// Where to stop.
    pub to: Option<i64>,
    /// Whether newer events come first.
    pub backwards: bool,
    /// The most events.
    pub limit: u32,
    /// Which events.
    #[serde(default)]
    pub filter: EventFilter,
    /// Whether the members that the page needs are wanted.
    #[serde(default)]
    pub lazy_load_members: bool,
}

/// See [`Messages`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MessagesReply {
    /// The events, in the order asked for.
    pub chunk: Vec<Json>,
    /// Where the page starts.
    pub start: i64,
    /// Where the next page starts; `None` when there is nothing more.
    pub end: Option<i64>,
    /// Members that the page needs.
    pub state: Vec<Json>,
    /// The newest position of the page before which events are missing that other servers have.
    #[serde(default)]
    pub gap: Option<i64>,
}

/// One event that the viewer may see; refused with `M_NOT_FOUND` otherwise.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GetEvent {
    /// Who reads.
    pub viewer: Viewer,
    /// The event.
    pub event_id: String,
}

/// See [`GetEvent`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GetEventReply {
    /// The event, in the form that clients read.
    pub event: Json,
    /// Its position.
    pub pos: i64,
}

/// The state that the viewer may see: now, or as the viewer left it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GetState {
    /// Who reads.
    pub viewer: Viewer,
}

/// One state event; refused with `M_NOT_FOUND` when there is none.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GetStateEvent {
    /// Who reads.
    pub viewer: Viewer,
    /// The event type.
    pub kind: String,
    /// The state key.
    pub state_key: String,
}

/// The members that the viewer may see.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Members {
    /// Who reads.
    pub viewer: Viewer,
    /// At this position; `None` for now, or when the viewer left.
    #[serde(default)]
    pub at: Option<i64>,
    /// Only these memberships.
    #[serde(default)]
    pub membership: Option<Membership>,
    /// Not these.
    #[serde(default)]
    pub not_membership: Option<Membership>,
}

/// Marks how far a user has read (spec: client-server-api §receipts). A receipt never moves back.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SetReceipt {
    /// Who has read.
    pub user_id: String,
    /// `m.read` or `m.read.private`.
    pub kind: String,
    /// Up to which event.
    pub event_id: String,
    /// In which thread: `main`, or a thread's root; `None` for all.
    #[serde(default)]
    pub thread_id: Option<String>,
}

/// Somebody types, or stops.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SetTyping {
    /// Who.
    pub user_id: String,
    /// For how long, in milliseconds, unless said again; `None` for no longer.
    pub timeout_ms: Option<u64>,
}

commands!(
    Room,
    /// What a room understands.
    RoomCommand {
        Create => SendReply,
        Send => SendReply,
        ChangeMembership => SendReply,
        AllowedRooms => Vec<String>,
        MembershipOf => Option<Membership>,
        PrepareUpgrade => PrepareUpgradeReply,
        ProfileChanged => (),
        AccountEnded => (),
        Slice => SliceReply,
        Messages => MessagesReply,
        GetEvent => GetEventReply,
        GetState => Vec<Json>,
        GetStateEvent => Json,
        Members => Vec<Json>,
        SetReceipt => (),
        SetTyping => (),
        Receive => ReceiveReply,
        Push => ReceiveReply,
        Missing => MissingReply,
        Edges => Vec<Edge>,
        Begin => (),
        Supply => ReceiveReply,
        SupplyState => SupplyStateReply,
        Place => ReceiveReply,
        Outgoing => OutgoingReply,
        GetMissingEvents => Vec<Json>,
        Backfill => Vec<Json>,
        EventForServer => Json,
        StateIds => StateIdsReply,
        EventsById => Vec<Json>,
        AuthChain => Vec<String>,
        Residence => Option<String>,
        ReceiveTyping => (),
        ReceiveReceipts => (),
        MakeMembership => MakeMembershipReply,
        SendMembership => SendMembershipReply,
        Standing => StandingReply,
        MakeInvite => MakeInviteReply,
        SendInvite => SendReply,
        CatchUp => OutgoingReply,
        Settle => SettleReply,
        PlaceWaiting => ReceiveReply,
        Sought => (),
    }
);
