//! The events of a transaction, given to their rooms.
//! spec: `server-server-api §checks-performed-on-receipt-of-a-pdu`

use std::collections::BTreeMap;

use selvage_event::{Event, ReceivedEvent, RoomId, ServerName};
use selvage_protocol::federation::{Outcome, Push, Verdict};
use selvage_protocol::user::{Membership, OutOfBand, OutOfBandOf, OutOfBandSource};
use selvage_protocol::{Json, errcode, room_key};
use serde::Deserialize;
use serde_json::{Value, json};

use super::invited::verified;
use crate::{ApiError, Gateway, Host};

/// What became of events, by their ids.
type Results = Vec<(String, Value)>;

/// What is looked at before the room version is known.
#[derive(Deserialize)]
struct Outline {
    room_id: Option<String>,
}

/// The events by their rooms, in order. What names no room can be in none: events that do not, create events of newer
/// versions, come with a join.
pub(super) fn by_room(events: Vec<Json>) -> BTreeMap<RoomId, Vec<Json>> {
    let mut rooms: BTreeMap<RoomId, Vec<Json>> = BTreeMap::new();
    for event in events {
        let outline: Option<Outline> = serde_json::from_str(event.get()).ok();
        let room_id = outline.and_then(|outline| RoomId::parse(outline.room_id?).ok());
        if let Some(room_id) = room_id {
            rooms.entry(room_id).or_default().push(event);
        }
    }
    rooms
}

/// Gives a room its events. It keeps what it takes before it answers.
///
/// # Errors
/// When something here fails; what is wrong with an event, or that the room is not here, is no error.
pub(super) async fn take<H: Host>(
    gateway: &Gateway<H>,
    origin: &ServerName,
    room_id: RoomId,
    events: Vec<Json>,
) -> Result<Results, ApiError> {
    let push = Push {
        server: origin.to_string(),
        keys: gateway.workflows().keys_of_unknown(&events).await,
        events,
    };
    let events = push.events.clone();
    match gateway
        .ask(room_key(room_id.as_str()), push)
        .await
        .map_err(ApiError::from)
    {
        Ok(reply) => {
            gateway.origins().spoke_of(origin, room_id.as_str());
            Ok(reply.verdicts.into_iter().filter_map(result).collect())
        }
        Err(error) if error.is(errcode::NOT_FOUND) => rescinded(gateway, origin, &room_id, &events).await,
        Err(error) if error.status.is_client_error() && !error.is(errcode::LIMIT_EXCEEDED) => {
            tracing::debug!(%origin, %room_id, %error, "a room takes nothing of a server");
            Ok(refused(gateway, &room_id, &events, &error).await)
        }
        Err(error) => Err(error),
    }
}

/// What the sending server is told of an event. One that it cannot do anything about is no error.
fn result(verdict: Verdict) -> Option<(String, Value)> {
    let said = match verdict.outcome {
        Outcome::Rejected | Outcome::Dropped => json!({ "error": verdict.why.unwrap_or_default() }),
        _ => json!({}),
    };
    Some((verdict.event_id?, said))
}

/// The same error for each event of a room that lets the server send none.
async fn refused<H: Host>(
    gateway: &Gateway<H>,
    room_id: &RoomId,
    events: &[Json],
    error: &ApiError,
) -> Results {
    let Ok(version) = super::version_of(gateway, room_id).await else {
        return Vec::new();
    };
    let ids = events.iter().filter_map(|event| {
        let received = ReceivedEvent::parse(event.get().as_bytes(), version).ok()?;
        Some(received.event().event_id().as_str().to_owned())
    });
    ids.map(|id| (id, json!({ "error": error.message }))).collect()
}

/// Of a room that this server is not in, one kind of event counts: an invite that its sender takes back.
async fn rescinded<H: Host>(
    gateway: &Gateway<H>,
    origin: &ServerName,
    room_id: &RoomId,
    events: &[Json],
) -> Result<Results, ApiError> {
    let mut results = Vec::new();
    for event in events {
        if let Some(event_id) = rescind(gateway, origin, room_id, event).await? {
            results.push((event_id, json!({})));
        }
    }
    Ok(results)
}

#[derive(Deserialize)]
struct Member {
    #[serde(rename = "type")]
    kind: String,
    state_key: String,
    content: MemberContent,
}

#[derive(Deserialize)]
struct MemberContent {
    membership: String,
}

/// The user whose membership the event ends, if it is one of this server.
fn ended<H: Host>(gateway: &Gateway<H>, event: &Json) -> Option<String> {
    let member: Member = serde_json::from_str(event.get()).ok()?;
    let ends =
        member.kind == "m.room.member" && ["leave", "ban"].contains(&member.content.membership.as_str());
    let (_, server) = member.state_key.split_once(':')?;
    (ends && server == gateway.server_name().as_str()).then_some(member.state_key)
}

async fn rescind<H: Host>(
    gateway: &Gateway<H>,
    origin: &ServerName,
    room_id: &RoomId,
    event: &Json,
) -> Result<Option<String>, ApiError> {
    let Some(user_id) = ended(gateway, event) else {
        return Ok(None);
    };
    let of = OutOfBandOf {
        room_id: room_id.as_str().to_owned(),
    };
    let invite = gateway.ask_user(&user_id, of).await?;
    let Some(version) = invite.and_then(|invite| invite.source.version.parse().ok()) else {
        return Ok(None);
    };
    let keys = gateway
        .workflows()
        .keys_of(std::slice::from_ref(event), version)
        .await;
    let received = ReceivedEvent::parse(event.get().as_bytes(), version);
    let Some(checked) = received.ok().and_then(|received| verified(received, &keys).ok()) else {
        return Ok(None);
    };
    let event = checked.event();
    if event.sender().domain() != origin.as_str() {
        return Ok(None);
    }
    match gateway
        .ask_user(&user_id, leave(room_id, event))
        .await
        .map_err(ApiError::from)
    {
        Err(error) if error.status.is_client_error() => Ok(None),
        done => done.map(|()| Some(event.event_id().as_str().to_owned())),
    }
}

/// What the user is told of an event that takes an invite back.
fn leave(room_id: &RoomId, event: &Event) -> OutOfBand {
    let ended = event.auth_events().iter().map(|id| id.as_str().to_owned());
    OutOfBand {
        room_id: room_id.as_str().to_owned(),
        membership: Membership::Leave,
        source: OutOfBandSource {
            sender: event.sender().as_str().to_owned(),
            event_id: event.event_id().as_str().to_owned(),
            version: event.room_version().as_str().to_owned(),
        },
        stripped_state: Vec::new(),
        rate_limited: false,
        ends: Some(ended.collect()),
    }
}
