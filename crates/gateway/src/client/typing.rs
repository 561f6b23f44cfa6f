//! Who types. spec: `client-server-api §put_matrixclientv3roomsroomidtypinguserid`

use ruma::api::client::typing::create_typing_event;
use selvage_protocol::room::SetTyping;
use selvage_protocol::room_key;
use serde::Deserialize;

use crate::call::{Call, answer_empty};
use crate::router::{Answer, Routes};
use crate::{ApiError, Host};

/// How long somebody counts as typing unless they say, in milliseconds.
const TIMEOUT_DEFAULT_MS: u64 = 30_000;
/// How long somebody may count as typing without saying so again, in milliseconds.
const TIMEOUT_MAX_MS: u64 = 120_000;

pub(super) fn routes<H: Host>(routes: &mut Routes<H>) {
    routes.on::<create_typing_event::v3::Request, _>(set);
}

#[derive(Deserialize)]
struct Request {
    typing: bool,
    timeout: Option<u64>,
}

async fn set<H: Host>(call: Call<H>) -> Answer {
    let session = call.session().await?;
    let (room_id, request): (_, Request) = (call.room_id(0)?, call.json()?);
    if call.arg(1) != session.user_id {
        return Err(ApiError::forbidden("one types for oneself only"));
    }
    let timeout_ms = request.timeout.unwrap_or(TIMEOUT_DEFAULT_MS).min(TIMEOUT_MAX_MS);
    let command = SetTyping {
        user_id: session.user_id,
        timeout_ms: request.typing.then_some(timeout_ms),
    };
    call.gateway.ask(room_key(room_id.as_str()), command).await?;
    answer_empty()
}
