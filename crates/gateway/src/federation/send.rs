//! Signed membership events of users of other servers. spec: `server-server-api §joining-rooms`, `§leaving-rooms`,
//! `§knocking-upon-a-room`

use http::Method;
use selvage_event::{EventId, ReceivedEvent, RoomId};
use selvage_protocol::federation::{SendMembership, SendMembershipReply};
use selvage_protocol::user::Membership;
use selvage_protocol::{Json, room_key};
use serde_json::json;

use super::events_body::EventsBody;
use super::origin::Origin;
use super::{state, version_of};
use crate::call::{Call, answer};
use crate::client::restricted::{Standing, standing};
use crate::router::{Answer, Routes};
use crate::{ApiError, Gateway, Host};

/// The most bytes of a request that sends one event. Events have 64 KiB in canonical form.
const BODY_MAX_BYTES: usize = 256 * 1024;
/// The content of a join that names who lets in.
const AUTHORISED_VIA: &str = "join_authorised_via_users_server";

pub(super) fn routes<H: Host>(routes: &mut Routes<H>) {
    let template = "/_matrix/federation/v1/send_join/{room_id}/{event_id}";
    routes.at(Method::PUT, template, BODY_MAX_BYTES, send_join_v1);
    let template = "/_matrix/federation/v2/send_join/{room_id}/{event_id}";
    routes.at(Method::PUT, template, BODY_MAX_BYTES, send_join);
    let template = "/_matrix/federation/v1/send_leave/{room_id}/{event_id}";
    routes.at(Method::PUT, template, BODY_MAX_BYTES, send_leave_v1);
    let template = "/_matrix/federation/v2/send_leave/{room_id}/{event_id}";
    routes.at(Method::PUT, template, BODY_MAX_BYTES, send_leave);
    let template = "/_matrix/federation/v1/send_knock/{room_id}/{event_id}";
    routes.at(Method::PUT, template, BODY_MAX_BYTES, send_knock);
}

/// spec: `server-server-api §put_matrixfederationv2send_joinroomideventid`
async fn send_join<H: Host>(call: Call<H>) -> Answer {
    Ok(joined(&call).await?.into_body())
}

/// As version 2, wrapped in a list for servers of old (spec v1.17: server-server-api
/// §put_matrixfederationv1send_joinroomideventid).
async fn send_join_v1<H: Host>(call: Call<H>) -> Answer {
    Ok(joined(&call).await?.between("[200,", "]").into_body())
}

/// The state that the user joined, with all that authorises it.
async fn joined<H: Host>(call: &Call<H>) -> Result<EventsBody<H>, ApiError> {
    let sent = take(call, Membership::Join).await?;
    let (gateway, reply) = (&call.gateway, sent.reply);
    let before = state::state_before(gateway, &sent.origin, &sent.room_id, reply.event_id).await?;
    let origin = json!(gateway.server_name());
    let event = reply.event.get();
    Ok(EventsBody::new(gateway.clone(), sent.room_id)
        .text("{\"auth_chain\":[")
        .events(before.auth_chain)
        .text(format!(
            "],\"event\":{event},\"members_omitted\":false,\"origin\":{origin},\"state\":["
        ))
        .events(before.state)
        .text("]}"))
}

/// spec: `server-server-api §put_matrixfederationv2send_leaveroomideventid`
async fn send_leave<H: Host>(call: Call<H>) -> Answer {
    take(&call, Membership::Leave).await?;
    answer(&json!({}))
}

/// As version 2, wrapped in a list for servers of old (spec v1.17: server-server-api
/// §put_matrixfederationv1send_leaveroomideventid).
async fn send_leave_v1<H: Host>(call: Call<H>) -> Answer {
    take(&call, Membership::Leave).await?;
    answer(&json!([200, {}]))
}

/// spec: `server-server-api §put_matrixfederationv1send_knockroomideventid`
async fn send_knock<H: Host>(call: Call<H>) -> Answer {
    let sent = take(&call, Membership::Knock).await?;
    answer(&json!({ "knock_room_state": sent.reply.stripped_state }))
}

/// An event that was taken in.
struct Sent {
    origin: Origin,
    room_id: RoomId,
    reply: SendMembershipReply,
}

async fn take<H: Host>(call: &Call<H>, membership: Membership) -> Result<Sent, ApiError> {
    let origin = call.origin().await?;
    let (room_id, event_id) = (call.room_id(0)?, call.event_id(1)?);
    let version = version_of(&call.gateway, &room_id).await?;
    let event: Json = call.federation_json()?;
    let received = ReceivedEvent::parse(event.get().as_bytes(), version)
        .map_err(|error| ApiError::invalid_param(format!("the event: {error}")))?;
    check_names(&received, &room_id, &event_id)?;
    let keys = call
        .gateway
        .workflows()
        .keys_of(std::slice::from_ref(&event), version)
        .await;
    let is_in_allowed_room = is_let_in(&call.gateway, &room_id, &received).await?;
    let ask = SendMembership {
        server: origin.to_owned(),
        membership,
        event,
        keys,
        is_in_allowed_room,
    };
    let reply = call.gateway.ask(room_key(room_id.as_str()), ask).await?;
    call.gateway.origins().spoke_of(origin.name(), room_id.as_str());
    Ok(Sent {
        origin,
        room_id,
        reply,
    })
}

/// The path must name the event that is sent.
pub(super) fn check_names(
    received: &ReceivedEvent,
    room_id: &RoomId,
    event_id: &EventId,
) -> Result<(), ApiError> {
    if received.was_redacted() {
        return Err(ApiError::invalid_param("the event's content hash is wrong"));
    }
    if received.event().room_id() != room_id || received.event().event_id() != event_id {
        return Err(ApiError::invalid_param("the path names another room or event"));
    }
    Ok(())
}

/// Whether a join that names somebody here as who lets in is one of a member of the right rooms.
async fn is_let_in<H: Host>(
    gateway: &Gateway<H>,
    room_id: &RoomId,
    received: &ReceivedEvent,
) -> Result<bool, ApiError> {
    let event = received.event();
    if event.content_str(AUTHORISED_VIA).is_none() {
        return Ok(false);
    }
    Ok(standing(gateway, room_id, event.sender().as_str()).await? == Standing::Member)
}
