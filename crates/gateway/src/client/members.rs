//! Who is in a room. spec: `client-server-api §get_matrixclientv3roomsroomidmembers`

use std::collections::BTreeMap;

use ruma::api::client::membership::{get_member_events, joined_members};
use selvage_protocol::room::Members;
use selvage_protocol::user::Membership;
use selvage_protocol::{Json, room_key};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::position;
use crate::auth::viewer;
use crate::call::{Call, answer};
use crate::router::{Answer, Routes};
use crate::{ApiError, Host};

pub(super) fn routes<H: Host>(routes: &mut Routes<H>) {
    routes.on::<get_member_events::v3::Request, _>(members);
    routes.on::<joined_members::v3::Request, _>(joined);
}

#[derive(Deserialize)]
struct Query {
    at: Option<String>,
    membership: Option<String>,
    not_membership: Option<String>,
}

async fn members<H: Host>(call: Call<H>) -> Answer {
    let session = call.session().await?;
    let (room_id, query): (_, Query) = (call.room_id(0)?, call.query()?);
    let command = Members {
        viewer: viewer(&session),
        at: position::resolve(&call.gateway, &session, &room_id, query.at.as_deref()).await?,
        membership: query.membership.as_deref().map(membership).transpose()?,
        not_membership: query.not_membership.as_deref().map(membership).transpose()?,
    };
    let chunk = call.gateway.ask(room_key(room_id.as_str()), command).await?;
    answer(&json!({ "chunk": chunk }))
}

fn membership(name: &str) -> Result<Membership, ApiError> {
    Membership::from_name(name).ok_or_else(|| ApiError::invalid_param("there is no such membership"))
}

/// What is shown of a member.
#[derive(Serialize)]
struct Shown {
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    avatar_url: Option<String>,
}

/// spec: `client-server-api §get_matrixclientv3roomsroomidjoined_members`
async fn joined<H: Host>(call: Call<H>) -> Answer {
    let session = call.session().await?;
    let (viewer, membership) = (viewer(&session), Some(Membership::Join));
    let command = Members {
        viewer,
        at: None,
        membership,
        not_membership: None,
    };
    let members = call
        .gateway
        .ask(room_key(call.room_id(0)?.as_str()), command)
        .await?;
    let joined: BTreeMap<String, Shown> = members.iter().filter_map(shown).collect();
    if !joined.contains_key(&session.user_id) {
        return Err(ApiError::forbidden("you are not in this room"));
    }
    answer(&json!({ "joined": joined }))
}

fn shown(event: &Json) -> Option<(String, Shown)> {
    #[derive(Deserialize)]
    struct Event {
        state_key: String,
        content: serde_json::Map<String, serde_json::Value>,
    }
    let Event { state_key, content } = serde_json::from_str(event.get()).ok()?;
    let text = |name: &str| {
        content
            .get(name)
            .and_then(|value| value.as_str())
            .map(str::to_owned)
    };
    Some((
        state_key,
        Shown {
            display_name: text("displayname"),
            avatar_url: text("avatar_url"),
        },
    ))
}
