//! Membership events for users of other servers to sign. spec: `server-server-api §joining-rooms`, `§leaving-rooms`,
//! `§knocking-upon-a-room`

use http::Method;
use selvage_event::{RoomId, UserId};
use selvage_protocol::federation::{MakeMembership, MakeMembershipReply};
use selvage_protocol::user::Membership;
use selvage_protocol::{errcode, room_key};
use serde::Deserialize;
use serde_json::{Value, json};

use super::version_of;
use crate::call::{Call, answer};
use crate::client::restricted::{Standing, standing};
use crate::router::{Answer, BODY_MAX_BYTES, Routes};
use crate::{ApiError, Gateway, Host};

pub(super) fn routes<H: Host>(routes: &mut Routes<H>) {
    let join_template = "/_matrix/federation/v1/make_join/{room_id}/{user_id}";
    routes.at(Method::GET, join_template, BODY_MAX_BYTES, make_join);
    let leave_template = "/_matrix/federation/v1/make_leave/{room_id}/{user_id}";
    routes.at(Method::GET, leave_template, BODY_MAX_BYTES, make_leave);
    let knock_template = "/_matrix/federation/v1/make_knock/{room_id}/{user_id}";
    routes.at(Method::GET, knock_template, BODY_MAX_BYTES, make_knock);
}

#[derive(Deserialize)]
struct Versions {
    #[serde(default)]
    ver: Vec<String>,
}

/// spec: `server-server-api §get_matrixfederationv1make_joinroomiduserid`
async fn make_join<H: Host>(call: Call<H>) -> Answer {
    let mut supported = call.query::<Versions>()?.ver;
    if supported.is_empty() {
        supported.push("1".to_owned());
    }
    made(&make(&call, Membership::Join, supported).await?)
}

/// A server that is in the room, or was invited to it, knows its version.
///
/// spec: `server-server-api §get_matrixfederationv1make_leaveroomiduserid`
async fn make_leave<H: Host>(call: Call<H>) -> Answer {
    let all = selvage_event::RoomVersion::ALL.iter();
    let all = all.map(|version| version.as_str().to_owned()).collect();
    made(&make(&call, Membership::Leave, all).await?)
}

/// spec: `server-server-api §get_matrixfederationv1make_knockroomiduserid`
async fn make_knock<H: Host>(call: Call<H>) -> Answer {
    let supported = call.query::<Versions>()?.ver;
    made(&make(&call, Membership::Knock, supported).await?)
}

fn made(reply: &MakeMembershipReply) -> Answer {
    answer(&json!({ "room_version": reply.version, "event": reply.event }))
}

async fn make<H: Host>(
    call: &Call<H>,
    membership: Membership,
    versions: Vec<String>,
) -> Result<MakeMembershipReply, ApiError> {
    let origin = call.origin().await?;
    let (room_id, user_id): (RoomId, UserId) = (call.room_id(0)?, call.user_id(1)?);
    let ask = MakeMembership {
        server: origin.to_owned(),
        user_id: user_id.into(),
        membership,
        versions,
        is_in_allowed_room: false,
    };
    match let_in(&call.gateway, &room_id, ask).await {
        Err(error) if error.is(errcode::INCOMPATIBLE_ROOM_VERSION) => {
            let version = version_of(&call.gateway, &room_id).await?;
            Err(error.with("room_version", Value::from(version.as_str())))
        }
        other => other,
    }
}

/// Asks the room, if need be for a member of another room that it lets in from.
async fn let_in<H: Host>(
    gateway: &Gateway<H>,
    room_id: &RoomId,
    mut ask: MakeMembership,
) -> Result<MakeMembershipReply, ApiError> {
    let room = room_key(room_id.as_str());
    let refused = match gateway
        .ask(room.clone(), ask.clone())
        .await
        .map_err(ApiError::from)
    {
        Err(error) if error.is(errcode::FORBIDDEN) && ask.membership == Membership::Join => error,
        done => return done,
    };
    match standing(gateway, room_id, &ask.user_id).await? {
        Standing::Member => {
            ask.is_in_allowed_room = true;
            Ok(gateway.ask(room, ask).await?)
        }
        Standing::Unknown => Err(ApiError::new(
            errcode::UNABLE_TO_AUTHORISE_JOIN,
            "this server is not in the rooms whose members may join",
        )),
        Standing::Stranger => Err(refused),
    }
}
