//! Memberships in rooms that this server is not in: invites of other servers, and knocks sent there
//! (spec: server-server-api §inviting-to-a-room, §knocking-upon-a-room).

use selvage_object::{Failure, Refusal, Tracked, Turn};
use selvage_protocol::errcode;
use selvage_protocol::user::{Bucket, Membership, OutOfBand, OutOfBandReply};

use crate::buckets;
use crate::log::{self, Entry, EntryKind};
use crate::memory::{Memory, Room};
use crate::object::no_account;
use crate::rooms::Told;

/// The most invites and knocks of which no room here knows. Who has more is invited no further.
const OUT_OF_BAND_MAX: usize = 500;

/// Takes such a membership; see [`OutOfBand`].
pub(crate) fn take(
    memory: &mut Tracked<Memory>,
    turn: &mut Turn<'_>,
    command: &OutOfBand,
) -> Result<(), Failure> {
    let account = memory.account.as_ref();
    if account.is_none_or(|account| account.deactivated) {
        return Err(no_account().into());
    }
    if !is_news(memory.rooms.get(&command.room_id), command, turn.key().name())? {
        return Ok(());
    }
    if command.membership != Membership::Leave {
        check_number(memory)?;
    }
    if command.membership == Membership::Invite && command.rate_limited {
        count(memory, turn)?;
    }
    store(memory, turn, command)
}

/// Whether the membership is another than the one that is known.
fn is_news(before: Option<&Room>, command: &OutOfBand, user_id: &str) -> Result<bool, Refusal> {
    let ends = command.membership == Membership::Leave;
    let Some(room) = before else {
        return Ok(!ends);
    };
    let Some(source) = &room.out_of_band else {
        // What a room here says counts, unless it says that the user is not there.
        return Ok(!ends && matches!(room.membership, Membership::Leave | Membership::Ban));
    };
    if source.event_id == command.source.event_id || (ends && room.membership == Membership::Leave) {
        return Ok(false);
    }
    let is_among = |ended: &Vec<String>| ended.contains(&source.event_id);
    if ends && !command.ends.as_ref().is_none_or(is_among) {
        return Ok(false);
    }
    // A knock is ended by the user alone, since nobody here can tell who else may.
    let by = command.source.sender.as_str();
    let by_inviter = room.membership == Membership::Invite && by == source.sender;
    if ends && by != user_id && !by_inviter {
        return Err(Refusal::new(errcode::FORBIDDEN, "the invite is somebody else's"));
    }
    Ok(true)
}

fn check_number(memory: &Memory) -> Result<(), Refusal> {
    let standing = |room: &&Room| room.out_of_band.is_some() && !matches!(room.membership, Membership::Leave);
    if memory.rooms.values().filter(standing).count() < OUT_OF_BAND_MAX {
        return Ok(());
    }
    Err(Refusal::new(errcode::FORBIDDEN, "this user has too many invites"))
}

fn count(memory: &mut Tracked<Memory>, turn: &Turn<'_>) -> Result<(), Refusal> {
    let levels = &mut memory.change().buckets;
    let level = levels.entry(Bucket::Invited).or_default();
    *level = level.take(buckets::rate(Bucket::Invited), turn.now())?;
    Ok(())
}

fn store(memory: &mut Tracked<Memory>, turn: &mut Turn<'_>, command: &OutOfBand) -> Result<(), Failure> {
    let before = memory.rooms.get(&command.room_id);
    let membership_before = before.map(|room| room.membership);
    // Positions are the room's to give: what it says later must count as later.
    let pos = before.map_or(0, |room| room.pos);
    let told = Told {
        room_id: &command.room_id,
        membership: command.membership,
        pos,
        stripped_state: &command.stripped_state,
        source: Some(&command.source),
    };
    told.store(turn, memory.last_seq + 1)?;
    told.remember(memory);
    let entry = Entry {
        room_id: command.room_id.clone(),
        pos,
        kind: EntryKind::Membership(membership_before),
    };
    log::append(memory, turn, entry)?;
    Ok(())
}

/// Where such a membership comes from; see [`selvage_protocol::user::OutOfBandOf`].
pub(crate) fn of(memory: &Memory, room_id: &str) -> Option<OutOfBandReply> {
    let room = memory.rooms.get(room_id)?;
    Some(OutOfBandReply {
        membership: room.membership,
        source: room.out_of_band.clone()?,
    })
}
