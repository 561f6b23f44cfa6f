//! What changed for the user since a sync token: the user's part of sync.

use std::collections::{BTreeMap, BTreeSet};

use selvage_object::{Failure, Fault, Tracked, Turn};
use selvage_protocol::user::{
    AccountDatum, Changes, ChangesReply, Membership, RoomChange, Seen, Window, WindowStart,
};

use crate::account_data::{self, ByRoom};
use crate::log::EntryKind;
use crate::memory::{Memory, Room};
use crate::{devices, filters, typing};

/// Answers with all that changed after the token, and the token of the answer. The same token gives the same again.
pub(crate) fn changes(
    memory: &mut Tracked<Memory>,
    turn: &Turn<'_>,
    command: &Changes,
) -> Result<ChangesReply, Failure> {
    let session = devices::session(memory, turn, &command.token_hash)?;
    typing::expire(memory, turn.now());
    let filter = command
        .filter_id
        .as_ref()
        .map(|id| filters::get(turn, id))
        .transpose()?
        .flatten();
    // A token of the future is of another life of this account: then all is new.
    let since = command.since.filter(|seen| seen.seq <= memory.last_seq);
    let mut data = account_data(memory, turn, since)?;
    let account_data = data.remove("").unwrap_or_default();
    let rooms = Reader {
        memory,
        command,
        since,
        turn,
    }
    .rooms(data)?;
    let next = Seen {
        seq: memory.last_seq,
        typing: memory.version,
    };
    Ok(ChangesReply {
        session,
        next,
        version: memory.version,
        filter,
        rooms,
        account_data,
    })
}

fn account_data(memory: &Memory, turn: &Turn<'_>, since: Option<Seen>) -> Result<ByRoom, Failure> {
    Ok(match since {
        Some(seen) if seen.seq >= memory.horizon => account_data::named(memory, turn, seen.seq)?,
        Some(seen) => account_data::since(turn, seen.seq)?,
        None => account_data::since(turn, 0)?,
    })
}

struct Reader<'a> {
    memory: &'a Memory,
    command: &'a Changes,
    since: Option<Seen>,
    turn: &'a Turn<'a>,
}

