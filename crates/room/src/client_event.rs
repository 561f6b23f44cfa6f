//! Events in the form that clients read (spec: client-server-api §room-event-format).

use selvage_event::{Event, Map, Membership};
use selvage_object::{Failure, Fault};
use selvage_protocol::Json;
use selvage_protocol::room::Viewer;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::accept::spoken;
use crate::error::{json, stored};
use crate::txns;
use crate::view::{StoredEvent, View};

/// The state that an invite or a knock shows of its room (spec: client-server-api §stripped-state).
pub(crate) const STRIPPED: [&str; 7] = [
    "m.room.create",
    "m.room.name",
    "m.room.avatar",
    "m.room.topic",
    "m.room.join_rules",
    "m.room.canonical_alias",
    "m.room.encryption",
];

#[derive(Serialize)]
struct ClientEvent<'a> {
    content: &'a Map,
    event_id: &'a str,
    origin_server_ts: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    redacts: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    room_id: Option<&'a str>,
    sender: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_key: Option<&'a str>,
    #[serde(rename = "type")]
    kind: &'a str,
    unsigned: Unsigned<'a>,
}

#[derive(Default, Serialize)]
struct Unsigned<'a> {
    age: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    membership: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prev_content: Option<&'a Map>,
    #[serde(skip_serializing_if = "Option::is_none")]
    redacted_because: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replaces_state: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transaction_id: Option<&'a str>,
}

#[derive(Serialize)]
struct StrippedEvent<'a> {
    content: &'a Map,
    sender: &'a str,
    state_key: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
}

/// For whom, and in which form, events are written.
#[derive(Clone, Copy)]
pub(crate) struct Writer<'a> {
    pub(crate) view: View<'a>,
    pub(crate) viewer: &'a Viewer,
    /// Whether events name their room; those in a sync response do not.
    pub(crate) with_room_id: bool,
}

impl Writer<'_> {
    /// One event. `membership` is the viewer's at the event (spec: client-server-api, `unsigned.membership`).
    pub(crate) fn write(
        &self,
        stored: &StoredEvent,
        membership: Option<Membership>,
    ) -> Result<Json, Failure> {
        let shown = shown(stored)?;
        let replaced = self.replaced(stored)?;
        let (prev_content, replaces_state) = match &replaced {
            Some(event) => (Some(event.content()), Some(event.event_id().as_str())),
            None => (None, None),
        };
        let now = i64::try_from(self.view.turn.now().0).unwrap_or(i64::MAX);
        let unsigned = Unsigned {
            age: now.saturating_sub(shown.origin_server_ts()).max(0),
            membership: membership.map(|membership| spoken(membership).as_str()),
            prev_content,
            redacted_because: self.redacted_because(stored)?,
            replaces_state,
            transaction_id: self.transaction_id(stored),
        };
        self.raw(&shown, unsigned)
    }

    fn raw(&self, event: &Event, unsigned: Unsigned<'_>) -> Result<Json, Failure> {
        let event = ClientEvent {
            content: event.content(),
            event_id: event.event_id().as_str(),
            origin_server_ts: event.origin_server_ts(),
            redacts: event.redacts().map(|id| id.as_str()),
            room_id: self.with_room_id.then(|| event.room_id().as_str()),
            sender: event.sender().as_str(),
            state_key: event.state_key(),
            kind: event.kind(),
            unsigned,
        };
        Ok(to_raw_value(&event).map_err(|error| json(&error))?)
    }

    /// The state event that this one replaced.
    fn replaced(&self, stored: &StoredEvent) -> Result<Option<Event>, Fault> {
        let Some(state_key) = stored.event.state_key() else {
            return Ok(None);
        };
        let replaced = self
            .view
            .at(stored.before)
            .stored(stored.event.kind(), state_key)?;
        replaced.as_ref().map(shown).transpose()
    }

    fn redacted_because(&self, stored: &StoredEvent) -> Result<Option<Json>, Failure> {
        let Some(pos) = stored.redacted_by else {
            return Ok(None);
        };
        let Some(redaction) = self.view.stored_at(pos)? else {
            return Ok(None);
        };
        Ok(Some(self.raw(&redaction.event, Unsigned::default())?))
    }

    /// The transaction id, which the device alone sees that chose it.
    fn transaction_id<'s>(&self, stored: &'s StoredEvent) -> Option<&'s str> {
        let (device, txn_id) = txns::parts(stored.txn.as_deref()?)?;
        let own = stored.event.sender().as_str() == self.viewer.user_id && device == self.viewer.device_id;
        own.then_some(txn_id)
    }
}

/// An event as it is shown: redacted, when a redaction was applied.
pub(crate) fn shown(event: &StoredEvent) -> Result<Event, Fault> {
    match event.redacted_by {
        None => Ok(event.event.clone()),
        Some(_) => event.event.redacted().map_err(|error| stored(&error)),
    }
}

/// What an invited or knocking user is shown of the room: a few state events, the sender's membership, and the
/// membership event itself.
pub(crate) fn stripped_state(view: View<'_>, event: &Event) -> Result<Vec<Json>, Failure> {
    let now = view.now()?;
    let mut stripped = Vec::with_capacity(STRIPPED.len() + 2);
    for kind in STRIPPED {
        stripped.extend(now.shown(kind, "")?.as_ref().map(strip).transpose()?);
    }
    if event.state_key() != Some(event.sender().as_str()) {
        let sender = now.shown("m.room.member", event.sender().as_str())?;
        stripped.extend(sender.as_ref().map(strip).transpose()?);
    }
    stripped.push(strip(event)?);
    Ok(stripped)
}

/// What a knocking user's server is shown of the room: the same state events, whole
/// (spec: server-server-api §put_matrixfederationv1send_knockroomideventid).
pub(crate) fn shown_state(view: View<'_>) -> Result<Vec<Json>, Failure> {
    let now = view.now()?;
    let mut shown = Vec::with_capacity(STRIPPED.len());
    for kind in STRIPPED {
        if let Some(event) = now.shown(kind, "")? {
            shown.push(RawValue::from_string(event.json().to_owned()).map_err(|error| json(&error))?);
        }
    }
    Ok(shown)
}

fn strip(event: &Event) -> Result<Box<RawValue>, Fault> {
    let stripped = StrippedEvent {
        content: event.content(),
        sender: event.sender().as_str(),
        state_key: event.state_key().unwrap_or_default(),
        kind: event.kind(),
    };
    to_raw_value(&stripped).map_err(|error| json(&error))
}
