//! The end of a run: everything arrives, everybody syncs, and what each client knows is compared with the model.

use selvage_protocol::room::{GetState, Members, Messages, Viewer};
use selvage_protocol::user::{JoinedRooms, Membership};
use selvage_protocol::{room_key, user_key};
use serde_json::Value;

use super::device::{Device, View};
use super::model::{Room, Sees};
use super::plan::USERS;
use super::world::{Waiting, World};
use crate::asks::viewer;
use crate::plan::Checked;
use crate::server::command;
use crate::sync::{self, Options};

/// How often a device syncs before nothing may be new any more.
const SYNCS: usize = 3;

impl World {
    /// Brings everything to rest and checks it.
    pub(crate) fn finish(&mut self) -> Checked {
        self.settle()?;
        for unsent in self.unsent.clone() {
            self.submit(&unsent)?;
        }
        self.settle()?;
        self.come_back();
        for device in 0..self.devices.len() {
            self.catch_up(device)?;
        }
        self.lists()?;
        self.at_rest()?;
        self.restart_changes_nothing()
    }

    /// Each copy that a device kept comes back as a device of its own, with its old token.
    fn come_back(&mut self) {
        let mut back = Vec::new();
        for device in &mut self.devices {
            device.abandon();
            for known in &device.copies {
                back.push(Device {
                    known: known.clone(),
                    copies: Vec::new(),
                    ..device.clone()
                });
            }
        }
        self.devices.extend(back);
    }

    fn catch_up(&mut self, device: usize) -> Checked {
        for _ in 0..SYNCS {
            self.sync(device, true)?;
        }
        let device = &self.devices[device];
        for (room_id, room) in &self.rooms {
            knows(device, room_id, room).map_err(|wrong| {
                format!(
                    "in the end {} {} knows {room_id} wrongly: {wrong}",
                    device.user, device.id
                )
            })?;
        }
        let user = &self.users[device.user];
        if user.data.get("") != device.known.data.get("") {
            return Err(format!("{} has account data {:?}", device.id, device.known.data));
        }
        Ok(())
    }

    /// The rooms that users are told they are in, asked into, or have left.
    fn lists(&mut self) -> Checked {
        for user in USERS {
            let reply = self.turn(&user_key(user), &command(JoinedRooms {}), Waiting::Nothing);
            let mut listed: Vec<String> =
                serde_json::from_slice(&reply.map_err(|failure| failure.to_string())?)
                    .map_err(|error| error.to_string())?;
            listed.sort();
            let joined: Vec<String> = self.with_membership(user, "join");
            if listed != joined {
                return Err(format!(
                    "{user} is told of the rooms {listed:?} and is in {joined:?}"
                ));
            }
            self.all_rooms(user)?;
        }
        Ok(())
    }

    fn with_membership(&self, user: &str, membership: &str) -> Vec<String> {
        let rooms = self
            .rooms
            .iter()
            .filter(|(_, room)| room.membership(user) == membership);
        rooms.map(|(room_id, _)| room_id.clone()).collect()
    }

    fn all_rooms(&mut self, user: &'static str) -> Checked {
        let options = Options {
            include_leave: true,
            ..Options::default()
        };
        let device = self.devices.iter().find(|device| device.user == user);
        let device = device.map(|device| device.id.clone()).unwrap_or_default();
        let ask = sync::changes(user, &device, None, &options);
        let reply = self.turn(&user_key(user), &command(ask), Waiting::Nothing);
        let reply: Value = serde_json::from_slice(&reply.map_err(|failure| failure.to_string())?)
            .map_err(|error| error.to_string())?;
        for (room_id, room) in &self.rooms {
            let told = reply
                .pointer("/rooms")
                .and_then(|rooms| rooms.get(room_id)?.get("membership")?.as_str());
            let member = room.member(user);
            let forgotten = member.is_some_and(|member| {
                self.users[user]
                    .forgotten
                    .get(room_id)
                    .is_some_and(|known| *known >= member.pos)
            });
            let is = member
                .map(|member| member.says("membership"))
                .filter(|_| !forgotten);
            if told != is {
                return Err(format!(
                    "{user} is told {told:?} of {room_id}, where it is {is:?}; forgotten: {forgotten}"
                ));
            }
        }
        Ok(())
    }

    fn at_rest(&mut self) -> Checked {
        self.commit_all()?;
        let dead = "SELECT count(*) FROM dead_letters";
        let dead: u64 = self
            .server
            .shards()
            .iter()
            .flat_map(|shard| self.server.rows(shard, dead, &[]))
            .map(|row| row.number(0).unwrap_or(1))
            .sum();
        let left = self.server.undelivered();
        let damage = self.server.damage();
        if dead + left > 0 || !damage.is_empty() {
            return Err(format!(
                "{left} tells undelivered, {dead} given up, damage: {damage:?}"
            ));
        }
        Ok(())
    }

