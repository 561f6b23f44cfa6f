//! Rooms that this server is not in, and users of other servers: what the membership endpoints do through other servers.

use selvage_event::{RoomAlias, RoomId, UserId};
use selvage_protocol::elsewhere::MakeInvite;
use selvage_protocol::errcode;
use selvage_protocol::room::ChangeMembership;
use selvage_protocol::user::{Membership, OutOfBandOf};
use selvage_workflow::Entrant;
use serde::Deserialize;

use crate::call::{Call, parse_user_id};
use crate::{ApiError, Gateway, Host};

/// The most servers that a client may name.
const VIA_MAX: usize = 50;

/// The servers through which a client wants to enter, under the name of today and the one of old.
#[derive(Deserialize)]
struct Via {
    #[serde(default)]
    via: Vec<String>,
    #[serde(default)]
    server_name: Vec<String>,
}

/// The room that a request names by id or alias, and servers that may be in it.
///
/// # Errors
/// When there is no such alias.
pub(super) async fn named<H: Host>(call: &Call<H>) -> Result<(RoomId, Vec<String>), ApiError> {
    let query: Via = call.query()?;
    let mut via: Vec<String> = query.via.into_iter().chain(query.server_name).collect();
    via.truncate(VIA_MAX);
    let name = call.arg(0);
    if !name.starts_with('#') {
        return Ok((call.room_id(0)?, via));
    }
    let alias = RoomAlias::parse(name).map_err(|error| ApiError::invalid_param(format!("alias: {error}")))?;
    if alias.server_name() == *call.gateway.server_name() {
        return Err(ApiError::not_found("this server has no room aliases yet"));
    }
    let target = call.gateway.workflows().resolve_alias(&alias).await?;
    via.extend(target.servers);
    Ok((target.room_id, via))
}

fn entrant(room_id: &RoomId, command: &ChangeMembership, via: Vec<String>) -> Result<Entrant, ApiError> {
    Ok(Entrant {
        room_id: room_id.clone(),
        user_id: parse_user_id(&command.target)?,
        profile: command.profile.clone(),
        reason: command.reason.clone(),
        via,
    })
}

/// Joins a room through another server, when this one did not let the user in because it is not in the room, or has nobody in it
/// who may let in.
///
/// # Errors
/// What this server or the others say.
pub(super) async fn join<H: Host>(
    gateway: &Gateway<H>,
    room_id: &RoomId,
    command: &ChangeMembership,
    via: Vec<String>,
    refused: ApiError,
) -> Result<(), ApiError> {
    if !refused.is(errcode::NOT_HERE) && !refused.is(errcode::UNABLE_TO_GRANT_JOIN) {
        return Err(refused);
    }
    let entrant = entrant(room_id, command, via)?;
    Ok(gateway.workflows().join(&entrant).await?)
}

/// Knocks on a room through another server.
///
/// # Errors
/// As for [`join`].
pub(super) async fn knock<H: Host>(
    gateway: &Gateway<H>,
    room_id: &RoomId,
    command: &ChangeMembership,
    via: Vec<String>,
) -> Result<(), ApiError> {
    let entrant = entrant(room_id, command, via)?;
    Ok(gateway.workflows().knock(&entrant).await?)
}

/// Rejects an invite, or takes a knock back, in a room that this server is not in; `false` when there is none.
///
/// # Errors
/// When the user cannot be asked.
pub(super) async fn leave<H: Host>(
    gateway: &Gateway<H>,
    room_id: &RoomId,
    command: &ChangeMembership,
) -> Result<bool, ApiError> {
    let ask = OutOfBandOf {
        room_id: room_id.as_str().to_owned(),
    };
    let standing = gateway.ask_user(&command.target, ask).await?;
    if standing.is_none_or(|standing| standing.membership == Membership::Leave) {
        return Ok(false);
    }
    let entrant = entrant(room_id, command, Vec::new())?;
    gateway.workflows().leave(&entrant).await?;
    Ok(true)
}

/// Invites a user of another server; `false` when the user is of this one.
///
/// # Errors
/// What this server or the user's says.
pub(super) async fn invite<H: Host>(
    gateway: &Gateway<H>,
    room_id: &RoomId,
    target: &UserId,
    invite: MakeInvite,
) -> Result<bool, ApiError> {
    if target.domain() == gateway.server_name().as_str() {
        return Ok(false);
    }
    gateway.workflows().invite(room_id, invite).await?;
    Ok(true)
}
