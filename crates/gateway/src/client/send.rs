//! Sending events. spec: `client-server-api §sending-events-to-a-room`

use ruma::api::client::{message::send_message_event, redact::redact_event};
use selvage_protocol::room::Send;
use selvage_protocol::user::{Bucket, Session};
use selvage_protocol::{Json, room_key};
use serde::Deserialize;
use serde_json::{Map, Value, value::to_raw_value};

use crate::call::{Call, answer};
use crate::router::{Answer, Routes};
use crate::{ApiError, Host};

/// The most bytes of a body that is an event's content. The largest event is a quarter of that; clients that write all
/// letters beyond ASCII as `\u…` need three times the bytes.
pub(super) const CONTENT_MAX_BYTES: usize = 256 * 1024;
/// The longest transaction id, in bytes.
const TXN_ID_MAX_BYTES: usize = 255;

pub(super) fn routes<H: Host>(routes: &mut Routes<H>) {
    routes.on_with_limit::<send_message_event::v3::Request, _>(CONTENT_MAX_BYTES, send);
    routes.on::<redact_event::v3::Request, _>(redact);
}

/// Parameters of unfinished parts of the spec which, when ignored, would make the server do something else than asked.
#[derive(Deserialize)]
pub(super) struct Unsupported {
    #[serde(rename = "org.matrix.msc4140.delay")]
    delay: Option<String>,
    #[serde(rename = "org.matrix.msc4354.sticky_duration_ms")]
    sticky: Option<String>,
}

impl Unsupported {
    /// Refuses them.
    pub(super) fn refuse(&self) -> Result<(), ApiError> {
        if self.delay.is_some() || self.sticky.is_some() {
            return Err(ApiError::invalid_param(
                "this server has neither delayed nor sticky events",
            ));
        }
        Ok(())
    }
}

/// spec: `client-server-api §put_matrixclientv3roomsroomidsendeventtypetxnid`
async fn send<H: Host>(call: Call<H>) -> Answer {
    call.query::<Unsupported>()?.refuse()?;
    let session = call.counted_session(Bucket::Send).await?;
    send_as(&call, session, call.arg(1).to_owned(), call.raw_object()?).await
}

/// spec: `client-server-api §put_matrixclientv3roomsroomidredacteventidtxnid`
async fn redact<H: Host>(call: Call<H>) -> Answer {
    #[derive(Deserialize)]
    struct Request {
        reason: Option<String>,
    }
    let session = call.counted_session(Bucket::Send).await?;
    let request: Request = call.json()?;
    let mut content = Map::from_iter([("redacts".to_owned(), Value::from(call.event_id(1)?.as_str()))]);
    content.extend(
        request
            .reason
            .map(|reason| ("reason".to_owned(), Value::from(reason))),
    );
    let content = to_raw_value(&content).map_err(ApiError::internal)?;
    send_as(&call, session, "m.room.redaction".to_owned(), content).await
}

/// Sends an event under the transaction id at the end of the path.
async fn send_as<H: Host>(call: &Call<H>, session: Session, kind: String, content: Json) -> Answer {
    let (room_id, txn_id) = (call.room_id(0)?, call.arg(2));
    if txn_id.len() > TXN_ID_MAX_BYTES {
        return Err(ApiError::invalid_param("the transaction id is too long"));
    }
    let command = Send {
        sender: session.user_id,
        device_id: session.device_id,
        txn_id: Some(txn_id.to_owned()),
        kind,
        state_key: None,
        content,
        origin_server_ts: None,
    };
    answer(&call.gateway.ask(room_key(room_id.as_str()), command).await?)
}