    /// Memory is a cache: what objects say does not change when they are loaded anew.
    fn restart_changes_nothing(&mut self) -> Checked {
        let now = self.server.now();
        let before = self.all_said()?;
        self.server.restart();
        self.server.set_now(now);
        let after = self.all_said()?;
        match before.iter().zip(&after).find(|(before, after)| before != after) {
            None => Ok(()),
            Some((before, after)) => Err(format!("a restart changed {before} to {after}")),
        }
    }

    /// What objects say to those who may ask them anything.
    fn all_said(&mut self) -> Checked<Vec<Value>> {
        let mut said = Vec::new();
        for (room_id, room) in self.rooms.clone() {
            let key = room_key(&room_id);
            for user in USERS.into_iter().filter(|user| room.is_joined(user)) {
                said.push(self.say(&key, &command(GetState { viewer: viewer(user) })));
                said.push(self.say(&key, &command(all_members(viewer(user)))));
                said.push(self.say(&key, &command(all_messages(viewer(user)))));
            }
        }
        for device in self.devices.clone() {
            let since = device.known.since;
            let ask = sync::changes(device.user, &device.id, since, &Options::default());
            let mut changes = self.say(&user_key(device.user), &command(ask));
            forget_versions(&mut changes);
            said.push(changes);
        }
        self.commit_all()?;
        Ok(said)
    }

    fn say(&mut self, key: &selvage_object::ObjectKey, ask: &[u8]) -> Value {
        match self.turn(key, ask, Waiting::Nothing) {
            Ok(reply) => serde_json::from_slice(&reply).unwrap_or_default(),
            Err(failure) => Value::from(failure.to_string()),
        }
    }
}

fn all_members(viewer: Viewer) -> Members {
    Members {
        viewer,
        at: None,
        membership: None,
        not_membership: None,
    }
}

fn all_messages(viewer: Viewer) -> Messages {
    Messages {
        viewer,
        from: None,
        to: None,
        backwards: true,
        limit: 1_000,
        filter: selvage_protocol::room::EventFilter::default(),
        lazy_load_members: true,
    }
}

/// Who types, and the versions that watchers wait for, live in memory only.
fn forget_versions(changes: &mut Value) {
    for path in ["/version", "/next/typing"] {
        if let Some(version) = changes.pointer_mut(path) {
            *version = Value::Null;
        }
    }
    let rooms = changes.get_mut("rooms").and_then(Value::as_object_mut);
    for room in rooms.into_iter().flat_map(serde_json::Map::values_mut) {
        if let Some(typing) = room.get_mut("typing") {
            *typing = Value::Null;
        }
    }
}

/// Whether a device that has caught up knows a room as its user must.
fn knows(device: &Device, room_id: &str, room: &Room) -> Checked {
    let view = device.known.rooms.get(room_id);
    let joined = view.filter(|view| view.membership == Some(Membership::Join));
    match (joined, room.is_joined(device.user)) {
        (None, false) => return Ok(()),
        (Some(_), true) => {}
        (view, joined) => return Err(format!("joined: {joined}, known as {view:?}")),
    }
    let Some(view) = joined else { return Ok(()) };
    timeline(device, view, room)?;
    if device.options.filter.lazy_load_members {
        senders(device, view, room)?;
    } else if view.state != room.states() {
        return Err(format!(
            "the state is {:?} and known as {:?}",
            room.states(),
            view.state
        ));
    }
    receipts(device, view, room)
}

/// Each event that the user must see came once, in the room's order, and none that it may not.
fn timeline(device: &Device, view: &View, room: &Room) -> Checked {
    let sight = room.sight(device.user);
    let filtered = device.options.filter.timeline.types.is_some();
    let mut known = view.timeline.iter().peekable();
    for (event, sees) in room.events.iter().zip(sight) {
        if known.next_if(|id| **id == event.id).is_some() {
            continue;
        }
        let wanted = !filtered || event.kind == "m.room.message";
        if sees == Sees::Must && wanted {
            return Err(format!(
                "{event:?} is missing or out of order in {:?}",
                view.timeline
            ));
        }
    }
    known.next().map_or(Ok(()), |id| {
        Err(format!("{id} is out of order in {:?}", view.timeline))
    })
}

/// A client that loads members lazily knows those whose events it was sent by sync.
fn senders(device: &Device, view: &View, room: &Room) -> Checked {
    let lacks = |((kind, _), id): (&(String, String), &String)| {
        kind != "m.room.member" && !view.state.values().any(|known| known == id)
    };
    match room.states().iter().find(|(key, id)| lacks((key, id))) {
        None => Ok(()),
        Some((key, _)) => Err(format!("{} does not know the state {key:?}", device.id)),
    }
}

fn receipts(device: &Device, view: &View, room: &Room) -> Checked {
    for ((user, kind), index) in &room.receipts {
        let seen = kind == "m.read" || user == device.user;
        let known = view.receipts.get(&(user.clone(), kind.clone()));
        let is = room.events.get(*index).map(|event| &event.id).filter(|_| seen);
        if known != is {
            return Err(format!("{user} has read {is:?}, known as {known:?} ({kind})"));
        }
    }
    Ok(())
}
