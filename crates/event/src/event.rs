//! An event, parsed once and shared.

use std::fmt;
use std::sync::{Arc, OnceLock};

use serde_json::Value;

use crate::Map;
use crate::auth::{Levels, LevelsError};
use crate::canonical::CanonicalError;
use crate::id::{EventId, IdError, RoomId, UserId};
use crate::redact::redact_text;
use crate::version::{RoomVersion, Rules};

mod fields;
#[cfg(test)]
mod tests;

pub(crate) use fields::Fields;

/// Why bytes are no event of the room version. The event is dropped.
/// spec: `server-server-api §Checks performed on receipt of a PDU` (check 1), `rooms §Event format`
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// Not JSON, not an object, or not canonical where the room version demands it.
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
    /// The whole is over [`crate::limits::MAX_EVENT_BYTES`]. A client that sent it gets 413.
    #[error("event of {bytes} bytes is too large")]
    TooLarge {
        /// How large it is.
        bytes: usize,
    },
    /// A field is longer than [`crate::limits::MAX_ID_BYTES`]. A client that sent it gets 413.
    #[error("{field} is too long")]
    FieldTooLong {
        /// Which field.
        field: &'static str,
    },
    /// A required field is not there.
    #[error("{field} is missing")]
    Missing {
        /// Which field.
        field: &'static str,
    },
    /// A field has another JSON type than it must have.
    #[error("{field} is of the wrong type")]
    WrongType {
        /// Which field.
        field: &'static str,
    },
    /// A field is no identifier.
    #[error("{field}: {error}")]
    Identifier {
        /// Which field.
        field: &'static str,
        /// What is wrong with it.
        error: IdError,
    },
    /// `depth` is negative or over the room version's limit.
    #[error("depth is out of range")]
    Depth,
    /// `prev_events` or `auth_events` has too many entries.
    #[error("{field} has too many entries")]
    TooMany {
        /// Which field.
        field: &'static str,
    },
    /// A join names an authoriser that is no user id, so nobody can have signed for it.
    #[error("join_authorised_via_users_server is no user id")]
    Authoriser,
}

impl FormatError {
    /// Whether size is what is wrong (HTTP 413, `M_TOO_LARGE`), not shape.
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        match self {
            Self::TooLarge { .. } | Self::FieldTooLong { .. } => true,
            Self::Identifier { error, .. } => *error == IdError::TooLong,
            _ => false,
        }
    }
}

/// What `m.room.member` says about a user. spec: `client-server-api §m.room.member`
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Membership {
    /// In the room.
    Join,
    /// Asked to join.
    Invite,
    /// Not in the room: left, was kicked, refused the invite, was unbanned.
    Leave,
    /// May not come in.
    Ban,
    /// Asks to be invited.
    Knock,
}

impl Membership {
    /// The membership of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "join" => Some(Self::Join),
            "invite" => Some(Self::Invite),
            "leave" => Some(Self::Leave),
            "ban" => Some(Self::Ban),
            "knock" => Some(Self::Knock),
            _ => None,
        }
    }

    /// As it is written in events.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Join => "join",
            Self::Invite => "invite",
            Self::Leave => "leave",
            Self::Ban => "ban",
            Self::Knock => "knock",
        }
    }
}

/// A parsed event: immutable, and cheap to clone.
///
/// Having one says nothing about its having been checked; the types of [`crate::pipeline`] do.
#[derive(Clone)]
pub struct Event {
    inner: Arc<Inner>,
}

struct Inner {
    id: EventId,
    version: RoomVersion,
    json: Box<str>,
    room_id: RoomId,
    fields: Fields,
    levels: OnceLock<Result<Levels, LevelsError>>,
}

impl Event {
    /// Reads back an event that storage holds: `json` and `event_id` as [`Event::json`] and [`Event::event_id`]
    /// gave them. Nothing is verified but the shape; this is not a way in for events from elsewhere.
    ///
    /// # Errors
    /// [`FormatError`] when the text is no event of this version, which means the storage is damaged.
    pub fn from_stored(json: &str, event_id: EventId, version: RoomVersion) -> Result<Self, FormatError> {
        let object = crate::canonical::parse_object(json.as_bytes())?;
        let fields = Fields::parse(object, version.rules())?;
        Self::assemble(version, event_id, fields, json.to_owned())
    }

