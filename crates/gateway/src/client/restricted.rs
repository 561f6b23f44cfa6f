//! Joining restricted rooms. spec: `client-server-api §restricted-rooms`

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use selvage_event::RoomId;
use selvage_protocol::room::{AllowedRooms, ChangeMembership, MembershipOf};
use selvage_protocol::user::Membership;
use selvage_protocol::{errcode, room_key};

use crate::{ApiError, Gateway, Host};

/// How many rooms are asked at once.
const ROOMS_AT_ONCE: usize = 8;

/// Joins a room, if need be as a member of another one that it lets in from.
///
/// # Errors
/// What the room refuses.
pub(super) async fn join<H: Host>(
    gateway: &Gateway<H>,
    room_id: &RoomId,
    mut command: ChangeMembership,
) -> Result<(), ApiError> {
    let room = room_key(room_id.as_str());
    let refused = match gateway
        .ask(room.clone(), command.clone())
        .await
        .map_err(ApiError::from)
    {
        Err(error) if error.is(errcode::FORBIDDEN) => error,
        done => return done.map(|_| ()),
    };
    if !is_in_allowed_room(gateway, room_id, &command.target).await? {
        return Err(refused);
    }
    command.is_in_allowed_room = true;
    gateway.ask(room, command).await?;
    Ok(())
}

/// Whether the user has joined a room whose members this one lets in.
async fn is_in_allowed_room<H: Host>(
    gateway: &Gateway<H>,
    room_id: &RoomId,
    user_id: &str,
) -> Result<bool, ApiError> {
    let ask = AllowedRooms {
        user_id: user_id.to_owned(),
    };
    let allowed = match gateway
        .ask(room_key(room_id.as_str()), ask)
        .await
        .map_err(ApiError::from)
    {
        // A room that is not here lets nobody in.
        Err(error) if error.is(errcode::FORBIDDEN) => return Ok(false),
        other => other?,
    };
    // The rooms themselves know; what the user was told of them may be out of date.
    let ask = |allowed: String| async move {
        let command = MembershipOf {
            user_id: user_id.to_owned(),
        };
        gateway.ask(room_key(&allowed), command).await
    };
    let mut memberships = stream::iter(allowed.into_iter().map(ask)).buffered(ROOMS_AT_ONCE);
    while let Some(membership) = memberships.try_next().await? {
        if membership == Membership::Join {
            return Ok(true);
        }
    }
    Ok(false)
}
