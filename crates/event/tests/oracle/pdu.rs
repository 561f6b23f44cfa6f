//! Our events, as ruma wants to see them.

use ruma::events::TimelineEventType;
use ruma::state_res::{Event as RumaEvent, StateMap};
use ruma::{MilliSecondsSinceUnixEpoch, OwnedEventId, OwnedRoomId, OwnedUserId, RoomId, UInt, UserId};
use selvage_event::{Event, RoomVersion};
use serde_json::value::RawValue;

#[derive(Clone)]
pub(crate) struct Pdu {
    id: OwnedEventId,
    room_id: Option<OwnedRoomId>,
    sender: OwnedUserId,
    at: MilliSecondsSinceUnixEpoch,
    kind: TimelineEventType,
    content: Box<RawValue>,
    state_key: Option<String>,
    prev_events: Vec<OwnedEventId>,
    auth_events: Vec<OwnedEventId>,
    redacts: Option<OwnedEventId>,
}

pub(crate) fn ruma_id(id: &selvage_event::EventId) -> OwnedEventId {
    id.as_str().try_into().unwrap()
}

pub(crate) fn ruma_rules(version: RoomVersion) -> ruma::room_version_rules::RoomVersionRules {
    ruma::RoomVersionId::try_from(version.as_str())
        .unwrap()
        .rules()
        .unwrap()
}

impl Pdu {
    pub(crate) fn of(event: &Event) -> Self {
        let ids = |ids: &[selvage_event::EventId]| ids.iter().map(ruma_id).collect();
        let at = UInt::try_from(event.origin_server_ts()).unwrap();
        Self {
            id: ruma_id(event.event_id()),
            room_id: event.room_id_field().map(|id| id.as_str().try_into().unwrap()),
            sender: event.sender().as_str().try_into().unwrap(),
            at: MilliSecondsSinceUnixEpoch(at),
            kind: event.kind().into(),
            content: serde_json::value::to_raw_value(event.content()).unwrap(),
            state_key: event.state_key().map(str::to_owned),
            prev_events: ids(event.prev_events()),
            auth_events: ids(event.auth_events()),
            redacts: event.redacts().map(ruma_id),
        }
    }
}

impl RumaEvent for Pdu {
    type Id = OwnedEventId;
    fn event_id(&self) -> &OwnedEventId {
        &self.id
    }
    fn room_id(&self) -> Option<&RoomId> {
        self.room_id.as_deref()
    }
    fn sender(&self) -> &UserId {
        &self.sender
    }
    fn origin_server_ts(&self) -> MilliSecondsSinceUnixEpoch {
        self.at
    }
    fn event_type(&self) -> &TimelineEventType {
        &self.kind
    }
    fn content(&self) -> &RawValue {
        &self.content
    }
    fn state_key(&self) -> Option<&str> {
        self.state_key.as_deref()
    }
    fn prev_events(&self) -> Box<dyn DoubleEndedIterator<Item = &OwnedEventId> + '_> {
        Box::new(self.prev_events.iter())
    }
    fn auth_events(&self) -> Box<dyn DoubleEndedIterator<Item = &OwnedEventId> + '_> {
        Box::new(self.auth_events.iter())
    }
    fn redacts(&self) -> Option<&OwnedEventId> {
        self.redacts.as_ref()
    }
    fn rejected(&self) -> bool {
        false
    }
}

/// A state map as ruma has it.
pub(crate) type RumaState = StateMap<OwnedEventId>;
