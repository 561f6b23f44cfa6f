//! What rooms tell a user, and what the user keeps of them.

use selvage_object::{Failure, Fault, Param, Refusal, SqlFault, Tracked, Turn};
use selvage_protocol::user::{Membership, MembershipChanged, OutOfBandSource, RoomMoved};
use selvage_protocol::{Json, errcode};
use serde::Serialize;

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
    let told = Told {
        room_id: &command.room_id,
        membership: command.membership,
        pos: command.pos,
        stripped_state: &command.stripped_state,
        source: None,
    };
    told.store(turn, memory.last_seq + 1)?;
    told.remember(memory);
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

/// A membership that the user was told of.
pub(crate) struct Told<'a> {
    pub(crate) room_id: &'a str,
    pub(crate) membership: Membership,
    pub(crate) pos: i64,
    pub(crate) stripped_state: &'a [Json],
    /// Where it comes from, when no room here told of it.
    pub(crate) source: Option<&'a OutOfBandSource>,
}

impl Told<'_> {
    /// Writes it.
    pub(crate) fn store(&self, turn: &Turn<'_>, seq: u64) -> Result<(), Failure> {
        let stripped = json(&self.stripped_state)?;
        let source = self.source.map(json).transpose()?;
        let sql = "INSERT INTO user_rooms (object, room_id, membership, pos, seq, stripped_state, out_of_band) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (object, room_id) DO UPDATE SET \
                   membership = excluded.membership, pos = excluded.pos, seq = excluded.seq, \
                   stripped_state = excluded.stripped_state, out_of_band = excluded.out_of_band, forgotten = 0";
        let values = [
            Param::Text(self.room_id),
            Param::Text(self.membership.as_str()),
            Param::Integer(self.pos),
            Param::number(seq),
            Param::Text(&stripped),
            Param::optional_text(source.as_deref()),
        ];
        Ok(turn.write(sql, &values)?)
    }

    /// Takes it into memory.
    pub(crate) fn remember(&self, memory: &mut Tracked<Memory>) {
        let memory = memory.change();
        let seq = memory.last_seq + 1;
        let known = memory.rooms.remove(self.room_id);
        let (base, positions) = known.map_or((None, Vec::new()), |room| (room.base, room.positions));
        let room = Room {
            membership: self.membership,
            pos: self.pos,
            seq,
            stripped_state: self.stripped_state.to_vec(),
            forgotten: false,
            out_of_band: self.source.cloned(),
            base,
            positions,
        };
        memory.rooms.insert(self.room_id.to_owned(), room);
    }
}

fn json(value: &(impl Serialize + ?Sized)) -> Result<String, Fault> {
    serde_json::to_string(value).map_err(|error| Fault::corrupt(error.to_string()))
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
