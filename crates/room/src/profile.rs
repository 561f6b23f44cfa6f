//! A member's profile, which stands in the member's join event.

use selvage_event::{Map, Membership, UserId};
use selvage_object::{Failure, Refusal};
use selvage_protocol::errcode;
use selvage_protocol::room::ProfileChanged;
use selvage_protocol::user::Profile;
use serde_json::Value;

use crate::accept::Work;
use crate::membership::own_draft;

/// Writes a changed profile into the join event of a member, unless it is there already.
pub(crate) fn changed(mut work: Work<'_, '_>, command: &ProfileChanged) -> Result<(), Failure> {
    if work.memory.head.is_none() {
        return Ok(());
    }
    let member = work.now()?.event("m.room.member", &command.user_id)?;
    let joined = member.filter(|member| member.membership() == Some(Membership::Join));
    let Some(member) = joined else { return Ok(()) };
    let content = with_profile(member.content(), &command.profile);
    if content == *member.content() {
        return Ok(());
    }
    let sender = UserId::parse(&command.user_id)
        .map_err(|error| Refusal::new(errcode::INVALID_PARAM, error.to_string()))?;
    work.send(own_draft(sender, &command.user_id, content))?;
    work.finish()
}

fn with_profile(content: &Map, profile: &Profile) -> Map {
    let mut content = content.clone();
    for (key, value) in [
        ("displayname", &profile.displayname),
        ("avatar_url", &profile.avatar_url),
    ] {
        match value {
            Some(value) => content.insert(key.to_owned(), Value::from(value.as_str())),
            None => content.remove(key),
        };
    }
    // What belonged to the join itself says nothing of the change.
    content.remove("reason");
    content
}
