//! Reading a room's timeline. spec: `client-server-api §get_matrixclientv3roomsroomidmessages`

use ruma::api::client::{message::get_message_events, room::get_room_event};
use selvage_protocol::room::{GetEvent, Messages};
use selvage_protocol::{Json, room_key};
use serde::{Deserialize, Serialize};

use super::filter::RoomEventFilter;
use super::position::{self, room_token};
use crate::auth::viewer;
use crate::call::{Call, answer};
use crate::router::{Answer, Routes};
use crate::{ApiError, Host, input};

/// The events of a page unless asked otherwise.
const LIMIT_DEFAULT: u32 = 10;
/// The most events of a page.
const LIMIT_MAX: u32 = 500;

pub(super) fn routes<H: Host>(routes: &mut Routes<H>) {
    routes.on::<get_message_events::v3::Request, _>(messages);
    routes.on::<get_room_event::v3::Request, _>(event);
}

#[derive(Deserialize)]
struct Query {
    from: Option<String>,
    to: Option<String>,
    dir: String,
    limit: Option<u32>,
    filter: Option<String>,
}

#[derive(Serialize)]
struct Page {
    start: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<String>,
    chunk: Vec<Json>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    state: Vec<Json>,
}

/// A page. Where it comes to events that only other servers have, those are fetched first; what cannot be had is left out.
async fn messages<H: Host>(call: Call<H>) -> Answer {
    let session = call.session().await?;
    let (room_id, query): (_, Query) = (call.room_id(0)?, call.query()?);
    let filter: RoomEventFilter = match &query.filter {
        Some(filter) => input::json(filter.as_bytes())?,
        None => RoomEventFilter::default(),
    };
    let gateway = &call.gateway;
    let command = Messages {
        viewer: viewer(&session),
        from: position::resolve(gateway, &session, &room_id, query.from.as_deref()).await?,
        to: position::resolve(gateway, &session, &room_id, query.to.as_deref()).await?,
        backwards: backwards(&query.dir)?,
        limit: query
            .limit
            .or_else(|| filter.limit())
            .unwrap_or(LIMIT_DEFAULT)
            .min(LIMIT_MAX),
        lazy_load_members: filter.lazy_load_members,
        filter: filter.into_events_of(room_id.as_str()),
    };
    let room = room_key(room_id.as_str());
    let mut page = gateway.ask(room.clone(), command.clone()).await?;
    if let Some(gap) = page.gap
        && gateway.workflows().backfill(&room_id, gap).await?
    {
        page = gateway.ask(room, command).await?;
    }
    let end = page.end.map(room_token);
    answer(&Page {
        start: room_token(page.start),
        end,
        chunk: page.chunk,
        state: page.state,
    })
}

fn backwards(dir: &str) -> Result<bool, ApiError> {
    match dir {
        "b" => Ok(true),
        "f" => Ok(false),
        _ => Err(ApiError::invalid_param("dir is neither b nor f")),
    }
}

/// spec: `client-server-api §get_matrixclientv3roomsroomideventeventid`
async fn event<H: Host>(call: Call<H>) -> Answer {
    let session = call.session().await?;
    let (room_id, event_id) = (call.room_id(0)?, call.event_id(1)?);
    let command = GetEvent {
        viewer: viewer(&session),
        event_id: event_id.into(),
    };
    let found = call.gateway.ask(room_key(room_id.as_str()), command).await?;
    answer(&found.event)
}
