//! Joining restricted rooms. spec: `client-server-api §restricted-rooms`

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use selvage_event::RoomId;
use selvage_protocol::room::{AllowedRooms, ChangeMembership, MembershipOf};
use selvage_protocol::user::Membership;
use selvage_protocol::{errcode, room_key};

use crate::{ApiError, Gateway, Host};

/// How many rooms are asked at once.
const ROOMS_AT_ONCE: usize = 8;

/// What is known here of a user's being in one of the rooms whose members a room lets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The user is in one of them.
    Member,
    /// The user is in none of them, or there are none.
    Stranger,
    /// The user is in none of those that this server is in too, and there are others.
    Unknown,
}

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
    if standing(gateway, room_id, &command.target).await? != Standing::Member {
        return Err(refused);
    }
    command.is_in_allowed_room = true;
    gateway.ask(room, command).await?;
    Ok(())
}

/// Whether the user has joined a room whose members this one lets in, as the rooms that are here know.
///
/// # Errors
/// When a room cannot answer.
pub(crate) async fn standing<H: Host>(
    gateway: &Gateway<H>,
    room_id: &RoomId,
    user_id: &str,
) -> Result<Standing, ApiError> {
    let ask = AllowedRooms {
        user_id: user_id.to_owned(),
    };
    let allowed = match gateway
        .ask(room_key(room_id.as_str()), ask)
        .await
        .map_err(ApiError::from)
    {
        // A room that is not here lets nobody in.
        Err(error) if error.is(errcode::FORBIDDEN) => return Ok(Standing::Stranger),
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
    let mut known = Standing::Stranger;
    while let Some(membership) = memberships.try_next().await? {
        match membership {
            Some(Membership::Join) => return Ok(Standing::Member),
            Some(_) => {}
            None => known = Standing::Unknown,
        }
    }
    Ok(known)
}
