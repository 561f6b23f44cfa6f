//! Making a room.

use selvage_event::{Event, Map, Membership, ReceivedEvent, RoomVersion, UserId};
use selvage_object::{Failure, Refusal};
use selvage_protocol::errcode;
use selvage_protocol::room::{Create, NewState, SendReply};

use crate::accept::{Draft, Work};
use crate::error::{format, refused};
use crate::membership::member_content;
use crate::memory::Head;
use crate::place::{Placed, Placing};
use crate::redact;

/// Makes the room from its signed create event and what follows, all in one turn: the room is there whole or not at all.
pub(crate) fn create(mut work: Work<'_, '_>, command: &Create) -> Result<SendReply, Failure> {
    let version: RoomVersion = command
        .version
        .parse()
        .map_err(|_| unsupported(&command.version))?;
    let received =
        ReceivedEvent::parse(command.create.get().as_bytes(), version).map_err(|error| format(&error))?;
    let create = received.event().clone();
    if work.memory.head.is_some() {
        return repeated(&work, &create);
    }
    if create.room_id().as_str() != work.turn.key().name() || create.kind() != "m.room.create" {
        return Err(Refusal::new(errcode::INVALID_PARAM, "this create event makes another room").into());
    }
    let Ok(checked) = received.verify(&work.room.identity.verify_keys());
    let checked = checked.map_err(|error| Refusal::new(errcode::FORBIDDEN, error.to_string()))?;
    work.memory.change().head = Some(Head::empty(version));
    if let Placed::SoftFailed(refusal) | Placed::Rejected(refusal) =
        work.place(checked, Placing::ours(None))?
    {
        return Err(refused(refusal));
    }
    follow(&mut work, create.sender(), command)?;
    work.finish()?;
    Ok(SendReply {
        event_id: create.event_id().as_str().to_owned(),
    })
}

fn repeated(work: &Work<'_, '_>, create: &Event) -> Result<SendReply, Failure> {
    if work.view().event(create.event_id())?.is_none() {
        return Err(Refusal::new(errcode::ROOM_IN_USE, "there is a room of this id").into());
    }
    Ok(SendReply {
        event_id: create.event_id().as_str().to_owned(),
    })
}

fn unsupported(version: &str) -> Refusal {
    Refusal::new(
        errcode::UNSUPPORTED_ROOM_VERSION,
        format!("room version {version:?} is not supported"),
    )
}

fn follow(work: &mut Work<'_, '_>, creator: &UserId, command: &Create) -> Result<(), Failure> {
    let join = member_content(Membership::Join, &command.profile, None);
    state(work, creator, "m.room.member", creator.as_str(), join)?;
    for NewState {
        kind,
        state_key,
        content,
    } in &command.state
    {
        let content = redact::object(content)?;
        state(work, creator, kind, state_key, content)?;
    }
    Ok(())
}

fn state(
    work: &mut Work<'_, '_>,
    sender: &UserId,
    kind: &str,
    state_key: &str,
    content: Map,
) -> Result<(), Failure> {
    let draft = Draft {
        sender: sender.clone(),
        kind: kind.to_owned(),
        state_key: Some(state_key.to_owned()),
        content,
        redacts: None,
        origin_server_ts: None,
        txn: None,
    };
    work.send(draft).map(|_| ())
}
