//! The state of rooms and what authorises it, for servers that are in them.
//! spec: `server-server-api §retrieving-events`

use http::Method;
use selvage_event::{EventId, RoomId};
use selvage_protocol::federation::{AuthChain, StateIds, StateIdsReply};
use selvage_protocol::room_key;
use serde::Deserialize;
use serde_json::json;

use super::events_body::EventsBody;
use super::origin::Origin;
use crate::call::{Call, answer};
use crate::router::{Answer, BODY_MAX_BYTES, Routes};
use crate::{ApiError, Gateway, Host};

pub(super) fn routes<H: Host>(routes: &mut Routes<H>) {
    let get = Method::GET;
    let state_template = "/_matrix/federation/v1/state/{room_id}";
    routes.at(get.clone(), state_template, BODY_MAX_BYTES, state);
    let ids_template = "/_matrix/federation/v1/state_ids/{room_id}";
    routes.at(get.clone(), ids_template, BODY_MAX_BYTES, state_ids);
    let auth_template = "/_matrix/federation/v1/event_auth/{room_id}/{event_id}";
    routes.at(get, auth_template, BODY_MAX_BYTES, event_auth);
}

#[derive(Deserialize)]
struct At {
    event_id: Option<String>,
}

/// spec: `server-server-api §get_matrixfederationv1stateroomid`
async fn state<H: Host>(call: Call<H>) -> Answer {
    let origin = call.origin().await?;
    let room_id = call.room_id(0)?;
    let ids = ids_at(&call, &origin, &room_id).await?;
    let body = EventsBody::new(call.gateway.clone(), room_id)
        .text("{\"auth_chain\":[")
        .events(ids.auth_chain)
        .text("],\"pdus\":[")
        .events(ids.state)
        .text("]}");
    Ok(body.into_body())
}

/// spec: `server-server-api §get_matrixfederationv1state_idsroomid`
async fn state_ids<H: Host>(call: Call<H>) -> Answer {
    let origin = call.origin().await?;
    let room_id = call.room_id(0)?;
    let ids = ids_at(&call, &origin, &room_id).await?;
    answer(&json!({ "auth_chain_ids": ids.auth_chain, "pdu_ids": ids.state }))
}

async fn ids_at<H: Host>(
    call: &Call<H>,
    origin: &Origin,
    room_id: &RoomId,
) -> Result<StateIdsReply, ApiError> {
    let at: At = call.query()?;
    let event_id = at
        .event_id
        .ok_or_else(|| ApiError::missing_param("event_id says where the state is wanted"))?;
    call.gateway.origins().spoke_of(origin.name(), room_id.as_str());
    state_before(&call.gateway, origin, room_id, event_id).await
}

/// The state before an event and its auth chain, as ids, for a server in the room.
pub(super) async fn state_before<H: Host>(
    gateway: &Gateway<H>,
    origin: &Origin,
    room_id: &RoomId,
    event_id: String,
) -> Result<StateIdsReply, ApiError> {
    let ask = StateIds {
        server: origin.to_owned(),
        event_id,
    };
    Ok(gateway.ask(room_key(room_id.as_str()), ask).await?)
}

/// spec: `server-server-api §get_matrixfederationv1event_authroomideventid`
async fn event_auth<H: Host>(call: Call<H>) -> Answer {
    let origin = call.origin().await?;
    let (room_id, event_id): (RoomId, EventId) = (call.room_id(0)?, call.event_id(1)?);
    let ask = AuthChain {
        server: origin.to_owned(),
        event_id: event_id.into(),
    };
    let chain = call.gateway.ask(room_key(room_id.as_str()), ask).await?;
    call.gateway.origins().spoke_of(origin.name(), room_id.as_str());
    let body = EventsBody::new(call.gateway.clone(), room_id)
        .text("{\"auth_chain\":[")
        .events(chain)
        .text("]}");
    Ok(body.into_body())
}
