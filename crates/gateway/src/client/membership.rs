//! Entering and leaving rooms. spec: `client-server-api §room-membership`

use ruma::api::client::knock::knock_room;
use ruma::api::client::membership::{
    ban_user, forget_room, invite_user, join_room_by_id, join_room_by_id_or_alias, joined_rooms, kick_user,
    leave_room, unban_user,
};
use selvage_event::{RoomId, UserId};
use selvage_protocol::elsewhere::MakeInvite;
use selvage_protocol::room::{ChangeMembership, MembershipAction};
use selvage_protocol::user::{Bucket, Forget, GetProfile, JoinedRooms, Profile, Session};
use selvage_protocol::{errcode, room_key};
use serde::Deserialize;
use serde_json::json;

use super::{remote_rooms, restricted};
use crate::call::{Call, answer, answer_empty};
use crate::router::{Answer, Routes};
use crate::{ApiError, Gateway, Host};

pub(super) fn routes<H: Host>(routes: &mut Routes<H>) {
    routes.on::<join_room_by_id::v3::Request, _>(join);
    routes.on::<join_room_by_id_or_alias::v3::Request, _>(join);
    routes.on::<knock_room::v3::Request, _>(knock);
    routes.on::<leave_room::v3::Request, _>(leave);
    routes.on::<invite_user::v3::Request, _>(invite);
    routes.on::<kick_user::v3::Request, _>(kick);
    routes.on::<ban_user::v3::Request, _>(ban);
    routes.on::<unban_user::v3::Request, _>(unban);
    routes.on::<forget_room::v3::Request, _>(forget);
    routes.on::<joined_rooms::v3::Request, _>(joined);
}

#[derive(Deserialize)]
struct Own {
    reason: Option<String>,
}

#[derive(Deserialize)]
struct Others {
    user_id: String,
    reason: Option<String>,
}

/// spec: `client-server-api §post_matrixclientv3roomsroomidjoin`, `§post_matrixclientv3joinroomidoralias`
async fn join<H: Host>(call: Call<H>) -> Answer {
    let session = call.counted_session(Bucket::Membership).await?;
    let request: Own = call.json()?;
    let (room_id, via) = remote_rooms::named(&call).await?;
    let command = own(&session, MembershipAction::Join, request.reason);
    if let Err(refused) = restricted::join(&call.gateway, &room_id, command.clone()).await {
        remote_rooms::join(&call.gateway, &room_id, &command, via, refused).await?;
    }
    answer(&json!({ "room_id": room_id }))
}

/// spec: `client-server-api §post_matrixclientv3knockroomidoralias`
async fn knock<H: Host>(call: Call<H>) -> Answer {
    let session = call.counted_session(Bucket::Membership).await?;
    let request: Own = call.json()?;
    let (room_id, via) = remote_rooms::named(&call).await?;
    let command = own(&session, MembershipAction::Knock, request.reason);
    match change(&call.gateway, &room_id, command.clone()).await {
        Err(refused) if refused.is(errcode::NOT_HERE) => {
            remote_rooms::knock(&call.gateway, &room_id, &command, via).await?;
        }
        knocked => knocked?,
    }
    answer(&json!({ "room_id": room_id }))
}

/// spec: `client-server-api §post_matrixclientv3roomsroomidleave`
async fn leave<H: Host>(call: Call<H>) -> Answer {
    let session = call.counted_session(Bucket::Membership).await?;
    let (room_id, request): (RoomId, Own) = (call.room_id(0)?, call.json()?);
    let command = own(&session, MembershipAction::Leave, request.reason);
    if !remote_rooms::leave(&call.gateway, &room_id, &command).await? {
        change(&call.gateway, &room_id, command).await?;
    }
    answer_empty()
}

fn own(session: &Session, action: MembershipAction, reason: Option<String>) -> ChangeMembership {
    let (sender, target) = (session.user_id.clone(), session.user_id.clone());
    let profile = session.profile.clone();
    ChangeMembership {
        sender,
        target,
        action,
        reason,
        profile,
        is_direct: false,
        is_in_allowed_room: false,
    }
}

