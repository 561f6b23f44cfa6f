//! How devices sync, and what no device may ever be shown.

use selvage_object::{Failure, Param};
use selvage_protocol::room::{Messages, MessagesReply, SliceReply, Viewer};
use selvage_protocol::user::{ChangesReply, Membership, RoomChange, WindowStart};
use selvage_protocol::{Json, room_key, user_key};
use serde::de::DeserializeOwned;

use super::device::{self, Syncing, View};
use super::model::{Room, Sees};
use super::world::{Waiting, World};
use crate::plan::Checked;
use crate::server::command;
use crate::sync;

/// How many events a page has.
const PAGE: u32 = 7;
/// The most pages of a gap.
const PAGES_MAX: usize = 200;

impl World {
    /// A device asks what changed; if `whole`, it asks all that follows from it too.
    pub(crate) fn sync(&mut self, device: usize, whole: bool) -> Checked {
        if self.devices[device].waits {
            return Ok(());
        }
        let asking = &mut self.devices[device];
        asking.abandon();
        asking.waits = true;
        let (user, id, since) = (asking.user, asking.id.clone(), asking.known.since);
        let ask = sync::changes(user, &id, since, &asking.options.clone());
        let shard = self.server.shard_of(&user_key(user));
        // A failure is seen when the reply comes.
        drop(self.turn(&user_key(user), &command(ask), Waiting::Changes(device)));
        if !whole {
            return Ok(());
        }
        self.commit(&shard)?;
        while self.devices[device].syncing.is_some() {
            self.next_slice(device)?;
            self.commit_all()?;
        }
        Ok(())
    }

    pub(crate) fn changes_came(&mut self, device: usize, result: Result<Vec<u8>, Failure>) -> Checked {
        let changes: ChangesReply = parse(result, "a sync")?;
        self.devices[device].waits = false;
        let news = !changes.rooms.is_empty() || !changes.account_data.is_empty();
        let known = &self.devices[device].known;
        if news && known.since.is_some_and(|since| since != changes.next) && changes.version <= known.version
        {
            return Err(format!(
                "device {device} would not have been woken for {changes:?}"
            ));
        }
        self.devices[device].syncing = Some(Syncing::new(changes));
        self.finish_sync(device)
    }

    /// Asks the next room of a sync that is under way.
    pub(crate) fn next_slice(&mut self, device: usize) -> Checked {
        let asking = &mut self.devices[device];
        if asking.waits {
            return Ok(());
        }
        let Some((room_id, window)) = asking.syncing.as_mut().and_then(|syncing| syncing.left.pop()) else {
            return Ok(());
        };
        asking.waits = true;
        let ask = sync::slice(asking.user, &asking.id, window, &asking.options);
        let waiting = Waiting::Slice(device, room_id.clone());
        drop(self.turn(&room_key(&room_id), &command(ask), waiting));
        Ok(())
    }

    pub(crate) fn slice_came(
        &mut self,
        device: usize,
        room_id: &str,
        result: Result<Vec<u8>, Failure>,
    ) -> Checked {
        let slice: SliceReply = parse(result, &format!("a slice of {room_id}"))?;
        self.devices[device].waits = false;
        if let Some(syncing) = self.devices[device].syncing.as_mut() {
            syncing.slices.insert(room_id.to_owned(), slice);
        }
        self.finish_sync(device)
    }

    fn finish_sync(&mut self, device: usize) -> Checked {
        let complete = |syncing: &Syncing| {
            let windows = syncing
                .changes
                .rooms
                .values()
                .filter(|change| change.window.is_some());
            syncing.slices.len() == windows.count()
        };
        if !self.devices[device].syncing.as_ref().is_some_and(complete) {
            return Ok(());
        }
        let Some(syncing) = self.devices[device].syncing.take() else {
            return Ok(());
        };
        let initial = self.devices[device].known.since.is_none();
        for (room_id, change) in &syncing.changes.rooms {
            let slice = syncing.slices.get(room_id);
            self.take_room(device, room_id, change, slice, initial)
                .map_err(|wrong| format!("device {device} of {}: {wrong}", self.devices[device].user))?;
        }
        let known = &mut self.devices[device].known;
        for datum in &syncing.changes.account_data {
            known.data.insert(String::new(), datum.content.get().to_owned());
        }
        known.since = Some(syncing.changes.next);
        known.version = syncing.changes.version;
        Ok(())
    }

    fn take_room(
        &mut self,
        device: usize,
        room_id: &str,
        change: &RoomChange,
        slice: Option<&SliceReply>,
        initial: bool,
    ) -> Checked {
        let known = &mut self.devices[device].known;
        for datum in &change.account_data {
            known
                .data
                .insert(room_id.to_owned(), datum.content.get().to_owned());
        }
        let view = known.rooms.entry(room_id.to_owned()).or_default();
        let was_joined = view.membership == Some(Membership::Join) && !initial;
        view.membership = Some(change.membership);
        if change.membership == Membership::Invite && change.stripped_state.is_empty() {
            return Err(format!("the invite to {room_id} shows nothing"));
        }
        let (Some(slice), Some(window)) = (slice, change.window) else {
            return Ok(());
        };
        self.permitted(device, room_id, slice)?;
        if change.membership != Membership::Join {
            return Ok(());
        }
        if !was_joined && matches!(window.from, WindowStart::After(_)) {
            return Err(format!("{room_id} is joined anew, yet told from {window:?}"));
        }
        self.take_joined(device, room_id, slice, was_joined)
    }

