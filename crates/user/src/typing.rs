//! Who types where, as rooms hint: in memory only, and lost when the object is.

use std::collections::BTreeMap;

use selvage_object::{Timestamp, Tracked, Turn};
use selvage_protocol::user::{Membership, Typing};

use crate::memory::Memory;

/// Who types in one room.
#[derive(Clone, Debug)]
pub(crate) struct TypingRoom {
    /// The user's version when this last changed.
    pub(crate) version: u64,
    users: BTreeMap<String, Timestamp>,
}

impl TypingRoom {
    /// Who types at this time.
    pub(crate) fn at(&self, now: Timestamp) -> Vec<String> {
        self.users
            .iter()
            .filter(|(_, until)| **until > now)
            .map(|(user_id, _)| user_id.clone())
            .collect()
    }
}

/// A room hints at who is typing now.
pub(crate) fn typing(memory: &mut Tracked<Memory>, turn: &mut Turn<'_>, command: Typing) {
    let joined = memory
        .rooms
        .get(&command.room_id)
        .is_some_and(|room| room.membership == Membership::Join);
    if !joined {
        return;
    }
    let users = command
        .users
        .into_iter()
        .map(|(user_id, until)| (user_id, Timestamp(until)))
        .collect();
    let memory = memory.change();
    let version = memory.raise_version(turn.now());
    memory
        .typing
        .insert(command.room_id, TypingRoom { version, users });
    turn.wake(version);
}

/// Notes, before an answer is made, that somebody's typing has run out unsaid; such a room has changed.
pub(crate) fn expire(memory: &mut Tracked<Memory>, now: Timestamp) {
    let expired = |typing: &TypingRoom| typing.users.values().any(|until| *until <= now);
    if !memory.typing.values().any(expired) {
        return;
    }
    let memory = memory.change();
    let version = memory.raise_version(now);
    for typing in memory.typing.values_mut().filter(|typing| expired(typing)) {
        typing.users.retain(|_, until| *until > now);
        typing.version = version;
    }
}
