//! The rules that look at an event and its `auth_events` only.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{EventLookup, KnownEvent, Refusal, Rule, StateLookup, auth_types_for};
use crate::event::Event;
use crate::id::{EventId, UserId};

/// The events that an event cites, found and in order; a state to check it against.
#[derive(Debug, Clone, Default)]
pub struct AuthEvents {
    events: Vec<Event>,
}

impl StateLookup for AuthEvents {
    type Error = std::convert::Infallible;
    fn get(&self, kind: &str, state_key: &str) -> Result<Option<Event>, Self::Error> {
        Ok(self
            .events
            .iter()
            .find(|event| event.is_state_of(kind, state_key))
            .cloned())
    }
}

/// Why the auth events do not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainRefusal<E> {
    /// A rule refuses the event: it is rejected.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Some auth events are not known (of version 12, perhaps the create event). Fetch them and check again.
    #[error("unknown auth events: {0:?}")]
    Missing(Vec<EventId>),
    /// The events could not be looked up.
    #[error("looking up auth events: {0}")]
    Lookup(E),
}

/// The state-independent rules: 1 and 2 of the list, of version 12 also 3.
/// spec: `rooms §Authorisation rules`
///
/// # Errors
/// [`ChainRefusal`].
pub fn check_auth_events<L: EventLookup>(
    event: &Event,
    lookup: &L,
) -> Result<AuthEvents, ChainRefusal<L::Error>> {
    let refuse = |rule| {
        ChainRefusal::Refused(Refusal {
            rule,
            version: event.room_version(),
        })
    };
    if event.is_oversized() {
        return Err(refuse(Rule::Oversized));
    }
    if event.kind() == "m.room.create" {
        return check_create(event)
            .map(|()| AuthEvents::default())
            .map_err(refuse);
    }
    if event.prev_events().is_empty() {
        return Err(refuse(Rule::NoPrevEvents));
    }
    let (create, cited) = look_up(event, lookup)?;
    let mut events = Vec::with_capacity(cited.len() + 1);
    if event.rules().auth.privileged_creators {
        events.push(check_room_id(create).map_err(refuse)?);
    }
    check_cited(event, &cited).map_err(refuse)?;
    events.extend(cited.into_iter().map(|known| known.event));
    Ok(AuthEvents { events })
}

type Found = (Option<KnownEvent>, Vec<KnownEvent>);

/// The create event that the room id names (version 12), and the cited events.
fn look_up<L: EventLookup>(event: &Event, lookup: &L) -> Result<Found, ChainRefusal<L::Error>> {
    let mut missing = Vec::new();
    let mut find = |id: &EventId| -> Result<Option<KnownEvent>, ChainRefusal<L::Error>> {
        let found = lookup.event(id).map_err(ChainRefusal::Lookup)?;
        if found.is_none() {
            missing.push(id.clone());
        }
        Ok(found)
    };
    let mut create = None;
    if event.rules().auth.privileged_creators {
        create = find(&event.room_id().to_create_event_id())?;
    }
    let mut cited = Vec::with_capacity(event.auth_events().len());
    for id in event.auth_events() {
        cited.extend(find(id)?);
    }
    if missing.is_empty() {
        Ok((create, cited))
    } else {
        Err(ChainRefusal::Missing(missing))
    }
}

/// Rule 1.
fn check_create(event: &Event) -> Result<(), Rule> {
    let rules = &event.rules().auth;
    let content = event.content();
    if !event.prev_events().is_empty() {
        return Err(Rule::CreatePrevEvents);
    }
    if rules.privileged_creators {
        if event.room_id_field().is_some() {
            return Err(Rule::CreateRoomId);
        }
    } else if event.room_id().domain() != Some(event.sender().domain()) {
        return Err(Rule::CreateRoomIdDomain);
    }
    if !is_of_this_version(event) {
        return Err(Rule::CreateRoomVersion);
    }
    if rules.creator_field && !content.contains_key("creator") {
        return Err(Rule::CreateCreator);
    }
    if rules.privileged_creators && !content.get("additional_creators").is_none_or(are_users) {
        return Err(Rule::CreateAdditionalCreators);
    }
    Ok(())
}

/// Whether the create event makes a room of the version it was parsed as, which is stricter than the rule (any
/// known version): an event of one version must not be judged by the rules of another.
fn is_of_this_version(create: &Event) -> bool {
    let stated = create
        .content()
        .get("room_version")
        .map_or(Some("1"), Value::as_str);
    stated == Some(create.room_version().as_str())
}

fn are_users(value: &Value) -> bool {
    let is_user = |entry: &Value| entry.as_str().is_some_and(|text| UserId::parse(text).is_ok());
    value
        .as_array()
        .is_some_and(|entries| entries.iter().all(is_user))
}

/// Rule 2 of version 12. That the event found is a create event is checked too: any event's hash fits a room id.
fn check_room_id(create: Option<KnownEvent>) -> Result<Event, Rule> {
    match create {
        Some(known) if !known.rejected && known.event.is_state_of("m.room.create", "") => Ok(known.event),
        _ => Err(Rule::RoomIdUnknown),
    }
}

/// Rule 2, in version 12 rule 3. Another room's events come first: they may authorise anything.
fn check_cited(event: &Event, cited: &[KnownEvent]) -> Result<(), Rule> {
    let version = event.room_version();
    if cited.iter().any(|known| known.event.room_id() != event.room_id()) {
        return Err(Rule::AuthOtherRoom);
    }
    let selected = auth_types_for(
        version,
        event.kind(),
        event.sender().as_str(),
        event.state_key(),
        event.content(),
    );
    let mut seen = BTreeSet::new();
    for known in cited {
        let key = known
            .event
            .state_key()
            .map(|state_key| (known.event.kind(), state_key));
        if !seen.insert(key) {
            return Err(Rule::AuthDuplicate);
        }
        if !key.is_some_and(|key| selected.iter().any(|(kind, state_key)| key == (kind, state_key))) {
            return Err(Rule::AuthNotSelected);
        }
        if known.rejected {
            return Err(Rule::AuthRejected);
        }
    }
    if !version.rules().auth.privileged_creators && !seen.contains(&Some(("m.room.create", ""))) {
        return Err(Rule::NoCreate);
    }
    Ok(())
}