/// spec: `client-server-api §thirdparty_post_matrixclientv3roomsroomidinvite`
async fn invite<H: Host>(call: Call<H>) -> Answer {
    /// The two forms of the endpoint differ by what names the invited.
    #[derive(Deserialize)]
    struct ThirdParty {
        user_id: Option<String>,
        medium: Option<String>,
    }
    let by_address = |named: ThirdParty| named.user_id.is_none() && named.medium.is_some();
    if call.json().is_ok_and(by_address) {
        return Err(ApiError::forbidden(
            "this server cannot invite by e-mail or telephone",
        ));
    }
    others(call, MembershipAction::Invite).await
}

/// spec: `client-server-api §post_matrixclientv3roomsroomidkick`
async fn kick<H: Host>(call: Call<H>) -> Answer {
    others(call, MembershipAction::Kick).await
}

/// spec: `client-server-api §post_matrixclientv3roomsroomidban`
async fn ban<H: Host>(call: Call<H>) -> Answer {
    others(call, MembershipAction::Ban).await
}

/// spec: `client-server-api §post_matrixclientv3roomsroomidunban`
async fn unban<H: Host>(call: Call<H>) -> Answer {
    others(call, MembershipAction::Unban).await
}

async fn others<H: Host>(call: Call<H>, action: MembershipAction) -> Answer {
    let session = call.counted_session(Bucket::Membership).await?;
    let (room_id, request): (RoomId, Others) = (call.room_id(0)?, call.json()?);
    let target =
        UserId::parse(&request.user_id).map_err(|error| ApiError::bad_json(format!("user_id: {error}")))?;
    let (sender, reason) = (session.user_id, request.reason);
    let mut profile = Profile::default();
    if action == MembershipAction::Invite {
        let invite = MakeInvite {
            sender: sender.clone(),
            target: target.as_str().to_owned(),
            reason: reason.clone(),
            profile: Profile::default(),
            is_direct: false,
        };
        if remote_rooms::invite(&call.gateway, &room_id, &target, invite).await? {
            return answer_empty();
        }
        profile = invitee(&call.gateway, &target).await?;
    }
    let target = target.into();
    let command = ChangeMembership {
        sender,
        target,
        action,
        reason,
        profile,
        is_direct: false,
        is_in_allowed_room: false,
    };
    change(&call.gateway, &room_id, command).await?;
    answer_empty()
}

async fn change<H: Host>(
    gateway: &Gateway<H>,
    room_id: &RoomId,
    command: ChangeMembership,
) -> Result<(), ApiError> {
    gateway.ask(room_key(room_id.as_str()), command).await?;
    Ok(())
}

/// The profile of a user who is about to be invited; an empty one where there is no such account, and for users of other servers.
///
/// # Errors
/// When the user cannot be asked.
pub(super) async fn invitee<H: Host>(gateway: &Gateway<H>, user: &UserId) -> Result<Profile, ApiError> {
    if user.domain() != gateway.server_name().as_str() {
        return Ok(Profile::default());
    }
    match gateway
        .ask_user(user.as_str(), GetProfile {})
        .await
        .map_err(ApiError::from)
    {
        Err(error) if error.is(errcode::NOT_FOUND) => Ok(Profile::default()),
        other => other,
    }
}

/// spec: `client-server-api §post_matrixclientv3roomsroomidforget`
async fn forget<H: Host>(call: Call<H>) -> Answer {
    let session = call.session().await?;
    let room_id = call.room_id(0)?.into();
    call.gateway
        .ask_user(&session.user_id, Forget { room_id })
        .await?;
    answer_empty()
}

/// spec: `client-server-api §get_matrixclientv3joined_rooms`
async fn joined<H: Host>(call: Call<H>) -> Answer {
    let session = call.session().await?;
    let rooms = call.gateway.ask_user(&session.user_id, JoinedRooms {}).await?;
    answer(&json!({ "joined_rooms": rooms }))
}