    fn take_joined(&mut self, device: usize, room_id: &str, slice: &SliceReply, was_joined: bool) -> Checked {
        let mut view = match self.devices[device].known.rooms.get(room_id) {
            Some(view) if was_joined => view.clone(),
            _ => View {
                membership: Some(Membership::Join),
                ..View::default()
            },
        };
        let gap = if slice.limited || !was_joined {
            self.page_back(device, room_id, slice.prev_batch, &view)?
        } else {
            Vec::new()
        };
        view.take(slice, gap, self.devices[device].options.state_after)?;
        self.devices[device].known.rooms.insert(room_id.to_owned(), view);
        Ok(())
    }

    /// Reads the events before a position, until one that is known.
    fn page_back(&mut self, device: usize, room_id: &str, from: i64, view: &View) -> Checked<Vec<String>> {
        let mut found = Vec::new();
        let mut from = Some(from);
        for _ in 0..PAGES_MAX {
            let Some(start) = from else { break };
            let page = self.page(device, room_id, start)?;
            let ids: Vec<String> = page.chunk.iter().map(|event| device::read(event).id).collect();
            self.permitted_events(device, room_id, &page.chunk)?;
            for id in ids {
                if view.timeline.contains(&id) {
                    found.reverse();
                    return Ok(found);
                }
                found.push(id);
            }
            from = page.end;
        }
        found.reverse();
        match from {
            None => Ok(found),
            Some(at) => Err(format!("paging {room_id} has no end; it is at {at}")),
        }
    }

    fn page(&mut self, device: usize, room_id: &str, from: i64) -> Checked<MessagesReply> {
        let asking = &self.devices[device];
        let ask = Messages {
            viewer: Viewer {
                user_id: asking.user.to_owned(),
                device_id: asking.id.clone(),
            },
            from: Some(from),
            to: None,
            backwards: true,
            limit: PAGE,
            filter: asking.options.filter.timeline.clone(),
            lazy_load_members: false,
        };
        let result = self.turn(&room_key(room_id), &command(ask), Waiting::Nothing);
        parse(result, &format!("a page of {room_id}"))
    }

    /// Nobody is shown what the model hides, nor anything that never happened.
    fn permitted(&self, device: usize, room_id: &str, slice: &SliceReply) -> Checked {
        self.permitted_events(device, room_id, &slice.timeline)?;
        let user = self.devices[device].user;
        let room = self.rooms.get(room_id).ok_or("a room that never was")?;
        let until = room.in_room_until(user);
        for event in slice.state.iter().map(device::read) {
            let index = room.index_of(&event.id).ok_or("a state event that never was")?;
            let sent = &room.events[index];
            let own = sent.is_member(user);
            let readable = until.is_some_and(|until| sent.pos <= until) || world_readable(room);
            if !readable && !own {
                return Err(format!(
                    "{room_id} shows the state {sent:?} to one who left at {until:?}"
                ));
            }
        }
        Ok(())
    }

    fn permitted_events(&self, device: usize, room_id: &str, events: &[Json]) -> Checked {
        let room = self.rooms.get(room_id).ok_or("a room that never was")?;
        let sight = room.sight(self.devices[device].user);
        for event in events.iter().map(device::read) {
            let index = room.index_of(&event.id).ok_or("an event that never was")?;
            let sent = &room.events[index];
            if sight.get(index) == Some(&Sees::Not) {
                return Err(format!("{room_id} shows what it must hide: {sent:?}"));
            }
            let hidden = sent.redacted && event.content.is_empty();
            if event.sender != sent.sender || (event.content != sent.content && !hidden) {
                return Err(format!("{room_id} shows {:?} for {sent:?}", event.content));
            }
        }
        Ok(())
    }

    /// The membership that a user's object knows, with its position.
    pub(crate) fn known_membership(&self, user: &str, room_id: &str) -> Option<(i64, String)> {
        let shard = self.server.shard_of(&user_key(user));
        let sql = "SELECT pos, membership FROM user_rooms JOIN objects USING (object) \
                   WHERE kind = 2 AND name = ?1 AND room_id = ?2";
        let rows = self
            .server
            .rows(&shard, sql, &[Param::Text(user), Param::Text(room_id)]);
        let row = rows.into_iter().next();
        row.and_then(|mut row| Some((row.integer(0).ok()?, row.text(1).ok()?)))
    }
}

fn world_readable(room: &Room) -> bool {
    room.history() == "world_readable"
}

fn parse<T: DeserializeOwned>(result: Result<Vec<u8>, Failure>, what: &str) -> Checked<T> {
    let reply = result.map_err(|failure| format!("{what}: {failure}"))?;
    serde_json::from_slice(&reply).map_err(|error| format!("{what}: {error}"))
}
