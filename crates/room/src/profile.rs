//! A member's profile, which stands in the member's join event.

use selvage_event::{Map, Membership, UserId};
use selvage_object::{Failure, Fault, Param, Refusal};
use selvage_protocol::errcode;
use selvage_protocol::room::ProfileChanged;
use selvage_protocol::user::Profile;
use serde_json::Value;

use crate::accept::Work;
use crate::membership::own_draft;
use crate::restricted::AUTHORISED_VIA;

/// Writes a changed profile into the join event of a member, unless it is there already or a later one was told before.
pub(crate) fn changed(mut work: Work<'_, '_>, command: &ProfileChanged) -> Result<(), Failure> {
    if work.memory.head.is_none() {
        return Ok(());
    }
    let member = work.now()?.event("m.room.member", &command.user_id)?;
    let joined = member.filter(|member| member.membership() == Some(Membership::Join));
    let Some(member) = joined else { return Ok(()) };
    if last_number(&work, &command.user_id)? >= command.number {
        return Ok(());
    }
    write_number(&work, command)?;
    let content = with_profile(member.content(), &command.profile);
    if content == *member.content() {
        return Ok(());
    }
    let sender = UserId::parse(&command.user_id)
        .map_err(|error| Refusal::new(errcode::INVALID_PARAM, error.to_string()))?;
    work.send(own_draft(sender, &command.user_id, content))?;
    work.finish()
}

/// The number of the last change that was told since the user joined; 0 when none was.
fn last_number(work: &Work<'_, '_>, user_id: &str) -> Result<u64, Fault> {
    let sql = "SELECT profile FROM room_locals WHERE object = ?1 AND user_id = ?2";
    let row = work.turn.row(sql, &[Param::Text(user_id)])?;
    Ok(row.map_or(Ok(0), |row| row.number(0))?)
}

fn write_number(work: &Work<'_, '_>, command: &ProfileChanged) -> Result<(), Failure> {
    let sql = "UPDATE room_locals SET profile = ?3 WHERE object = ?1 AND user_id = ?2";
    let params = [Param::Text(&command.user_id), Param::number(command.number)];
    Ok(work.turn.write(sql, &params)?)
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
    // Who let the user in: that server would have to sign again.
    content.remove(AUTHORISED_VIA);
    content
}