impl Reader<'_> {
    fn rooms(&self, mut data: ByRoom) -> Result<BTreeMap<String, RoomChange>, Fault> {
        let mut rooms = BTreeMap::new();
        for room_id in self.candidates(&data) {
            let Some(room) = self.memory.rooms.get(&room_id) else {
                continue;
            };
            let account_data = data.remove(&room_id).unwrap_or_default();
            if let Some(mut change) = self.change(&room_id, room, account_data) {
                if self.is_new_to_client(&change) {
                    change.account_data = account_data::of_room(self.turn, &room_id)?;
                }
                rooms.insert(room_id, change);
            }
        }
        Ok(rooms)
    }

    /// Whether a client that knows others now learns of this room: it was not told of data that were set before.
    fn is_new_to_client(&self, change: &RoomChange) -> bool {
        let anew = |window: Window| window.from == WindowStart::Nothing;
        self.since.is_some() && change.window.is_some_and(anew)
    }

    /// The rooms in which something may have changed.
    fn candidates(&self, data: &ByRoom) -> BTreeSet<String> {
        let all = self.memory.rooms.keys();
        let Some(seen) = self.since.filter(|seen| seen.seq >= self.memory.horizon) else {
            return all.cloned().collect();
        };
        if self.command.full_state {
            return all.cloned().collect();
        }
        let logged = self
            .memory
            .log
            .range(seen.seq + 1..)
            .map(|(_, entry)| &entry.room_id);
        let typing = self
            .memory
            .typing
            .iter()
            .filter(|(_, typing)| typing.version > seen.typing);
        logged
            .chain(typing.map(|(room_id, _)| room_id))
            .chain(data.keys())
            .cloned()
            .collect()
    }

    fn change(&self, room_id: &str, room: &Room, account_data: Vec<AccountDatum>) -> Option<RoomChange> {
        let membership_news = self.since.is_none_or(|seen| room.seq > seen.seq);
        let window = self.window(room_id, room, membership_news);
        let asked_in = matches!(room.membership, Membership::Invite | Membership::Knock);
        let stripped_state = if asked_in && membership_news {
            room.stripped_state.clone()
        } else {
            Vec::new()
        };
        let typing = self.typing(room_id, room, window);
        let asked_in_news = asked_in && membership_news;
        let out_of_band = room.out_of_band.is_some() && window.is_some();
        let nothing = window.is_none() && account_data.is_empty() && typing.is_none() && !asked_in_news;
        let data_alone = room.membership != Membership::Join && window.is_none() && !asked_in_news;
        if nothing || data_alone {
            return None;
        }
        Some(RoomChange {
            membership: room.membership,
            window: window.filter(|_| !out_of_band),
            out_of_band,
            stripped_state,
            account_data,
            typing,
        })
    }

    fn typing(&self, room_id: &str, room: &Room, window: Option<Window>) -> Option<Vec<String>> {
        let typing = self
            .memory
            .typing
            .get(room_id)
            .filter(|_| room.membership == Membership::Join)?;
        let new = window.is_some_and(|window| window.from == WindowStart::Nothing);
        let users = typing.at(self.turn.now());
        let changed = self.since.is_some_and(|seen| typing.version > seen.typing);
        (changed || (new && !users.is_empty())).then_some(users)
    }

    fn window(&self, room_id: &str, room: &Room, membership_news: bool) -> Option<Window> {
        match room.membership {
            Membership::Join => self.joined_window(room_id, room),
            Membership::Leave | Membership::Ban => self.left_window(room_id, room, membership_news),
            Membership::Invite | Membership::Knock => None,
        }
    }

    fn joined_window(&self, room_id: &str, room: &Room) -> Option<Window> {
        let to = room.newest();
        let Some(seen) = self.since else {
            return Some(Window {
                from: WindowStart::Nothing,
                to,
            });
        };
        let from = if self.membership_at(room_id, room, seen) == Some(Membership::Join) {
            room.position(seen.seq)
                .map_or(WindowStart::Lost, WindowStart::After)
        } else {
            WindowStart::Nothing
        };
        let news = from != WindowStart::After(to) || self.command.full_state;
        news.then_some(Window { from, to })
    }

    /// A room that was left appears once, with what led up to that. One that was forgotten appears to those clients alone
    /// that would still show it.
    fn left_window(&self, room_id: &str, room: &Room, membership_news: bool) -> Option<Window> {
        let to = room.pos;
        let Some(seen) = self.since else {
            let wanted = self.command.include_leave && !room.forgotten;
            return wanted.then_some(Window {
                from: WindowStart::Nothing,
                to,
            });
        };
        // The log no longer tells what a token from before its beginning knew.
        if membership_news && seen.seq < self.memory.horizon {
            let from = WindowStart::Lost;
            return Some(Window { from, to });
        }
        let at_token = self.membership_at(room_id, room, seen);
        let from = if at_token == Some(Membership::Join) {
            room.position(seen.seq)
                .map_or(WindowStart::Lost, WindowStart::After)
        } else {
            WindowStart::After(to.saturating_sub(1))
        };
        let still_shown = matches!(
            at_token,
            Some(Membership::Join | Membership::Invite | Membership::Knock)
        );
        (membership_news && (still_shown || !room.forgotten)).then_some(Window { from, to })
    }

    /// The membership when the token was given out.
    fn membership_at(&self, room_id: &str, room: &Room, seen: Seen) -> Option<Membership> {
        if room.seq <= seen.seq {
            return Some(room.membership);
        }
        let mut later = self.memory.log.range(seen.seq + 1..);
        later.find_map(|(_, entry)| match entry.kind {
            EntryKind::Membership(before) if entry.room_id == room_id => Some(before),
            _ => None,
        })?
    }
}
