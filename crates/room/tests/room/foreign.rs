//! A room that another server made, in which people of this server and of a third take part; what the others send, they sign
//! with real keys.

use std::collections::BTreeSet;

use selvage_event::{Event, EventId, RoomVersion, UserId};
use selvage_object::{ObjectKey, Placement};
use selvage_protocol::Json;
use selvage_protocol::federation::{
    EventsById, Missing, MissingReply, Outcome, Outgoing, Receive, ReceiveReply, ServerKey, Verdict,
};
use selvage_protocol::room::{GetState, GetStateEvent, MembershipAction, Messages};
use selvage_sim::asks::{self, parsed, viewer};
use selvage_sim::remote::{RemoteRoom, raw};
use selvage_sim::{Layout, Server};
use serde_json::{Value, json};

use crate::fixture::{ALICE, BOB, CAROL, MOD};

/// The server that made the room.
pub(crate) const HOME: &str = "remote.test";
/// A third server, with one user in the room.
pub(crate) const EVIL: &str = "evil.test";

/// This server and the room.
pub(crate) struct Foreign {
    pub(crate) server: Server,
    pub(crate) remote: RemoteRoom,
    pub(crate) room: ObjectKey,
}

/// What can be seen of a room, from inside and by other servers.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    timeline: Vec<String>,
    state: BTreeSet<String>,
    extremities: Vec<String>,
}

/// What the room's first server is to get.
pub(crate) fn outgoing(after: i64, limit: u32) -> Outgoing {
    Outgoing {
        server: HOME.to_owned(),
        after,
        up_to: None,
        limit,
    }
}

pub(crate) fn user(id: &str) -> UserId {
    UserId::parse(id).expect("a user id")
}

/// Ann, of the server that made the room, without power.
pub(crate) fn ann() -> UserId {
    user("@ann:remote.test")
}

/// A moderator of the server that made the room, with power 50.
pub(crate) fn moderator() -> UserId {
    user("@mod:remote.test")
}

/// The creator.
pub(crate) fn creator() -> UserId {
    user("@creator:remote.test")
}

/// Eve, of the third server, without power.
pub(crate) fn eve() -> UserId {
    user("@eve:evil.test")
}

/// A server without rooms, with its users.
pub(crate) fn server() -> Server {
    let layout = Layout {
        placement: Placement::ByKind { shards: 4_096 },
        ..Layout::default()
    };
    let mut server = Server::new("test", layout, 1);
    for user in [ALICE, MOD, BOB, CAROL] {
        asks::register(&mut server, user, asks::DEVICE);
    }
    server
}

impl Foreign {
    /// A public room of this version with the creator, a moderator, Ann and Eve, which Alice has joined.
    pub(crate) fn new(version: RoomVersion) -> Self {
        let mut foreign = Self::without_locals(version);
        foreign.join(ALICE);
        foreign
    }

    /// The room as it is before anybody of this server joins, though this server has it.
    pub(crate) fn without_locals(version: RoomVersion) -> Self {
        let mut remote = RemoteRoom::new(HOME, version);
        for user in [moderator(), ann(), eve()] {
            remote.join(&user);
        }
        let levels = levels(&remote, &json!({}));
        remote.state_event(&creator(), "m.room.power_levels", "", levels);
        let mut server = server();
        let room = remote.room();
        give(&remote, &mut server);
        server.settle();
        Self { server, remote, room }
    }

    /// A user of this server joins, and the other servers hear of it.
    pub(crate) fn join(&mut self, user: &str) {
        let ask = asks::membership(user, MembershipAction::Join, user);
        let id = asks::event_id(self.server.ask(&self.room, ask));
        self.server.settle();
        let event = self.event(&id);
        self.remote.take(&event);
    }

    /// A user of this server says something, and the other servers hear of it.
    pub(crate) fn local(&mut self, user: &str, body: &str) -> Event {
        let id = asks::event_id(self.server.ask(&self.room, asks::message(user, body, body)));
        self.server.settle();
        let event = self.event(&id);
        self.remote.take(&event);
        event
    }

    /// A user of this server sets state, and the other servers hear of it.
    pub(crate) fn local_state(&mut self, user: &str, kind: &str, key: &str, content: &Value) -> Event {
        let ask = asks::put_state(user, kind, key, content);
        let id = asks::event_id(self.server.ask(&self.room, ask));
        self.server.settle();
        let event = self.event(&id);
        self.remote.take(&event);
        event
    }

