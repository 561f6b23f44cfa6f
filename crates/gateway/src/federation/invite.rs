//! Invites of users here by users of other servers. spec: `server-server-api §inviting-to-a-room`

use http::Method;
use selvage_event::{ReceivedEvent, RoomId, RoomVersion};
use selvage_protocol::{Json, errcode};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::invited::Invite;
use super::send::check_names;
use crate::call::{Call, answer};
use crate::router::{Answer, Routes};
use crate::{ApiError, Host};

/// The most bytes of a request: the invite, and what it shows of the room.
const BODY_MAX_BYTES: usize = 1024 * 1024;

pub(super) fn routes<H: Host>(routes: &mut Routes<H>) {
    let template = "/_matrix/federation/v1/invite/{room_id}/{event_id}";
    routes.at(Method::PUT, template, BODY_MAX_BYTES, invite_v1);
    let template = "/_matrix/federation/v2/invite/{room_id}/{event_id}";
    routes.at(Method::PUT, template, BODY_MAX_BYTES, invite);
}

#[derive(Deserialize)]
struct Request {
    room_version: String,
    event: Json,
    #[serde(default)]
    invite_room_state: Vec<Json>,
}

/// spec: `server-server-api §put_matrixfederationv2inviteroomideventid`
async fn invite<H: Host>(call: Call<H>) -> Answer {
    let origin = call.origin().await?;
    let Request {
        room_version,
        event,
        invite_room_state,
    } = call.federation_json()?;
    let version = room_version.parse().map_err(|_| incompatible(&room_version))?;
    let invite = read(&call, origin.as_str(), version, &event, invite_room_state)?;
    let signed = invite.accept(&call.gateway, origin.name()).await?;
    answer(&json!({ "event": signed }))
}

/// Of the first room versions only, whose servers do not say which version it is.
///
/// spec: `server-server-api §put_matrixfederationv1inviteroomideventid`
async fn invite_v1<H: Host>(call: Call<H>) -> Answer {
    #[derive(Default, Deserialize)]
    struct Unsigned {
        #[serde(default)]
        invite_room_state: Vec<Json>,
    }
    #[derive(Deserialize)]
    struct Shown {
        #[serde(default)]
        unsigned: Unsigned,
    }
    let origin = call.origin().await?;
    let (event, shown): (Box<RawValue>, Shown) = (call.federation_json()?, call.federation_json()?);
    let state = shown.unsigned.invite_room_state;
    let invite = read(&call, origin.as_str(), RoomVersion::V1, &event, state)?;
    let signed = invite.accept(&call.gateway, origin.name()).await?;
    answer(&json!([200, { "event": signed }]))
}

fn incompatible(version: &str) -> ApiError {
    let message = format!("this server does not know room version {version:?}");
    ApiError::new(errcode::INCOMPATIBLE_ROOM_VERSION, message).with("room_version", Value::from(version))
}

fn read<H: Host>(
    call: &Call<H>,
    origin: &str,
    version: RoomVersion,
    event: &RawValue,
    shown: Vec<Json>,
) -> Result<Invite, ApiError> {
    let (room_id, event_id): (RoomId, _) = (call.room_id(0)?, call.event_id(1)?);
    let received = ReceivedEvent::parse(event.get().as_bytes(), version)
        .map_err(|error| ApiError::invalid_param(format!("the invite: {error}")))?;
    check_names(&received, &room_id, &event_id)?;
    Invite::new(received, shown, origin, call.gateway.server_name())
}
