//! A server, its clients, and the reference model, moved step by step.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use selvage_object::{Failure, ObjectKey, Param, ShardId};
use selvage_protocol::{room_key, user_key};
use serde_json::{Map, Value};

use super::device::{Device, Knowledge};
use super::model::{Event, Room, User};
use super::plan::{DEVICES_PER_USER, Plan, USERS};
use super::rules::Expect;
use crate::plan::Checked;
use crate::trace::Trace;
use crate::{Server, asks};

/// What the model was before the turns of a shard's open batch.
#[derive(Default)]
pub(crate) struct Undo {
    rooms: BTreeMap<String, Option<Room>>,
    users: BTreeMap<&'static str, User>,
}

/// What a client waits to hear.
#[derive(Clone, Debug)]
pub(crate) enum Waiting {
    /// Whether a message was sent.
    Message(u64),
    /// What changed for a device.
    Changes(usize),
    /// A slice of a room, for a device.
    Slice(usize, String),
    /// Anything that the client does not act upon.
    Nothing,
}

/// A reply that leaves with its shard's commit.
pub(crate) struct Pending {
    pub(crate) waiting: Waiting,
    pub(crate) result: Result<Vec<u8>, Failure>,
}

/// A message that its client has no answer to.
#[derive(Clone, Debug)]
pub(crate) struct Unsent {
    pub(crate) txn: u64,
    pub(crate) device: usize,
    pub(crate) room: String,
}

/// The whole of a run.
pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) rooms: BTreeMap<String, Room>,
    pub(crate) users: BTreeMap<&'static str, User>,
    pub(crate) devices: Vec<Device>,
    /// The ids of all rooms that somebody tried to make.
    pub(crate) room_ids: Vec<String>,
    pub(crate) unsent: Vec<Unsent>,
    pub(crate) pending: BTreeMap<ShardId, Vec<Pending>>,
    pub(crate) undo: BTreeMap<ShardId, Undo>,
    pub(crate) txns: u64,
    pub(crate) trace: Trace,
}

impl World {
    pub(crate) fn new(plan: &Plan) -> Self {
        let mut server = Server::new("sim.test", plan.layout, plan.seed);
        let mut devices = Vec::new();
        for (number, options) in plan.devices.iter().enumerate() {
            let user = USERS[number / DEVICES_PER_USER % USERS.len()];
            let id = format!("D{number}");
            asks::register(&mut server, user, &id);
            devices.push(Device {
                user,
                id,
                options: options.clone(),
                known: Knowledge::default(),
                copies: Vec::new(),
                syncing: None,
                waits: false,
            });
        }
        Self {
            server,
            rooms: BTreeMap::new(),
            users: USERS.into_iter().map(|user| (user, User::new())).collect(),
            devices,
            room_ids: Vec::new(),
            unsent: Vec::new(),
            pending: BTreeMap::new(),
            undo: BTreeMap::new(),
            txns: 0,
            trace: Trace::default(),
        }
    }

    /// Gives a command to an object; its reply waits for the commit.
    pub(crate) fn turn(
        &mut self,
        to: &ObjectKey,
        command: &[u8],
        waiting: Waiting,
    ) -> Result<Vec<u8>, Failure> {
        // Every turn takes time: versions, which watchers wait for, rise with it when objects leave memory.
        self.server.tick(1);
        let result = self.server.turn(to, command);
        self.trace.note(command);
        match &result {
            Ok(reply) => self.trace.note(reply),
            Err(failure) => self.trace.note(failure.to_string().as_bytes()),
        }
        let shard = self.server.shard_of(to);
        self.pending.entry(shard).or_default().push(Pending {
            waiting,
            result: result.clone(),
        });
        result
    }

    /// Commits a shard and gives its replies to those who wait.
    pub(crate) fn commit(&mut self, shard: &ShardId) -> Checked {
        self.server.commit(shard);
        self.undo.remove(shard);
        for pending in self.pending.remove(shard).unwrap_or_default() {
            self.answered(pending)?;
        }
        Ok(())
    }

    pub(crate) fn commit_all(&mut self) -> Checked {
        for shard in self.server.shards() {
            self.commit(&shard)?;
        }
        Ok(())
    }

    /// A shard dies: its replies are lost, and without a commit the model forgets its turns too.
    pub(crate) fn crash(&mut self, shard: &ShardId, durable: bool) {
        self.server.crash(shard, durable);
        let undo = self.undo.remove(shard).filter(|_| !durable).unwrap_or_default();
        for (room_id, room) in undo.rooms {
            match room {
                Some(room) => self.rooms.insert(room_id, room),
                None => self.rooms.remove(&room_id),
            };
        }
        self.users.extend(undo.users);
        for pending in self.pending.remove(shard).unwrap_or_default() {
            if let Waiting::Changes(device) | Waiting::Slice(device, _) = pending.waiting {
                self.devices[device].abandon();
            }
        }
    }

