//! Who is typing: in memory only, hinted to local members, lost when the room leaves memory.

use selvage_event::Membership;
use selvage_object::Failure;
use selvage_protocol::federation::ReceiveTyping;
use selvage_protocol::room::SetTyping;
use selvage_protocol::user::{Typing, UserCommand};
use selvage_protocol::user_key;
use serde_json::json;

use crate::accept::Work;
use crate::error::forbidden;
use crate::residence::{check_acl, check_resident, is_of};

/// The longest that somebody types without saying so again, in milliseconds.
const TYPING_MAX_MS: u64 = 120_000;

/// How long a user of another server types unless it is said again, in milliseconds.
const REMOTE_TYPING_MS: u64 = 30_000;

/// Somebody types, or stops (spec: client-server-api §typing-notifications).
pub(crate) fn set(work: &mut Work<'_, '_>, command: &SetTyping) -> Result<(), Failure> {
    if work.now()?.membership(&command.user_id)? != Membership::Join {
        return Err(forbidden("you are not in this room"));
    }
    let Some(timeout_ms) = command.timeout_ms else {
        return stop(work, &command.user_id);
    };
    let until = work.turn.now().plus_ms(timeout_ms.min(TYPING_MAX_MS)).0;
    work.memory.change().typing.insert(command.user_id.clone(), until);
    tell_servers(work, &command.user_id, true)?;
    tell(work)
}

/// Somebody stops typing, by saying so or by sending what was typed.
pub(crate) fn stop(work: &mut Work<'_, '_>, user_id: &str) -> Result<(), Failure> {
    if !work.memory.typing.contains_key(user_id) {
        return Ok(());
    }
    work.memory.change().typing.remove(user_id);
    tell_servers(work, user_id, false)?;
    tell(work)
}

/// A user of another server types, or stops (spec: server-server-api §typing-notifications).
pub(crate) fn receive(work: &mut Work<'_, '_>, command: &ReceiveTyping) -> Result<(), Failure> {
    check_resident(work.view())?;
    check_acl(work.view(), &command.server)?;
    if !is_of(&command.user_id, &command.server) {
        return Err(forbidden("a server may speak for its own users only"));
    }
    let command = SetTyping {
        user_id: command.user_id.clone(),
        timeout_ms: command.typing.then_some(REMOTE_TYPING_MS),
    };
    set(work, &command)
}

/// Tells the servers of other members that a user of this one types, or no longer does
/// (spec: server-server-api §typing-notifications).
fn tell_servers(work: &mut Work<'_, '_>, user_id: &str, typing: bool) -> Result<(), Failure> {
    if !work.room.identity.is_local(user_id) {
        return Ok(());
    }
    let room_id = work.turn.key().name();
    let content = json!({ "room_id": room_id, "user_id": user_id, "typing": typing });
    work.hint_servers(user_id, "m.typing", &content)
}

fn tell(work: &mut Work<'_, '_>) -> Result<(), Failure> {
    let now = work.turn.now().0;
    work.memory.change().typing.retain(|_, until| *until > now);
    let typing = Typing {
        room_id: work.turn.key().name().to_owned(),
        users: work.memory.typing.clone(),
    };
    let to = work
        .memory
        .locals
        .iter()
        .map(|user_id| user_key(user_id))
        .collect();
    Ok(work.turn.hint(to, &UserCommand::Typing(typing))?)
}
