//! The user object: account, devices, profile, account data, filters, and the log that sync reads.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Json, commands};

/// Who makes a request: the answer to a valid access token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Session {
    /// The user id.
    pub user_id: String,
    /// The device that the token belongs to.
    pub device_id: String,
    /// Whether the user is an administrator of this server.
    #[serde(default)]
    pub admin: bool,
    /// The user's profile, for membership events.
    #[serde(default)]
    pub profile: Profile,
}

/// A profile as it goes into membership events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// The display name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub displayname: Option<String>,
    /// The avatar's `mxc:` address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avatar_url: Option<String>,
}

/// What a request counts against, so that one user cannot take all of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bucket {
    /// Sending events.
    Send,
    /// Creating rooms, and changing memberships.
    Membership,
    /// Being invited by users of other servers.
    Invited,
}

/// Who holds this access token. Refused with `M_UNKNOWN_TOKEN` when nobody does, and with `M_LIMIT_EXCEEDED` when the
/// bucket is empty.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Authenticate {
    /// The SHA-256 of the token, url-safe base64 without padding.
    pub token_hash: String,
    /// What the request counts against; `None` where nothing is counted or rate limits are off.
    #[serde(default)]
    pub bucket: Option<Bucket>,
}

/// Makes the account. Refused with `M_USER_IN_USE` when it exists or existed; a repetition with the same `receipt`
/// succeeds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Register {
    /// The password's hash, as a PHC string; `None` for an account without password.
    pub password_hash: Option<String>,
    /// Whether the account administers the server.
    pub admin: bool,
    /// The first display name.
    #[serde(default)]
    pub displayname: Option<String>,
    /// A name for this registration, unique to it.
    pub receipt: String,
}

/// What is known of an account.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Account {}

/// See [`Account`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountReply {
    /// Whether there is, or was, such an account.
    pub exists: bool,
    /// Whether it was deactivated.
    pub deactivated: bool,
    /// Whether it administers the server.
    pub admin: bool,
}

/// The password's hash, for the gateway to verify; counts as one try to log in, of which there are few a minute.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PasswordHash {
    /// Whether tries are counted.
    pub rate_limited: bool,
}

/// See [`PasswordHash`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PasswordHashReply {
    /// A PHC string; `None` when there is no account, no password, or the account is deactivated.
    pub phc: Option<String>,
    /// Whether the account is deactivated.
    pub deactivated: bool,
}

/// Adds a device, or takes over one of this id, and gives it an access token in place of those it had.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Login {
    /// The device's id.
    pub device_id: String,
    /// Its display name, used when the device is new.
    pub initial_device_display_name: Option<String>,
    /// The SHA-256 of the new token, url-safe base64 without padding.
    pub token_hash: String,
}

/// Removes a device and its token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Logout {
    /// The device; `None` for all of them.
    pub device_id: Option<String>,
}

/// Changes the password.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SetPassword {
    /// The new hash, a PHC string.
    pub password_hash: String,
    /// Whether all devices but `keep_device` are logged out.
    pub logout_devices: bool,
    /// The device that made the change.
    #[serde(default)]
    pub keep_device: Option<String>,
}

/// Ends the account for ever: no login, no devices, no profile; its name stays taken. Leaves its rooms.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Deactivate {}

/// The user's profile; refused with `M_NOT_FOUND` when there is no such account.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GetProfile {}

/// Sets or removes one field of the profile, and carries it into the joined rooms.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SetProfile {
    /// `displayname` or `avatar_url`.
    pub field: String,
    /// The new value; `None` removes it.
    pub value: Option<String>,
}

/// Sets account data of one type, of the whole account or of one room.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SetAccountData {
    /// The room; `None` for the account.
    pub room_id: Option<String>,
    /// The event type.
    pub kind: String,
    /// The content, a JSON object.
    pub content: Json,
    /// The position in the room that the content names, where it may not move back: content that names a later one stays.
    #[serde(default)]
    pub pos: Option<i64>,
}

/// Account data of one type; `None` when it was never set.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GetAccountData {
    /// The room; `None` for the account.
    pub room_id: Option<String>,
    /// The event type.
    pub kind: String,
}

/// Stores a filter and returns its id.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PutFilter {
    /// The filter, a JSON object.
    pub filter: Json,
}

/// A stored filter; `None` when there is none of this id.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GetFilter {
    /// Its id.
    pub filter_id: String,
}

/// The rooms that the user is joined to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JoinedRooms {}

/// Forgets a room that the user has left: it no longer appears anywhere. Refused while joined or invited.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Forget {
    /// The room.
    pub room_id: String,
}

/// Where a room's timeline stood for this user when a sync token was given out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RoomPosition {
    /// The room.
    pub room_id: String,
    /// The sync token's `seq`.
    pub seq: u64,
}

/// A sync token: what its holder has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The last entry of the user's log.
    pub seq: u64,
    /// The last change of who is typing; it lives in memory and restarts with the time in milliseconds.
    #[serde(default)]
    pub typing: u64,
}

/// What changed for the user since a token. Authenticates too, so that a sync asks the user once.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Changes {
    /// The token's hash, as in [`Authenticate`].
    pub token_hash: String,
    /// The sync token; `None` for an initial sync.
    pub since: Option<Seen>,
    /// Whether everything is wanted as in an initial sync, though there is a token (`full_state`).
    #[serde(default)]
    pub full_state: bool,
    /// Whether rooms that the user has left are wanted in an initial sync.
    #[serde(default)]
    pub include_leave: bool,
    /// A stored filter that the caller also wants to read.
    #[serde(default)]
    pub filter_id: Option<String>,
}

