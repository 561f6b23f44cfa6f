//! The steps of a run.

use selvage_object::{Failure, ShardId};
use selvage_protocol::room::{MembershipAction, SetTyping};
use selvage_protocol::user::{Forget, Profile, SetAccountData, SetProfile};
use selvage_protocol::{room_key, user_key};
use serde_json::{Map, Value, json};

use super::model::Room;
use super::plan::{Step, USERS};
use super::rules::Expect;
use super::world::{Pending, Unsent, Waiting, World};
use crate::asks::{self, raw};
use crate::plan::Checked;
use crate::server::command;

/// More than a day: transaction ids are forgotten then.
const SLEEP_MS: u64 = 30 * 60 * 60 * 1_000;

impl World {
    /// Does one step.
    pub(crate) fn step(&mut self, step: &Step) -> Checked {
        self.trace.note(format!("{step:?}").as_bytes());
        match step {
            Step::Create {
                by,
                version,
                join_rule,
                history,
                invite,
            } => self.create(user(*by), version, (join_rule, history), invite),
            Step::Send { device, room, busy } => self.message(*device, *room, *busy),
            Step::Retry { which } => self.retry(*which),
            Step::Member {
                by,
                action,
                target,
                room,
            } => self.member(user(*by), *action, user(*target), *room),
            Step::State {
                by,
                room,
                kind,
                key,
                value,
            } => {
                let content = Map::from_iter([((*key).to_owned(), Value::from(*value))]);
                self.state(user(*by), *room, kind, content)
            }
            Step::Power {
                by,
                target,
                room,
                level,
            } => self.power(user(*by), user(*target), *room, *level),
            Step::Redact { by, room, message } => self.redact(user(*by), *room, *message),
            Step::Receipt {
                by,
                room,
                event,
                private,
            } => self.receipt(user(*by), *room, *event, *private),
            Step::Typing { by, room } => self.typing(user(*by), *room),
            Step::Rename { by } => self.rename(user(*by)),
            Step::AccountData { by, room } => self.account_data(user(*by), *room),
            Step::Forget { by, room } => self.forget(user(*by), *room),
            Step::Sync { device, whole } => self.sync(device % self.devices.len(), *whole),
            Step::Slice { device } => self.next_slice(device % self.devices.len()),
            Step::Save { device } => self.save(*device),
            Step::Rewind { device, copy } => self.rewind(*device, *copy),
            _ => self.machinery(step),
        }
    }

    fn machinery(&mut self, step: &Step) -> Checked {
        match step {
            Step::Commit { shard } => self.commit(&self.shard(*shard)),
            Step::Crash { shard, durable } => {
                let shard = self.shard(*shard);
                self.crash(&shard, *durable);
                Ok(())
            }
            Step::Carry { letter, fate } => {
                self.server.tick(1);
                let letters = self.server.letters().max(1);
                self.server.carry(letter % letters, *fate);
                self.observe_names()
            }
            Step::Settle => self.settle(),
            Step::Hints { arrive } => {
                self.server.carry_hints(*arrive);
                Ok(())
            }
            Step::Tick { ms } => {
                self.server.tick(*ms);
                Ok(())
            }
            Step::Sleep => self.sleep(),
            other => Err(format!("{other:?} is no step of the machinery")),
        }
    }

    fn shard(&self, index: usize) -> ShardId {
        let shards = self.server.shards();
        shards[index % shards.len()].clone()
    }

    /// Everything commits and arrives.
    pub(crate) fn settle(&mut self) -> Checked {
        self.commit_all()?;
        self.server.settle();
        self.observe_names()?;
        // It is all durable now.
        self.undo.clear();
        self.commit_all()
    }

    fn sleep(&mut self) -> Checked {
        self.commit_all()?;
        self.unsent.clear();
        self.server.tick(SLEEP_MS);
        for shard in self.server.shards() {
            self.server.ring(&shard);
        }
        self.commit_all()
    }

    pub(crate) fn room_id(&self, index: usize) -> String {
        let count = self.room_ids.len().max(1);
        self.room_ids.get(index % count).cloned().unwrap_or_default()
    }

    fn room(&self, room_id: &str) -> Room {
        self.rooms.get(room_id).cloned().unwrap_or_default()
    }

