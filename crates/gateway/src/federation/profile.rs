//! What other servers may ask about users and names here. spec: `server-server-api §querying-for-information`,
//! `§device-management`

use http::Method;
use selvage_event::UserId;
use selvage_protocol::user::GetProfile;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::call::{Call, answer, parse_user_id};
use crate::router::{Answer, BODY_MAX_BYTES, Routes};
use crate::{ApiError, Host};

pub(super) fn routes<H: Host>(routes: &mut Routes<H>) {
    let template = "/_matrix/federation/v1/query/profile";
    routes.at(Method::GET, template, BODY_MAX_BYTES, profile);
    let template = "/_matrix/federation/v1/query/directory";
    routes.at(Method::GET, template, BODY_MAX_BYTES, directory);
    let template = "/_matrix/federation/v1/user/devices/{user_id}";
    routes.at(Method::GET, template, BODY_MAX_BYTES, devices);
}

#[derive(Deserialize)]
struct ProfileQuery {
    user_id: String,
    field: Option<String>,
}

/// spec: `server-server-api §get_matrixfederationv1queryprofile`
async fn profile<H: Host>(call: Call<H>) -> Answer {
    let _origin = call.origin().await?;
    let query: ProfileQuery = call.query()?;
    let user_id = local(&call, &query.user_id)?;
    let profile = call.gateway.ask_user(user_id.as_str(), GetProfile {}).await?;
    let wanted = |field: &str| query.field.as_deref().is_none_or(|wanted| wanted == field);
    let mut shown = Map::new();
    for (field, value) in [
        ("displayname", profile.displayname),
        ("avatar_url", profile.avatar_url),
    ] {
        if let Some(value) = value.filter(|_| wanted(field)) {
            shown.insert(field.to_owned(), Value::from(value));
        }
    }
    answer(&shown)
}

/// A user of this server.
fn local<H: Host>(call: &Call<H>, user_id: &str) -> Result<UserId, ApiError> {
    let user_id = parse_user_id(user_id)?;
    if user_id.domain() == call.gateway.server_name().as_str() {
        return Ok(user_id);
    }
    Err(ApiError::not_found("that user is of another server"))
}

/// No room has an alias here.
///
/// spec: `server-server-api §get_matrixfederationv1querydirectory`
async fn directory<H: Host>(call: Call<H>) -> Answer {
    let _origin = call.origin().await?;
    Err(ApiError::not_found("this server has no room aliases yet"))
}

/// Devices are told of with their keys; those here have none.
///
/// spec: `server-server-api §get_matrixfederationv1userdevicesuserid`
async fn devices<H: Host>(call: Call<H>) -> Answer {
    let _origin = call.origin().await?;
    let user_id = local(&call, call.arg(0))?;
    call.gateway.ask_user(user_id.as_str(), GetProfile {}).await?;
    answer(&json!({ "user_id": user_id, "stream_id": 0, "devices": [] }))
}
