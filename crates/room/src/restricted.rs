//! Who lets a user into a restricted room (spec: client-server-api §restricted-rooms).

use selvage_event::{Membership, UserId};
use selvage_object::{Failure, Refusal};
use selvage_protocol::errcode;
use selvage_protocol::room::AllowedRooms;
use serde_json::Value;

use crate::accept::Work;
use crate::error::forbidden;
use crate::view::View;

/// How many local members are asked whether they may invite.
const AUTHORISERS_TRIED_MAX: usize = 100;

/// How many rooms of a join rule count.
const ALLOWED_ROOMS_MAX: usize = 100;

/// The key of a join's content that names who lets in.
pub(crate) const AUTHORISED_VIA: &str = "join_authorised_via_users_server";

/// The rooms whose members may join, for one who needs that; see [`AllowedRooms`].
pub(crate) fn allowed_rooms(view: View<'_>, command: &AllowedRooms) -> Result<Vec<String>, Failure> {
    let now = view.now()?;
    if !is_restricted_for(view, &command.user_id)? {
        return Ok(Vec::new());
    }
    let rules = now.event("m.room.join_rules", "")?;
    let allow = rules
        .as_ref()
        .and_then(|rules| rules.content().get("allow")?.as_array());
    let room_of = |condition: &Value| {
        let is_membership = condition.get("type")?.as_str()? == "m.room_membership";
        is_membership
            .then(|| condition.get("room_id")?.as_str().map(str::to_owned))
            .flatten()
    };
    Ok(allow
        .into_iter()
        .flatten()
        .filter_map(room_of)
        .take(ALLOWED_ROOMS_MAX)
        .collect())
}

/// Whether a user can join only as a member of another room.
fn is_restricted_for(view: View<'_>, user_id: &str) -> Result<bool, Failure> {
    let now = view.now()?;
    let rules = now.event("m.room.join_rules", "")?;
    let rule = rules.as_ref().and_then(|rules| rules.content_str("join_rule"));
    let version = view.head()?.version.rules();
    let is_restricted = (version.auth.restricted && rule == Some("restricted"))
        || (version.auth.knock_restricted && rule == Some("knock_restricted"));
    let membership = now.membership(user_id)?;
    Ok(is_restricted
        && !matches!(
            membership,
            Membership::Join | Membership::Invite | Membership::Ban
        ))
}

impl Work<'_, '_> {
    /// The local member in whose name a user is let into the room; `None` where a join needs nobody's.
    pub(crate) fn authoriser(
        &self,
        user_id: &str,
        is_in_allowed_room: bool,
    ) -> Result<Option<UserId>, Failure> {
        if !is_restricted_for(self.view(), user_id)? {
            return Ok(None);
        }
        if !is_in_allowed_room {
            return Err(forbidden(
                "you are in none of the rooms whose members may join this one",
            ));
        }
        let authoriser = self.who_may_invite()?.ok_or_else(|| {
            let message = "nobody on this server may let you in";
            Refusal::new(errcode::UNABLE_TO_GRANT_JOIN, message)
        })?;
        Ok(Some(authoriser))
    }

    fn who_may_invite(&self) -> Result<Option<UserId>, Failure> {
        let Some(power) = self.power_levels()? else {
            return Ok(None);
        };
        for user_id in self.memory.locals.iter().take(AUTHORISERS_TRIED_MAX) {
            let joined = self.now()?.membership(user_id)? == Membership::Join;
            if joined && power.user(user_id).reaches(power.invite()) {
                return Ok(UserId::parse(user_id).ok());
            }
        }
        Ok(None)
    }
}