    fn create(
        &mut self,
        by: &'static str,
        version: &'static str,
        (join_rule, history): (&str, &str),
        invite: &[usize],
    ) -> Checked {
        let mut state = asks::usual_state(by, version, join_rule, history);
        let invited = invite.iter().map(|index| user(*index)).filter(|user| *user != by);
        state.extend(
            invited.map(|user| asks::state("m.room.member", user, &json!({ "membership": "invite" }))),
        );
        let name = format!("room{}", self.room_ids.len());
        let events = state.len() + 2;
        let (key, mut create) = asks::create(&self.server, by, version, &name, state);
        create.profile = self.profile(by);
        self.room_ids.push(key.name().to_owned());
        let room = self.room_mut(key.name());
        room.version = version;
        by.clone_into(&mut room.creator);
        let result = self.turn(&key, &command(create), Waiting::Nothing);
        let found = self.observe(key.name()).len();
        if result.is_err() || found != events {
            return Err(format!(
                "a new room has {found} events and not {events}: {result:?}"
            ));
        }
        Ok(())
    }

    fn profile(&self, user: &str) -> Profile {
        Profile {
            displayname: self.users.get(user).and_then(super::model::User::name),
            avatar_url: None,
        }
    }

    fn message(&mut self, device: usize, room: usize, busy: bool) -> Checked {
        self.txns += 1;
        let unsent = Unsent {
            txn: self.txns,
            device: device % self.devices.len(),
            room: self.room_id(room),
        };
        self.unsent.push(unsent.clone());
        if busy { Ok(()) } else { self.submit(&unsent) }
    }

    fn retry(&mut self, which: usize) -> Checked {
        let count = self.unsent.len().max(1);
        let unsent = self.unsent.get(which % count).cloned();
        unsent.map_or(Ok(()), |unsent| self.submit(&unsent))
    }

    /// Sends a message, perhaps not for the first time.
    pub(crate) fn submit(&mut self, unsent: &Unsent) -> Checked {
        let device = self.devices[unsent.device].clone();
        let txn = format!("t{}", unsent.txn);
        let key = (device.user.to_owned(), device.id.clone(), txn.clone());
        let room = self.room(&unsent.room);
        let expect = match room.txns.get(&key) {
            Some(id) => Expect::Same(id.clone()),
            None => room.expect_message(device.user),
        };
        let mut send = asks::message(device.user, &txn, &txn);
        send.device_id = device.id;
        let result = self.turn(
            &room_key(&unsent.room),
            &command(send),
            Waiting::Message(unsent.txn),
        );
        if let Some(event) = self.compare(&unsent.room, "message", &expect, &result)? {
            self.room_mut(&unsent.room).txns.insert(key, event.id);
        }
        Ok(())
    }

    fn member(
        &mut self,
        by: &'static str,
        action: MembershipAction,
        target: &'static str,
        room: usize,
    ) -> Checked {
        let room_id = self.room_id(room);
        let expect = self.room(&room_id).expect_membership(by, action, target);
        let mut ask = asks::membership(by, action, target);
        if action == MembershipAction::Join {
            ask.profile = self.profile(by);
        }
        let result = self.turn(&room_key(&room_id), &command(ask), Waiting::Nothing);
        self.compare(
            &room_id,
            &format!("{action:?} of {target} by {by}"),
            &expect,
            &result,
        )
        .map(|_| ())
    }

    fn state(&mut self, by: &str, room: usize, kind: &str, content: Map<String, Value>) -> Checked {
        let room_id = self.room_id(room);
        let expect = self.room(&room_id).expect_state(by, kind, &content);
        let ask = asks::put_state(by, kind, "", &Value::Object(content));
        let result = self.turn(&room_key(&room_id), &command(ask), Waiting::Nothing);
        self.compare(&room_id, &format!("{kind} by {by}"), &expect, &result)
            .map(|_| ())
    }

    fn power(&mut self, by: &str, target: &str, room: usize, level: i64) -> Checked {
        let room_id = self.room_id(room);
        let model = self.room(&room_id);
        let expect = model.expect_power(by, target, level);
        let content = Value::Object(model.levels_with(target, level));
        let ask = asks::put_state(by, "m.room.power_levels", "", &content);
        let result = self.turn(&room_key(&room_id), &command(ask), Waiting::Nothing);
        self.compare(
            &room_id,
            &format!("power {level} of {target} by {by}"),
            &expect,
            &result,
        )
        .map(|_| ())
    }

    fn redact(&mut self, by: &str, room: usize, message: usize) -> Checked {
        let room_id = self.room_id(room);
        let model = self.room(&room_id);
        let messages = model.events.iter().enumerate();
        let messages: Vec<_> = messages
            .filter(|(_, event)| event.kind == "m.room.message")
            .collect();
        let Some((index, target)) = messages.get(message % messages.len().max(1)) else {
            return Ok(());
        };
        let expect = model.expect_redaction(by, *index);
        self.txns += 1;
        let ask = asks::redaction(by, &format!("t{}", self.txns), &target.id);
        let result = self.turn(&room_key(&room_id), &command(ask), Waiting::Nothing);
        if self.compare(&room_id, "redaction", &expect, &result)?.is_some() {
            self.room_mut(&room_id).events[*index].redacted = true;
        }
        Ok(())
    }