    /// An event that the room keeps.
    pub(crate) fn event(&mut self, id: &str) -> Event {
        let ids = vec![id.to_owned()];
        let events = self.server.ask(&self.room, EventsById { ids }).expect("events");
        let id = EventId::parse(id).expect("an event id");
        Event::from_stored(events[0].get(), id, self.remote.version()).expect("an event")
    }

    /// A message that somebody of another server sends.
    pub(crate) fn message(&mut self, sender: &UserId, body: &str) -> Event {
        let content = json!({ "msgtype": "m.text", "body": body });
        self.send(sender, "m.room.message", None, content)
    }

    /// A state event that somebody of another server sends.
    pub(crate) fn state(&mut self, sender: &UserId, kind: &str, key: &str, content: Value) -> Event {
        self.send(sender, kind, Some(key), content)
    }

    fn send(&mut self, sender: &UserId, kind: &str, key: Option<&str>, content: Value) -> Event {
        send(&mut self.remote, sender, kind, key, content)
    }

    /// A membership that somebody of another server sets.
    pub(crate) fn member(&mut self, sender: &UserId, target: &str, membership: &str) -> Event {
        self.state(
            sender,
            "m.room.member",
            target,
            json!({ "membership": membership }),
        )
    }

    /// The keys of all servers.
    pub(crate) fn keys(&self) -> Vec<ServerKey> {
        vec![self.remote.key_of(HOME), self.remote.key_of(EVIL)]
    }

    /// Takes in what a server sends.
    pub(crate) fn receive_json(&mut self, origin: &str, events: Vec<Json>) -> ReceiveReply {
        let receive = Receive {
            origin: origin.to_owned(),
            events,
            keys: self.keys(),
            history_before: None,
        };
        self.server.ask(&self.room, receive).expect("an answer")
    }

    pub(crate) fn receive(&mut self, events: &[&Event]) -> ReceiveReply {
        let reply = self.receive_json(HOME, events.iter().map(|event| raw(event)).collect());
        self.server.settle();
        reply
    }

    /// Takes in one event; what became of it.
    pub(crate) fn take(&mut self, event: &Event) -> Verdict {
        self.receive(&[event]).verdicts.remove(0)
    }

    /// Takes in events that are to be accepted.
    pub(crate) fn accept(&mut self, events: &[&Event]) {
        let reply = self.receive(events);
        let accepted = reply
            .verdicts
            .iter()
            .filter(|verdict| verdict.outcome == Outcome::Accepted);
        assert_eq!(accepted.count(), events.len(), "{:?}", reply.verdicts);
    }

    /// An attack: the event comes to nothing, for the reason given, and the room is as before for everybody.
    #[track_caller]
    pub(crate) fn refuses(&mut self, what: &str, event: &Event, outcome: Outcome, why: &str) {
        self.refuses_json(what, raw(event), outcome, why);
    }

    /// As [`Self::refuses`], of bytes that may be no event.
    #[track_caller]
    pub(crate) fn refuses_json(&mut self, what: &str, event: Json, outcome: Outcome, why: &str) {
        let before = self.seen();
        let reply = self.receive_json(EVIL, vec![event]);
        assert_eq!(self.server.undelivered(), 0, "{what} told somebody");
        let verdict = &reply.verdicts[0];
        assert_eq!(verdict.outcome, outcome, "{what}: {verdict:?}");
        let reason = verdict.why.as_deref().unwrap_or_default();
        assert!(reason.contains(why), "{what}: {reason:?} does not name {why:?}");
        assert_eq!(self.seen(), before, "{what} changed the room");
    }

    /// Who is in the room, as it is counted, is what the current state says.
    pub(crate) fn counts_agree(&mut self) {
        let ask = GetState {
            viewer: viewer(ALICE),
        };
        let state = self.server.ask(&self.room, ask).expect("the state");
        let members = state.iter().map(parsed);
        let joined: Vec<String> = members
            .filter(|event| event["type"] == "m.room.member" && event["content"]["membership"] == "join")
            .map(|event| event["state_key"].as_str().expect("a user").to_owned())
            .collect();
        assert_eq!(self.count("SELECT joined FROM room_head"), joined.len() as u64);
        let is_local = |user: &&String| user.ends_with(":test");
        let locals = joined.iter().filter(is_local).count() as u64;
        assert_eq!(self.count("SELECT count(*) FROM room_locals"), locals);
        let remote = self.count("SELECT coalesce(sum(joined), 0) FROM room_servers");
        assert_eq!(remote, joined.len() as u64 - locals);
        let servers: BTreeSet<&str> = joined
            .iter()
            .filter(|user| !is_local(user))
            .filter_map(|user| user.split_once(':'))
            .map(|(_, server)| server)
            .collect();
        let counted = self.count("SELECT count(*) FROM room_servers WHERE joined > 0");
        assert_eq!(counted, servers.len() as u64);
    }

