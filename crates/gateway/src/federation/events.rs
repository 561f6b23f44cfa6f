//! Events for servers that are in their rooms. spec: `server-server-api §backfilling-and-retrieving-missing-events`,
//! `§retrieving-events`

use http::Method;
use selvage_event::{EventId, RoomId};
use selvage_protocol::destination::RoomsWith;
use selvage_protocol::federation::{Backfill, EventForServer, GetMissingEvents};
use selvage_protocol::{Json, destination_key, errcode, room_key};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::origin::Origin;
use crate::call::{Call, answer};
use crate::router::{Answer, BODY_MAX_BYTES, Routes};
use crate::{ApiError, Gateway, Host};

/// The most events of one request that something is asked about. An event has at most 20 predecessors.
const ASKED_ABOUT_MAX: usize = 100;
/// How many missing events are answered unless asked otherwise.
const MISSING_DEFAULT: u32 = 10;

pub(super) fn routes<H: Host>(routes: &mut Routes<H>) {
    let get = Method::GET;
    routes.at(
        get.clone(),
        "/_matrix/federation/v1/event/{event_id}",
        BODY_MAX_BYTES,
        event,
    );
    routes.at(
        get,
        "/_matrix/federation/v1/backfill/{room_id}",
        BODY_MAX_BYTES,
        backfill,
    );
    routes.at(
        Method::POST,
        "/_matrix/federation/v1/get_missing_events/{room_id}",
        BODY_MAX_BYTES,
        missing_events,
    );
}

/// Events as in a transaction.
#[derive(Serialize)]
struct Pdus<'a> {
    origin: &'a str,
    origin_server_ts: u64,
    pdus: Vec<Json>,
}

fn pdus<H: Host>(gateway: &Gateway<H>, pdus: Vec<Json>) -> Answer {
    answer(&Pdus {
        origin: gateway.server_name().as_str(),
        origin_server_ts: gateway.now().0,
        pdus,
    })
}

/// The event's room is not said. Servers ask for single events of rooms that they have just asked something else about, sent
/// something of, or were sent something of: those are looked into, and no others.
///
/// spec: `server-server-api §get_matrixfederationv1eventeventid`
async fn event<H: Host>(call: Call<H>) -> Answer {
    let origin = call.origin().await?;
    let event_id = call.event_id(0)?;
    let recent = call.gateway.origins().rooms_of(origin.name());
    if let Some(event) = event_in_one(&call.gateway, &origin, &recent, &event_id).await? {
        return pdus(&call.gateway, vec![event]);
    }
    let destination = destination_key(origin.as_str());
    let mut told = call.gateway.ask(destination, RoomsWith {}).await?;
    told.retain(|room_id| !recent.contains(room_id));
    if let Some(event) = event_in_one(&call.gateway, &origin, &told, &event_id).await? {
        return pdus(&call.gateway, vec![event]);
    }
    Err(ApiError::not_found("no such event that your server may have"))
}

async fn event_in_one<H: Host>(
    gateway: &Gateway<H>,
    origin: &Origin,
    rooms: &[String],
    event_id: &EventId,
) -> Result<Option<Json>, ApiError> {
    for room_id in rooms {
        if let Some(event) = event_in(gateway, origin, room_id, event_id).await? {
            return Ok(Some(event));
        }
    }
    Ok(None)
}

async fn event_in<H: Host>(
    gateway: &Gateway<H>,
    origin: &Origin,
    room_id: &str,
    event_id: &EventId,
) -> Result<Option<Json>, ApiError> {
    let ask = EventForServer {
        server: origin.to_owned(),
        event_id: event_id.as_str().to_owned(),
    };
    match gateway.ask(room_key(room_id), ask).await.map_err(ApiError::from) {
        Err(error) if error.is(errcode::NOT_FOUND) || error.is(errcode::FORBIDDEN) => Ok(None),
        other => other.map(Some),
    }
}

#[derive(Deserialize)]
struct BackfillQuery {
    #[serde(default)]
    v: Vec<String>,
    limit: Option<u32>,
}

/// spec: `server-server-api §get_matrixfederationv1backfillroomid`
async fn backfill<H: Host>(call: Call<H>) -> Answer {
    let origin = call.origin().await?;
    let (room_id, query): (RoomId, BackfillQuery) = (call.room_id(0)?, call.query()?);
    let limit = query
        .limit
        .ok_or_else(|| ApiError::missing_param("limit says how many events are wanted"))?;
    let ask = Backfill {
        server: origin.to_owned(),
        from: few(query.v)?,
        limit,
    };
    let events = call.gateway.ask(room_key(room_id.as_str()), ask).await?;
    call.gateway.origins().spoke_of(origin.name(), room_id.as_str());
    pdus(&call.gateway, events)
}

#[derive(Deserialize)]
struct MissingRequest {
    earliest_events: Vec<String>,
    latest_events: Vec<String>,
    limit: Option<u32>,
    min_depth: Option<i64>,
}

/// spec: `server-server-api §post_matrixfederationv1get_missing_eventsroomid`
async fn missing_events<H: Host>(call: Call<H>) -> Answer {
    let origin = call.origin().await?;
    let (room_id, request): (RoomId, MissingRequest) = (call.room_id(0)?, call.federation_json()?);
    let ask = GetMissingEvents {
        server: origin.to_owned(),
        earliest: few(request.earliest_events)?,
        latest: few(request.latest_events)?,
        limit: request.limit.unwrap_or(MISSING_DEFAULT),
        min_depth: request.min_depth.unwrap_or_default(),
    };
    let events = call.gateway.ask(room_key(room_id.as_str()), ask).await?;
    call.gateway.origins().spoke_of(origin.name(), room_id.as_str());
    answer(&json!({ "events": events }))
}

fn few(ids: Vec<String>) -> Result<Vec<String>, ApiError> {
    if ids.len() > ASKED_ABOUT_MAX {
        return Err(ApiError::invalid_param("too many events are asked about"));
    }
    Ok(ids)
}
