//! Making a room. spec: `client-server-api §creation`

mod events;
mod power_levels;
mod request;
mod upgrade;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use ruma::api::client::room::{create_room, upgrade_room};
use selvage_event::{RoomId, RoomVersion, Template, UserId};
use selvage_protocol::elsewhere::MakeInvite;
use selvage_protocol::room::Create;
use selvage_protocol::user::{Bucket, Profile};
use selvage_protocol::{errcode, room_key};
use serde_json::json;
use serde_json::value::RawValue;

use self::request::Request;
use super::membership::invitee;
use super::remote_rooms;
use crate::call::{Call, answer, parse_user_id};
use crate::router::{Answer, Routes};
use crate::{ApiError, Gateway, Host};

/// The most bytes of a request: it has the whole first state in it.
const BODY_MAX_BYTES: usize = 1024 * 1024;
/// The most users who can be invited at once.
const INVITES_MAX: usize = 100;
/// How many profiles of invited users are asked for at once.
const PROFILES_AT_ONCE: usize = 16;

pub(super) fn routes<H: Host>(routes: &mut Routes<H>) {
    routes.on_with_limit::<create_room::v3::Request, _>(BODY_MAX_BYTES, create);
    routes.on::<upgrade_room::v3::Request, _>(upgrade::upgrade);
}

/// A user who is invited, with the profile that goes into the invite.
struct Invitee {
    user: UserId,
    profile: Profile,
    /// Whether the user is of this server, so that the invite is made with the room; others' servers sign theirs first.
    is_local: bool,
}

/// spec: `client-server-api §post_matrixclientv3createroom`
async fn create<H: Host>(call: Call<H>) -> Answer {
    let session = call.counted_session(Bucket::Membership).await?;
    let gateway = &call.gateway;
    let request: Request = call.json()?;
    request.check()?;
    let version = request.version(gateway.settings().default_room_version)?;
    let creator = parse_user_id(&session.user_id)?;
    let invitees = invitees(gateway, &creator, &request.invite).await?;
    let template = create_event(gateway, version, &creator, &request, &invitees)?;
    let create = template.build(version, gateway.server_name(), gateway.signing_key())?;
    let command = Create {
        version: version.to_string(),
        create: RawValue::from_string(create.event().json().to_owned()).map_err(ApiError::internal)?,
        profile: session.profile.clone(),
        state: events::after_join(&request, version, &creator, &invitees)?,
    };
    let room_id = create.event().room_id();
    let made = gateway.ask(room_key(room_id.as_str()), command).await;
    made.map_err(|error| as_creation_error(error.into()))?;
    invite_others(gateway, room_id, &session.user_id, (&invitees, request.is_direct)).await;
    answer(&json!({ "room_id": room_id }))
}

/// Invites those who are of other servers. The room is there whatever comes of it, and shows who is invited and who is not.
async fn invite_others<H: Host>(
    gateway: &Gateway<H>,
    room_id: &RoomId,
    creator: &str,
    (invitees, is_direct): (&[Invitee], bool),
) {
    for invitee in invitees.iter().filter(|invitee| !invitee.is_local) {
        let user = &invitee.user;
        let invite = MakeInvite {
            sender: creator.to_owned(),
            target: user.as_str().to_owned(),
            reason: None,
            profile: invitee.profile.clone(),
            is_direct,
        };
        if let Err(error) = remote_rooms::invite(gateway, room_id, user, invite).await {
            tracing::info!(room = %room_id, %user, %error, "an invite did not reach the user's server");
        }
    }
}

/// The state that was asked for contradicts the rules that it would set, which is no lack of permission.
fn as_creation_error(error: ApiError) -> ApiError {
    if error.is(errcode::FORBIDDEN) {
        return ApiError::new(errcode::INVALID_ROOM_STATE, error.message);
    }
    error
}

/// Who is invited, each once; creators are in the room anyway.
async fn invitees<H: Host>(
    gateway: &Gateway<H>,
    creator: &UserId,
    named: &[String],
) -> Result<Vec<Invitee>, ApiError> {
    if named.len() > INVITES_MAX {
        return Err(ApiError::invalid_param(format!(
            "more than {INVITES_MAX} invited users"
        )));
    }
    let mut users: Vec<UserId> = Vec::new();
    for name in named {
        let user = UserId::parse(name).map_err(|error| ApiError::bad_json(format!("invite: {error}")))?;
        if user != *creator && !users.contains(&user) {
            users.push(user);
        }
    }
    let ask = |user: UserId| async move {
        let profile = invitee(gateway, &user).await?;
        let is_local = user.domain() == gateway.server_name().as_str();
        Ok(Invitee {
            user,
            profile,
            is_local,
        })
    };
    stream::iter(users.into_iter().map(ask))
        .buffered(PROFILES_AT_ONCE)
        .try_collect()
        .await
}

fn create_event<H: Host>(
    gateway: &Gateway<H>,
    version: RoomVersion,
    creator: &UserId,
    request: &Request,
    invitees: &[Invitee],
) -> Result<Template, ApiError> {
    let invited = invitees.iter().map(|invitee| invitee.user.as_str());
    let origin_server_ts = i64::try_from(gateway.now().0).map_err(ApiError::internal)?;
    events::create(
        request,
        version,
        creator,
        invited,
        events::Fresh {
            random: gateway.host().random(),
            origin_server_ts,
            server: gateway.server_name(),
        },
    )
}