    /// What can be seen of the room.
    pub(crate) fn seen(&mut self) -> Seen {
        self.counts_agree();
        Seen {
            timeline: self.timeline(ALICE),
            state: self.state_ids(ALICE),
            extremities: self.missing().extremities,
        }
    }

    /// The ids of the events that a user sees, oldest first.
    pub(crate) fn timeline(&mut self, user: &str) -> Vec<String> {
        let ask = Messages {
            viewer: viewer(user),
            from: None,
            to: None,
            backwards: false,
            limit: 1_000,
            filter: selvage_protocol::room::EventFilter::default(),
            lazy_load_members: false,
        };
        let reply = self.server.ask(&self.room, ask).expect("messages");
        reply.chunk.iter().map(id_of).collect()
    }

    /// Whether a user sees an event in the timeline.
    pub(crate) fn sees(&mut self, user: &str, event: &Event) -> bool {
        let id = event.event_id().as_str();
        self.timeline(user).iter().any(|seen| seen == id)
    }

    /// The ids of the current state's events.
    pub(crate) fn state_ids(&mut self, user: &str) -> BTreeSet<String> {
        let ask = GetState { viewer: viewer(user) };
        let state = self.server.ask(&self.room, ask).expect("the state");
        state.iter().map(id_of).collect()
    }

    /// The content of a state event, null when there is none.
    pub(crate) fn content(&mut self, kind: &str, key: &str) -> Value {
        let ask = GetStateEvent {
            viewer: viewer(ALICE),
            kind: kind.to_owned(),
            state_key: key.to_owned(),
        };
        let event = self.server.ask(&self.room, ask);
        event.map_or(Value::Null, |event| parsed(&event)["content"].clone())
    }

    pub(crate) fn membership(&mut self, user: &str) -> String {
        let content = self.content("m.room.member", user);
        content["membership"].as_str().unwrap_or("none").to_owned()
    }

    /// The id of the event that the current state has there.
    pub(crate) fn remote_state(&mut self, kind: &str, key: &str) -> EventId {
        let ask = GetStateEvent {
            viewer: viewer(ALICE),
            kind: kind.to_owned(),
            state_key: key.to_owned(),
        };
        let event = self.server.ask(&self.room, ask).expect("a state event");
        parsed(&event)["event_id"].as_str().unwrap().parse().unwrap()
    }

    pub(crate) fn missing(&mut self) -> MissingReply {
        self.server.ask(&self.room, Missing {}).expect("what is missing")
    }

    /// How many rows a table of the room's shard has.
    pub(crate) fn count(&self, sql: &'static str) -> u64 {
        let shard = self.server.shard_of(&self.room);
        self.server.rows(&shard, sql, &[])[0].number(0).expect("a count")
    }
}

/// Power levels that give the creator, where they may, the moderator and Alice power; and more.
pub(crate) fn levels(remote: &RemoteRoom, more: &Value) -> Value {
    let mut levels = json!({ "users": { moderator().as_str(): 50, ALICE: 100 } });
    if let Some(level) = remote.owner_level() {
        levels["users"][creator().as_str()] = Value::from(level);
    }
    for (key, value) in more.as_object().expect("an object") {
        levels[key.as_str()] = value.clone();
    }
    levels
}

/// Gives a room to a server, whose users know each other's keys.
fn give(remote: &RemoteRoom, server: &mut Server) {
    let keys = vec![remote.key_of(HOME), remote.key_of(EVIL)];
    remote.give_with_keys(server, &keys, &mut || {});
}

/// An event of a room that somebody sends.
pub(crate) fn send(
    remote: &mut RemoteRoom,
    sender: &UserId,
    kind: &str,
    key: Option<&str>,
    content: Value,
) -> Event {
    let event = remote.sign(remote.template(sender, kind, key, content));
    remote.take(&event);
    event
}

fn id_of(event: &Json) -> String {
    parsed(event)["event_id"].as_str().expect("an id").to_owned()
}
