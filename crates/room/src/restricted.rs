//! Who lets a user into a restricted room (spec: client-server-api §restricted-rooms).

use selvage_event::{Membership, UserId};
use selvage_object::{Failure, Refusal};
use selvage_protocol::errcode;

use crate::accept::Work;
use crate::error::forbidden;

/// How many local members are asked whether they may invite.
const AUTHORISERS_TRIED_MAX: usize = 100;

/// The key of a join's content that names who lets in.
pub(crate) const AUTHORISED_VIA: &str = "join_authorised_via_users_server";

impl Work<'_, '_> {
    /// The local member in whose name a user is let into the room; `None` where a join needs nobody's.
    pub(crate) fn authoriser(
        &self,
        user_id: &str,
        is_in_allowed_room: bool,
    ) -> Result<Option<UserId>, Failure> {
        let now = self.now()?;
        let rules = now.event("m.room.join_rules", "")?;
        let rule = rules.as_ref().and_then(|rules| rules.content_str("join_rule"));
        let is_restricted = self.view().head()?.version.rules().auth.restricted
            && matches!(rule, Some("restricted" | "knock_restricted"));
        let membership = now.membership(user_id)?;
        if !is_restricted
            || matches!(
                membership,
                Membership::Join | Membership::Invite | Membership::Ban
            )
        {
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