/// See [`Changes`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ChangesReply {
    /// Who asked.
    pub session: Session,
    /// The token of this answer.
    pub next: Seen,
    /// The user's version for [watching](selvage_object::Object::version): wait for more than this.
    pub version: u64,
    /// The filter that was asked for; `None` when there is none of this id.
    pub filter: Option<Json>,
    /// Rooms with something new, by room id.
    pub rooms: BTreeMap<String, RoomChange>,
    /// Account data that changed (all of them in an initial sync).
    pub account_data: Vec<AccountDatum>,
}

/// One type of account data.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AccountDatum {
    /// The event type.
    pub kind: String,
    /// The content.
    pub content: Json,
}

/// What changed in one room, as far as the user object knows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RoomChange {
    /// The user's membership now.
    pub membership: Membership,
    /// What part of the room's timeline is new; `None` when there is nothing to ask the room for.
    pub window: Option<Window>,
    /// Whether this is the end of an invite or a knock of which no room here knows: news without a timeline.
    #[serde(default)]
    pub out_of_band: bool,
    /// The stripped state of an invite or a knock, which clients show.
    #[serde(default)]
    pub stripped_state: Vec<Json>,
    /// Account data of this room that changed.
    #[serde(default)]
    pub account_data: Vec<AccountDatum>,
    /// Who is typing now, when that changed.
    #[serde(default)]
    pub typing: Option<Vec<String>>,
}

/// A part of a room's timeline: what comes after `from`, up to `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Where it starts.
    pub from: WindowStart,
    /// The last position in it.
    pub to: i64,
}

/// Where a [`Window`] starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WindowStart {
    /// The client knows nothing of the room: the newest events, and the whole state.
    Nothing,
    /// The client has seen everything up to this position.
    After(i64),
    /// The token is so old that its position is not known any more: as `Nothing`, with what lies before left to paging.
    Lost,
}

/// A membership (spec: client-server-api §room-membership).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Membership {
    /// In the room.
    Join,
    /// Asked in.
    Invite,
    /// Asking to be let in.
    Knock,
    /// Not in the room, or no longer.
    Leave,
    /// Kept out.
    Ban,
}

impl Membership {
    /// The spec's word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Join => "join",
            Self::Invite => "invite",
            Self::Knock => "knock",
            Self::Leave => "leave",
            Self::Ban => "ban",
        }
    }

    /// The membership of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Join, Self::Invite, Self::Knock, Self::Leave, Self::Ban]
            .into_iter()
            .find(|one| one.as_str() == name)
    }
}

/// A room tells its local members that its timeline goes on. Repetition changes nothing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RoomMoved {
    /// The room.
    pub room_id: String,
    /// The newest position.
    pub pos: i64,
}

/// A room tells a local user that the user's membership changed. Repetition changes nothing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MembershipChanged {
    /// The room.
    pub room_id: String,
    /// The position of the membership event.
    pub pos: i64,
    /// The new membership.
    pub membership: Membership,
    /// Who sent the membership event.
    pub sender: String,
    /// For invites and knocks, what clients show of the room.
    #[serde(default)]
    pub stripped_state: Vec<Json>,
}

/// The user's membership in a room that this server is not in, so that no room here can tell of it: an invite from another
/// server, a knock sent there, or the end of either. Refused with `M_NOT_FOUND` when there is no such account, and with
/// `M_FORBIDDEN` when somebody else than the inviter takes an invite back. Repetition changes nothing, nor does it when the
/// user is in the room already.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OutOfBand {
    /// The room.
    pub room_id: String,
    /// Invite, knock or leave.
    pub membership: Membership,
    /// Where the membership comes from.
    pub source: OutOfBandSource,
    /// For invites and knocks, what clients show of the room; the membership event is among it.
    #[serde(default)]
    pub stripped_state: Vec<Json>,
    /// Whether invites are counted.
    #[serde(default)]
    pub rate_limited: bool,
    /// For a leave that another server tells: the events that authorise it. It ends the invite that is among them and no
    /// later one, which may have come first.
    #[serde(default)]
    pub ends: Option<Vec<String>>,
}

/// See [`OutOfBand`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutOfBandSource {
    /// Who sent the membership event.
    pub sender: String,
    /// The membership event.
    pub event_id: String,
    /// The room version.
    pub version: String,
}

/// Where the user's membership in a room that this server is not in comes from; `None` when there is no such membership.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OutOfBandOf {
    /// The room.
    pub room_id: String,
}

/// See [`OutOfBandOf`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutOfBandReply {
    /// Invite, knock or leave.
    pub membership: Membership,
    /// Where it comes from.
    pub source: OutOfBandSource,
}

/// A room hints at who is typing now.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Typing {
    /// The room.
    pub room_id: String,
    /// Everybody who types, and when each stops unless the room hears again, in milliseconds since 1970.
    pub users: BTreeMap<String, u64>,
}

commands!(
    User,
    /// What a user object understands.
    UserCommand {
        Authenticate => Session,
        Register => (),
        Account => AccountReply,
        PasswordHash => PasswordHashReply,
        Login => Session,
        Logout => (),
        SetPassword => (),
        Deactivate => (),
        GetProfile => Profile,
        SetProfile => (),
        SetAccountData => (),
        GetAccountData => Option<Json>,
        PutFilter => String,
        GetFilter => Option<Json>,
        JoinedRooms => Vec<String>,
        Forget => (),
        RoomPosition => Option<i64>,
        Changes => ChangesReply,
        RoomMoved => (),
        MembershipChanged => (),
        OutOfBand => (),
        OutOfBandOf => Option<OutOfBandReply>,
        Typing => (),
    }
);