    /// Lets the model of a room change, in step with the shard's batch.
    pub(crate) fn room_mut(&mut self, room_id: &str) -> &mut Room {
        let shard = self.server.shard_of(&room_key(room_id));
        let now = self.rooms.get(room_id).cloned();
        let undo = self.undo.entry(shard).or_default();
        undo.rooms.entry(room_id.to_owned()).or_insert(now);
        self.rooms.entry(room_id.to_owned()).or_default()
    }

    /// Lets the model of a user change, in step with the shard's batch.
    pub(crate) fn user_mut(&mut self, user: &'static str) -> &mut User {
        let shard = self.server.shard_of(&user_key(user));
        let now = self.users.get(user).cloned().unwrap_or_default();
        let undo = self.undo.entry(shard).or_default();
        undo.users.entry(user).or_insert(now);
        self.users.entry(user).or_default()
    }

    /// Reads what a room has stored since the model last looked, and takes it into the model.
    pub(crate) fn observe(&mut self, room_id: &str) -> Vec<Event> {
        let shard = self.server.shard_of(&room_key(room_id));
        let last = self.rooms.get(room_id).map_or(0, Room::last_pos);
        let sql = "SELECT pos, event_id, json FROM room_events JOIN objects USING (object) \
                   WHERE kind = 1 AND name = ?1 AND pos > ?2 ORDER BY pos";
        let rows = self
            .server
            .rows(&shard, sql, &[Param::Text(room_id), Param::Integer(last)]);
        let events: Vec<Event> = rows.into_iter().map(event).collect();
        if !events.is_empty() {
            self.room_mut(room_id).events.extend(events.iter().cloned());
        }
        events
    }

    /// Looks at a room after a request, and compares what came of it with what had to.
    pub(crate) fn compare(
        &mut self,
        room_id: &str,
        what: &str,
        expect: &Expect,
        result: &Result<Vec<u8>, Failure>,
    ) -> Checked<Option<Event>> {
        let mut events = self.observe(room_id);
        let answered = result.as_ref().ok().map(|reply| event_id(reply));
        let found = match (result, events.as_slice()) {
            (Err(Failure::Refusal(_)), []) => Expect::Refused,
            (Ok(_), [event]) if answered.as_ref() == Some(&event.id) => Expect::New,
            (Ok(_), []) => Expect::Same(answered.unwrap_or_default()),
            _ => return Err(format!("{what} in {room_id}: {result:?} and events {events:?}")),
        };
        if found != *expect {
            return Err(format!(
                "{what} in {room_id}: expected {expect:?}, found {found:?} {result:?}"
            ));
        }
        Ok(events.pop())
    }

    /// Looks at all rooms after deliveries: only changed names make events by themselves.
    pub(crate) fn observe_names(&mut self) -> Checked {
        for room_id in self.room_ids.clone() {
            for event in self.observe(&room_id) {
                self.is_a_name(&room_id, &event)?;
            }
        }
        Ok(())
    }

    fn is_a_name(&self, room_id: &str, event: &Event) -> Checked {
        let user = USERS
            .into_iter()
            .find(|user| event.is_member(user) && event.sender == *user);
        let joins = event.says("membership") == "join";
        let user = user
            .filter(|_| joins)
            .ok_or_else(|| format!("nobody asked for {event:?} in {room_id}"))?;
        let name = event
            .content
            .get("displayname")
            .and_then(Value::as_str)
            .map(str::to_owned);
        let named = self
            .users
            .get(user)
            .is_some_and(|user| user.names.contains(&name));
        if named {
            Ok(())
        } else {
            Err(format!("{user} was never called {name:?}"))
        }
    }
}

fn event(mut row: selvage_object::Row) -> Event {
    let read = "the columns have their types";
    let id = URL_SAFE_NO_PAD.encode(row.blob(1).expect(read));
    let json = row.text(2).expect(read);
    let json: Map<String, Value> = serde_json::from_str(&json).expect("stored events are JSON objects");
    let text = |key: &str| json.get(key).and_then(Value::as_str).map(str::to_owned);
    Event {
        id: format!("${id}"),
        pos: row.integer(0).expect(read),
        sender: text("sender").unwrap_or_default(),
        kind: text("type").unwrap_or_default(),
        state_key: text("state_key"),
        content: json
            .get("content")
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default(),
        redacted: false,
    }
}

/// The event id in a reply that has one.
pub(crate) fn event_id(reply: &[u8]) -> String {
    let reply: Value = serde_json::from_slice(reply).unwrap_or_default();
    let id = reply.get("event_id").and_then(Value::as_str);
    id.unwrap_or_default().to_owned()
}
