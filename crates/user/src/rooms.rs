//! What rooms tell a user, and what the user keeps of them.

use selvage_object::{Failure, Fault, Param, Refusal, SqlFault, Tracked, Turn};
use selvage_protocol::errcode;
use selvage_protocol::user::{Membership, MembershipChanged, RoomMoved};

use crate::account_data;
use crate::log::{self, Entry, EntryKind};
use crate::memory::{Memory, Room};
use crate::profile;

/// A joined room's timeline goes on.
pub(crate) fn moved(
    memory: &mut Tracked<Memory>,
    turn: &mut Turn<'_>,
    command: &RoomMoved,
) -> Result<(), SqlFault> {
    let news = memory
        .rooms
        .get(&command.room_id)
        .is_some_and(|room| room.membership == Membership::Join && room.newest() < command.pos);
    if !news {
        return Ok(());
    }
    let entry = Entry {
        room_id: command.room_id.clone(),
        pos: command.pos,
        kind: EntryKind::Moved,
    };
    log::append(memory, turn, entry).map(|_| ())
}

/// The user's membership in a room changed.
pub(crate) fn membership(
    memory: &mut Tracked<Memory>,
    turn: &mut Turn<'_>,
    command: &MembershipChanged,
) -> Result<(), Failure> {
    let before = memory.rooms.get(&command.room_id);
    if memory.account.is_none() || before.is_some_and(|room| room.pos >= command.pos) {
        return Ok(());
    }
    let membership_before = before.map(|room| room.membership);
    store(turn, command, memory.last_seq + 1)?;
    remember(memory, command);
    if command.membership == Membership::Join && membership_before != Some(Membership::Join) {
        profile::tell_joined(memory, turn, &command.room_id)?;
    }
    let kind = EntryKind::Membership(membership_before);
    log::append(
        memory,
        turn,
        Entry {
            room_id: command.room_id.clone(),
            pos: command.pos,
            kind,
        },
    )?;
    Ok(())
}

fn store(turn: &Turn<'_>, command: &MembershipChanged, seq: u64) -> Result<(), Failure> {
    let stripped =
        serde_json::to_string(&command.stripped_state).map_err(|error| Fault::corrupt(error.to_string()))?;
    let sql = "INSERT INTO user_rooms (object, room_id, membership, pos, seq, stripped_state) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (object, room_id) DO UPDATE SET \
               membership = excluded.membership, pos = excluded.pos, seq = excluded.seq, \
               stripped_state = excluded.stripped_state, forgotten = 0";
    let (room, membership) = (
        Param::Text(&command.room_id),
        Param::Text(command.membership.as_str()),
    );
    turn.write(
        sql,
        &[
            room,
            membership,
            Param::Integer(command.pos),
            Param::number(seq),
            Param::Text(&stripped),
        ],
    )?;
    Ok(())
}

fn remember(memory: &mut Tracked<Memory>, command: &MembershipChanged) {
    let memory = memory.change();
    let seq = memory.last_seq + 1;
    let room = memory
        .rooms
        .entry(command.room_id.clone())
        .or_insert_with(|| Room {
            membership: command.membership,
            pos: command.pos,
            seq,
            stripped_state: Vec::new(),
            forgotten: false,
            base: None,
            positions: Vec::new(),
        });
    room.membership = command.membership;
    room.pos = command.pos;
    room.seq = seq;
    room.forgotten = false;
    room.stripped_state.clone_from(&command.stripped_state);
}

/// Forgets a room that the user is not in (spec: client-server-api §post_matrixclientv3roomsroomidforget).
pub(crate) fn forget(memory: &mut Tracked<Memory>, turn: &Turn<'_>, room_id: &str) -> Result<(), Failure> {
    let Some(room) = memory.rooms.get(room_id).filter(|room| !room.forgotten) else {
        return Ok(());
    };
    if !matches!(room.membership, Membership::Leave | Membership::Ban) {
        return Err(Refusal::new(errcode::UNKNOWN, "leave the room before forgetting it").into());
    }
    turn.write(
        "UPDATE user_rooms SET forgotten = 1 WHERE object = ?1 AND room_id = ?2",
        &[Param::Text(room_id)],
    )?;
    account_data::forget_room(turn, room_id)?;
    if let Some(room) = memory.change().rooms.get_mut(room_id) {
        room.forgotten = true;
    }
    Ok(())
}
