//! The state of a room. spec: `client-server-api §getting-events-for-a-room`

use http::Method;
use ruma::api::client::state::{get_state_event_for_key, get_state_events, send_state_event};
use selvage_protocol::room::{GetState, GetStateEvent, Send};
use selvage_protocol::user::{Bucket, Session};
use selvage_protocol::{Json, errcode, room_key};
use serde::Deserialize;

use super::membership::invitee;
use super::send::{CONTENT_MAX_BYTES, Unsupported};
use crate::auth::viewer;
use crate::call::{Call, answer, parse_user_id};
use crate::router::{Answer, Routes};
use crate::{ApiError, Gateway, Host, input};

/// Forms of the paths in which an empty state key is left out.
const WITHOUT_KEY: [&str; 4] = [
    "/_matrix/client/r0/rooms/{room_id}/state/{event_type}",
    "/_matrix/client/r0/rooms/{room_id}/state/{event_type}/",
    "/_matrix/client/v3/rooms/{room_id}/state/{event_type}",
    "/_matrix/client/v3/rooms/{room_id}/state/{event_type}/",
];

pub(super) fn routes<H: Host>(routes: &mut Routes<H>) {
    routes.on::<get_state_events::v3::Request, _>(all);
    routes.on::<get_state_event_for_key::v3::Request, _>(get);
    routes.on_with_limit::<send_state_event::v3::Request, _>(CONTENT_MAX_BYTES, put);
    for path in WITHOUT_KEY {
        routes.at(Method::GET, path, CONTENT_MAX_BYTES, get);
        routes.at(Method::PUT, path, CONTENT_MAX_BYTES, put);
    }
}

/// spec: `client-server-api §get_matrixclientv3roomsroomidstate`
async fn all<H: Host>(call: Call<H>) -> Answer {
    let session = call.session().await?;
    let command = GetState {
        viewer: viewer(&session),
    };
    answer(
        &call
            .gateway
            .ask(room_key(call.room_id(0)?.as_str()), command)
            .await?,
    )
}

/// spec: `client-server-api §get_matrixclientv3roomsroomidstateeventtypestatekey`
async fn get<H: Host>(call: Call<H>) -> Answer {
    #[derive(Deserialize)]
    struct Query {
        format: Option<String>,
    }
    #[derive(Deserialize)]
    struct Event {
        content: Json,
    }
    let session = call.session().await?;
    let query: Query = call.query()?;
    let (kind, state_key) = (call.arg(1).to_owned(), call.arg(2).to_owned());
    let command = GetStateEvent {
        viewer: viewer(&session),
        kind,
        state_key,
    };
    let event = call
        .gateway
        .ask(room_key(call.room_id(0)?.as_str()), command)
        .await?;
    match query.format.as_deref() {
        None | Some("content") => {
            let event: Event = serde_json::from_str(event.get()).map_err(ApiError::internal)?;
            answer(&event.content)
        }
        Some("event") => answer(&event),
        Some(_) => Err(ApiError::invalid_param("format is neither content nor event")),
    }
}

/// spec: `client-server-api §put_matrixclientv3roomsroomidstateeventtypestatekey`
async fn put<H: Host>(call: Call<H>) -> Answer {
    call.query::<Unsupported>()?.refuse()?;
    let (kind, state_key) = (call.arg(1), call.arg(2));
    let bucket = if kind == "m.room.member" {
        Bucket::Membership
    } else {
        Bucket::Send
    };
    let session = call.counted_session(bucket).await?;
    let (room_id, content) = (call.room_id(0)?, call.raw_object()?);
    if kind == "m.room.member" {
        check_member(&call.gateway, &session, state_key, &call.body).await?;
    }
    let command = Send {
        sender: session.user_id,
        device_id: session.device_id,
        txn_id: None,
        kind: kind.to_owned(),
        state_key: Some(state_key.to_owned()),
        content,
        origin_server_ts: None,
    };
    answer(&call.gateway.ask(room_key(room_id.as_str()), command).await?)
}

/// A membership that is set as state meets what the membership endpoints ask of it; the rest is the room's to judge.
async fn check_member<H: Host>(
    gateway: &Gateway<H>,
    session: &Session,
    state_key: &str,
    body: &[u8],
) -> Result<(), ApiError> {
    #[derive(Deserialize)]
    struct Content {
        membership: String,
    }
    let target = parse_user_id(state_key)?;
    let Content { membership } = input::json(body)?;
    if !["join", "invite", "leave", "ban", "knock"].contains(&membership.as_str()) {
        return Err(ApiError::new(errcode::BAD_JSON, "there is no such membership"));
    }
    if membership == "invite" && target.as_str() != session.user_id {
        invitee(gateway, &target).await?;
    }
    Ok(())
}
