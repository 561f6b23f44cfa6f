//! How far users have read. spec: `client-server-api §receipts`, `§fully-read-markers`

use ruma::api::client::{read_marker::set_read_marker, receipt::create_receipt};
use selvage_event::{EventId, RoomId};
use selvage_protocol::room::{GetEvent, SetReceipt};
use selvage_protocol::room_key;
use selvage_protocol::user::{Session, SetAccountData};
use serde::Deserialize;
use serde_json::{json, value::to_raw_value};

use super::account_data::FULLY_READ;
use crate::auth::viewer;
use crate::call::{Call, answer_empty};
use crate::router::{Answer, Routes};
use crate::{ApiError, Gateway, Host};

const READ: &str = "m.read";
const READ_PRIVATE: &str = "m.read.private";
/// The longest id of a thread, in bytes: that of an event id.
const THREAD_ID_MAX_BYTES: usize = 255;

pub(super) fn routes<H: Host>(routes: &mut Routes<H>) {
    routes.on::<create_receipt::v3::Request, _>(receipt);
    routes.on::<set_read_marker::v3::Request, _>(markers);
}

/// One receipt to be set.
struct Wanted {
    kind: String,
    event_id: EventId,
    thread_id: Option<String>,
}

/// spec: `client-server-api §post_matrixclientv3roomsroomidreceiptreceipttypeeventid`
async fn receipt<H: Host>(call: Call<H>) -> Answer {
    #[derive(Deserialize)]
    struct Request {
        thread_id: Option<String>,
    }
    let session = call.session().await?;
    let Request { thread_id } = call.json()?;
    if thread_id
        .as_ref()
        .is_some_and(|id| id.is_empty() || id.len() > THREAD_ID_MAX_BYTES)
    {
        return Err(ApiError::invalid_param("thread_id is no thread"));
    }
    let wanted = Wanted {
        kind: call.arg(1).to_owned(),
        event_id: call.event_id(2)?,
        thread_id,
    };
    set(&call.gateway, &session, &call.room_id(0)?, wanted).await?;
    answer_empty()
}

/// spec: `client-server-api §post_matrixclientv3roomsroomidread_markers`
async fn markers<H: Host>(call: Call<H>) -> Answer {
    #[derive(Deserialize)]
    struct Request {
        #[serde(rename = "m.fully_read")]
        fully_read: Option<String>,
        #[serde(rename = "m.read")]
        read: Option<String>,
        #[serde(rename = "m.read.private")]
        read_private: Option<String>,
    }
    let session = call.session().await?;
    let (room_id, request): (_, Request) = (call.room_id(0)?, call.json()?);
    let markers = [
        (READ, request.read),
        (READ_PRIVATE, request.read_private),
        (FULLY_READ, request.fully_read),
    ];
    for (kind, event_id) in markers {
        let Some(event_id) = event_id else { continue };
        let event_id =
            EventId::parse(&event_id).map_err(|error| ApiError::invalid_param(format!("{kind}: {error}")))?;
        set(
            &call.gateway,
            &session,
            &room_id,
            Wanted {
                kind: kind.to_owned(),
                event_id,
                thread_id: None,
            },
        )
        .await?;
    }
    answer_empty()
}

async fn set<H: Host>(
    gateway: &Gateway<H>,
    session: &Session,
    room_id: &RoomId,
    wanted: Wanted,
) -> Result<(), ApiError> {
    let Wanted {
        kind,
        event_id,
        thread_id,
    } = wanted;
    match kind.as_str() {
        READ | READ_PRIVATE => {
            let (user_id, event_id) = (session.user_id.clone(), event_id.into());
            let command = SetReceipt {
                user_id,
                kind,
                event_id,
                thread_id,
            };
            Ok(gateway.ask(room_key(room_id.as_str()), command).await?)
        }
        FULLY_READ if thread_id.is_none() => set_fully_read(gateway, session, room_id, &event_id).await,
        FULLY_READ => Err(ApiError::invalid_param("m.fully_read is of no thread")),
        _ => Err(ApiError::invalid_param("there is no such type of receipt")),
    }
}

/// Moves the marker, unless it stands further on. The room knows where the event stands, the user where the marker does.
async fn set_fully_read<H: Host>(
    gateway: &Gateway<H>,
    session: &Session,
    room_id: &RoomId,
    event_id: &EventId,
) -> Result<(), ApiError> {
    let event = GetEvent {
        viewer: viewer(session),
        event_id: event_id.to_string(),
    };
    let pos = gateway.ask(room_key(room_id.as_str()), event).await?.pos;
    let content = to_raw_value(&json!({ "event_id": event_id })).map_err(ApiError::internal)?;
    let command = SetAccountData {
        room_id: Some(room_id.to_string()),
        kind: FULLY_READ.to_owned(),
        content,
        pos: Some(pos),
    };
    Ok(gateway.ask_user(&session.user_id, command).await?)
}
