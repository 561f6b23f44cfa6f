//! The profile, and how it reaches the user's rooms.

use selvage_object::{Failure, Fault, Param, Refusal, Tracked, Turn};
use selvage_protocol::user::{Profile, SetProfile};
use selvage_protocol::{errcode, room, room_key};

use crate::account;
use crate::memory::Memory;
use crate::object::no_account;

/// The longest value of a profile field, in bytes.
const FIELD_MAX_BYTES: usize = 1_000;

/// The profile of an account that exists.
pub(crate) fn profile(memory: &Memory) -> Result<Profile, Refusal> {
    account::active(memory)
        .map(|account| account.profile.clone())
        .map_err(|_| no_account())
}

/// Sets one field and tells the joined rooms; the outbox is what makes that survive a restart.
pub(crate) fn set(
    memory: &mut Tracked<Memory>,
    turn: &mut Turn<'_>,
    command: &SetProfile,
) -> Result<(), Failure> {
    let account = account::active(memory)?;
    let (mut profile, number) = (account.profile.clone(), account.profile_number + 1);
    if command
        .value
        .as_ref()
        .is_some_and(|value| value.len() > FIELD_MAX_BYTES)
    {
        let message = format!("{} may have at most {FIELD_MAX_BYTES} bytes", command.field);
        return Err(Refusal::new(errcode::TOO_LARGE, message).into());
    }
    let field = match command.field.as_str() {
        "displayname" => &mut profile.displayname,
        "avatar_url" => &mut profile.avatar_url,
        other => {
            return Err(Refusal::new(errcode::INVALID_PARAM, format!("no profile field {other:?}")).into());
        }
    };
    if *field == command.value {
        return Ok(());
    }
    field.clone_from(&command.value);
    let sql =
        "UPDATE user_account SET displayname = ?2, avatar_url = ?3, profile_number = ?4 WHERE object = ?1";
    let name = Param::optional_text(profile.displayname.as_deref());
    let avatar = Param::optional_text(profile.avatar_url.as_deref());
    turn.write(sql, &[name, avatar, Param::number(number)])?;
    if let Some(account) = memory.change().account.as_mut() {
        account.profile = profile;
        account.profile_number = number;
    }
    Ok(tell(memory, turn, &memory.joined_rooms())?)
}

/// Tells a room that the user has just joined what the profile is, if it was ever changed: the join may have been asked for
/// before the last change, which this room was not told of.
pub(crate) fn tell_joined(memory: &Memory, turn: &mut Turn<'_>, room_id: &str) -> Result<(), Fault> {
    let changed = account::active(memory).is_ok_and(|account| account.profile_number > 0);
    if !changed {
        return Ok(());
    }
    tell(memory, turn, &[room_id.to_owned()])
}

fn tell(memory: &Memory, turn: &mut Turn<'_>, rooms: &[String]) -> Result<(), Fault> {
    let Some(account) = &memory.account else {
        return Ok(());
    };
    let changed = room::ProfileChanged {
        user_id: turn.key().name().to_owned(),
        profile: account.profile.clone(),
        number: account.profile_number,
    };
    let rooms = rooms.iter().map(|room_id| room_key(room_id)).collect();
    turn.tell(rooms, &room::RoomCommand::ProfileChanged(changed))
}
