//! What clients keep at the server for themselves. spec: `client-server-api §client-config`

use http::StatusCode;
use ruma::api::client::config::{
    get_global_account_data, get_room_account_data, set_global_account_data, set_room_account_data,
};
use selvage_protocol::errcode;
use selvage_protocol::user::{GetAccountData, SetAccountData};

use super::push_rules;
use crate::call::{Call, answer, answer_empty};
use crate::router::{Answer, Routes};
use crate::{ApiError, Host, input};

/// The most bytes of one type of account data.
const CONTENT_MAX_BYTES: usize = 512 * 1024;
/// The longest type, in bytes.
const TYPE_MAX_BYTES: usize = 255;
/// The type that only the receipt endpoints set.
pub(super) const FULLY_READ: &str = "m.fully_read";

pub(super) fn routes<H: Host>(routes: &mut Routes<H>) {
    routes.on::<get_global_account_data::v3::Request, _>(get_global);
    routes.on_with_limit::<set_global_account_data::v3::Request, _>(CONTENT_MAX_BYTES, set_global);
    routes.on::<get_room_account_data::v3::Request, _>(get_of_room);
    routes.on_with_limit::<set_room_account_data::v3::Request, _>(CONTENT_MAX_BYTES, set_of_room);
}

/// spec: `client-server-api §get_matrixclientv3useruseridaccount_datatype`
async fn get_global<H: Host>(call: Call<H>) -> Answer {
    let kind = call.arg(1).to_owned();
    get(call, None, kind).await
}

/// spec: `client-server-api §put_matrixclientv3useruseridaccount_datatype`
async fn set_global<H: Host>(call: Call<H>) -> Answer {
    let kind = call.arg(1).to_owned();
    set(call, None, kind).await
}

/// spec: `client-server-api §get_matrixclientv3useruseridroomsroomidaccount_datatype`
async fn get_of_room<H: Host>(call: Call<H>) -> Answer {
    let (room_id, kind) = (call.room_id(1)?.into(), call.arg(2).to_owned());
    get(call, Some(room_id), kind).await
}

/// spec: `client-server-api §put_matrixclientv3useruseridroomsroomidaccount_datatype`
async fn set_of_room<H: Host>(call: Call<H>) -> Answer {
    let (room_id, kind) = (call.room_id(1)?.into(), call.arg(2).to_owned());
    set(call, Some(room_id), kind).await
}

async fn get<H: Host>(call: Call<H>, room_id: Option<String>, kind: String) -> Answer {
    let session = call.session_of_arg().await?;
    if room_id.is_none() && kind == push_rules::ACCOUNT_DATA {
        return answer(&push_rules::content(&session.user_id)?);
    }
    let content = call
        .gateway
        .ask_user(&session.user_id, GetAccountData { room_id, kind })
        .await?;
    answer(&content.ok_or_else(|| ApiError::not_found("there is no account data of this type"))?)
}

async fn set<H: Host>(call: Call<H>, room_id: Option<String>, kind: String) -> Answer {
    let session = call.session_of_arg().await?;
    check_type(&kind)?;
    let content = input::checked_object(&call.body)?;
    call.gateway
        .ask_user(
            &session.user_id,
            SetAccountData {
                room_id,
                kind,
                content,
                pos: None,
            },
        )
        .await?;
    answer_empty()
}

fn check_type(kind: &str) -> Result<(), ApiError> {
    if kind == FULLY_READ || kind == push_rules::ACCOUNT_DATA {
        let message = format!("{kind} is set through endpoints of its own");
        return Err(ApiError::with_status(
            StatusCode::METHOD_NOT_ALLOWED,
            errcode::BAD_JSON,
            message,
        ));
    }
    if kind.len() > TYPE_MAX_BYTES {
        return Err(ApiError::invalid_param("the type is too long"));
    }
    Ok(())
}