    fn receipt(&mut self, by: &str, room: usize, event: usize, private: bool) -> Checked {
        let room_id = self.room_id(room);
        let model = self.room(&room_id);
        let index = event % model.events.len().max(1);
        let Some(target) = model.events.get(index) else {
            return Ok(());
        };
        let kind = if private { "m.read.private" } else { "m.read" };
        let ask = asks::receipt(by, kind, &target.id);
        let result = self.turn(&room_key(&room_id), &command(ask), Waiting::Nothing);
        if result.is_ok() != model.is_joined(by) {
            return Err(format!("a receipt of {by} in {room_id}: {result:?}"));
        }
        if result.is_ok() {
            let standing = self
                .room_mut(&room_id)
                .receipts
                .entry((by.to_owned(), kind.to_owned()));
            let standing = standing.or_insert(index);
            *standing = (*standing).max(index);
        }
        Ok(())
    }

    fn typing(&mut self, by: &str, room: usize) -> Checked {
        let room_id = self.room_id(room);
        let ask = SetTyping {
            user_id: by.to_owned(),
            timeout_ms: Some(5_000),
        };
        let result = self.turn(&room_key(&room_id), &command(ask), Waiting::Nothing);
        if result.is_ok() == self.room(&room_id).is_joined(by) {
            return Ok(());
        }
        Err(format!("{by} types in {room_id}: {result:?}"))
    }

    fn rename(&mut self, by: &'static str) -> Checked {
        self.txns += 1;
        let name = Some(format!("name{}", self.txns));
        let ask = SetProfile {
            field: "displayname".to_owned(),
            value: name.clone(),
        };
        let result = self.turn(&user_key(by), &command(ask), Waiting::Nothing);
        self.user_mut(by).names.push(name);
        well(&result, "a new name")
    }

    fn account_data(&mut self, by: &'static str, room: Option<usize>) -> Checked {
        self.txns += 1;
        let content = json!({ "n": self.txns });
        let room_id = room
            .map(|room| self.room_id(room))
            .filter(|room_id| !room_id.is_empty());
        let ask = SetAccountData {
            room_id: room_id.clone(),
            kind: "org.example".to_owned(),
            content: raw(&content),
            pos: None,
        };
        let result = self.turn(&user_key(by), &command(ask), Waiting::Nothing);
        self.user_mut(by)
            .data
            .insert(room_id.unwrap_or_default(), content.to_string());
        well(&result, "account data")
    }

    fn forget(&mut self, by: &'static str, room: usize) -> Checked {
        let room_id = self.room_id(room);
        let known = self.known_membership(by, &room_id);
        let ask = Forget {
            room_id: room_id.clone(),
        };
        let result = self.turn(&user_key(by), &command(ask), Waiting::Nothing);
        let in_room = known
            .as_ref()
            .is_some_and(|(_, membership)| ["join", "invite"].contains(&membership.as_str()));
        if result.is_ok() == in_room {
            return Err(format!("{by} forgets {room_id}, known as {known:?}: {result:?}"));
        }
        if let Some((pos, _)) = known.filter(|_| !in_room) {
            let user = self.user_mut(by);
            user.forgotten.insert(room_id.clone(), pos);
            user.data.remove(&room_id);
        }
        Ok(())
    }

    fn save(&mut self, device: usize) -> Checked {
        let count = self.devices.len();
        let device = &mut self.devices[device % count];
        let copy = device.known.clone();
        device.copies.push(copy);
        Ok(())
    }

    fn rewind(&mut self, device: usize, copy: usize) -> Checked {
        let count = self.devices.len();
        let device = &mut self.devices[device % count];
        let copies = device.copies.len().max(1);
        if let Some(copy) = device.copies.get(copy % copies).filter(|_| !device.waits) {
            device.known = copy.clone();
            device.abandon();
        }
        Ok(())
    }

    /// A reply has come.
    pub(crate) fn answered(&mut self, pending: Pending) -> Checked {
        match pending.waiting {
            Waiting::Message(txn) => {
                self.unsent.retain(|unsent| unsent.txn != txn);
                Ok(())
            }
            Waiting::Changes(device) => self.changes_came(device, pending.result),
            Waiting::Slice(device, room_id) => self.slice_came(device, &room_id, pending.result),
            Waiting::Nothing => Ok(()),
        }
    }
}

/// The user of this index.
fn user(index: usize) -> &'static str {
    USERS[index % USERS.len()]
}

fn well(result: &Result<Vec<u8>, Failure>, what: &str) -> Checked {
    match result {
        Ok(_) => Ok(()),
        Err(failure) => Err(format!("{what}: {failure}")),
    }
}