    pub(crate) fn assemble(
        version: RoomVersion,
        id: EventId,
        fields: Fields,
        json: String,
    ) -> Result<Self, FormatError> {
        let room_id = match &fields.room_id {
            Some(room_id) => room_id.clone(),
            None if fields.is_create() && version.rules().auth.privileged_creators => id.to_room_id(),
            None => return Err(FormatError::Missing { field: "room_id" }),
        };
        let json = json.into_boxed_str();
        let inner = Inner {
            id,
            version,
            json,
            room_id,
            fields,
            levels: OnceLock::new(),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// The event's id.
    #[must_use]
    pub fn event_id(&self) -> &EventId {
        &self.inner.id
    }

    /// The room. For a create event of version 12 the id that it makes, though it has no such field.
    #[must_use]
    pub fn room_id(&self) -> &RoomId {
        &self.inner.room_id
    }

    /// The `room_id` field: `None` on the create events of version 12.
    #[must_use]
    pub fn room_id_field(&self) -> Option<&RoomId> {
        self.inner.fields.room_id.as_ref()
    }

    /// The version of the room, whose rules the event was parsed by.
    #[must_use]
    pub fn room_version(&self) -> RoomVersion {
        self.inner.version
    }

    /// What the room version prescribes.
    #[must_use]
    pub fn rules(&self) -> &'static Rules {
        self.inner.version.rules()
    }

    /// The user who sent it.
    #[must_use]
    pub fn sender(&self) -> &UserId {
        &self.inner.fields.sender
    }

    /// The event's `type`.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.inner.fields.kind
    }

    /// The state key; `None` when it is no state event.
    #[must_use]
    pub fn state_key(&self) -> Option<&str> {
        self.inner.fields.state_key.as_deref()
    }

    /// Whether it is a state event.
    #[must_use]
    pub fn is_state(&self) -> bool {
        self.inner.fields.state_key.is_some()
    }

    /// Whether it is the state event of that type and key.
    #[must_use]
    pub fn is_state_of(&self, kind: &str, state_key: &str) -> bool {
        self.kind() == kind && self.state_key() == Some(state_key)
    }

    /// The content.
    #[must_use]
    pub fn content(&self) -> &Map {
        &self.inner.fields.content
    }

    /// A string in the content.
    #[must_use]
    pub fn content_str(&self, key: &str) -> Option<&str> {
        self.content().get(key).and_then(Value::as_str)
    }

    /// The events that this one follows.
    #[must_use]
    pub fn prev_events(&self) -> &[EventId] {
        &self.inner.fields.prev_events
    }

    /// The events that give the sender the right to send this one.
    #[must_use]
    pub fn auth_events(&self) -> &[EventId] {
        &self.inner.fields.auth_events
    }

    /// The sender's claim of how deep the event lies in the graph. Never to be trusted.
    #[must_use]
    pub fn depth(&self) -> i64 {
        self.inner.fields.depth
    }

    /// The sender's claim of when it was sent, in milliseconds since 1970. Never to be trusted.
    #[must_use]
    pub fn origin_server_ts(&self) -> i64 {
        self.inner.fields.origin_server_ts
    }

    /// The event that this redaction is about. `None` on other types, and when the target is no event id.
    #[must_use]
    pub fn redacts(&self) -> Option<&EventId> {
        self.inner.fields.redacts.as_ref()
    }

    /// The canonical JSON in federation format: with hashes and signatures, without `unsigned`.
    #[must_use]
    pub fn json(&self) -> &str {
        &self.inner.json
    }

    /// The membership in an `m.room.member` event; `None` on other types and for unknown memberships.
    #[must_use]
    pub fn membership(&self) -> Option<Membership> {
        if self.kind() != "m.room.member" {
            return None;
        }
        self.content_str("membership").and_then(Membership::from_name)
    }

    /// The power levels in the content of an `m.room.power_levels` event, parsed once by the room version's rules.
    ///
    /// # Errors
    /// [`LevelsError`] names what is malformed.
    pub fn levels(&self) -> Result<&Levels, LevelsError> {
        let parse = || Levels::parse(&self.rules().auth, self.content());
        self.inner
            .levels
            .get_or_init(parse)
            .as_ref()
            .map_err(|error| *error)
    }

    /// Whether `type` or `state_key` is over 255 bytes though within 255 code points, which room versions up to 10
    /// refuse by authorisation and not by format.
    pub(crate) fn is_oversized(&self) -> bool {
        self.inner.fields.oversized
    }

    /// The redacted form, under the same id. spec: `rooms §Redactions`
    ///
    /// # Errors
    /// [`FormatError`] cannot happen to an event that was parsed: redaction keeps every required field.
    pub fn redacted(&self) -> Result<Self, FormatError> {
        let json = redact_text(self.rules(), self.json());
        Self::from_stored(&json, self.event_id().clone(), self.room_version())
    }
}

impl PartialEq for Event {
    fn eq(&self, other: &Self) -> bool {
        self.event_id() == other.event_id() && self.json() == other.json()
    }
}

impl Eq for Event {}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("event_id", self.event_id())
            .field("kind", &self.kind())
            .field("state_key", &self.state_key())
            .field("sender", self.sender())
            .finish_non_exhaustive()
    }
}
