//! A room of another server, as far as its events go: made with a real key, in one line, without that server.

use std::collections::BTreeMap;

use selvage_event::{Event, EventId, Map, PublicKey, RoomId, RoomVersion, ServerName, SigningKey, Template};
use selvage_event::{UserId, auth_types_for};
use selvage_object::ObjectKey;
use selvage_protocol::federation::{Begin, Place, ServerKey, Supply, SupplyState};
use selvage_protocol::{Json, room_key};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::Server;
use crate::server::EPOCH;

const KEY_ID: &str = "ed25519:remote";
/// How many events one supply brings.
const SUPPLIED_AT_ONCE: usize = 500;

/// The room, with its state after the last event.
pub struct RemoteRoom {
    version: RoomVersion,
    server: ServerName,
    key: SigningKey,
    room_id: Option<RoomId>,
    state: BTreeMap<(String, String), EventId>,
    last: Option<EventId>,
    depth: i64,
    /// Last events of other branches, for the next event to follow.
    others: Vec<EventId>,
    /// The type and state key of each state event that was sent.
    keys_of_sent: Vec<(String, String)>,
    /// The state events, in order.
    pub sent: Vec<(EventId, Json)>,
}

impl RemoteRoom {
    /// A room of this version that anybody may join, with a creator `@creator:SERVER`.
    #[must_use]
    pub fn new(server: &str, version: RoomVersion) -> Self {
        let mut room = Self {
            version,
            server: ServerName::parse(server).expect("a server name"),
            key: SigningKey::from_seed(KEY_ID, &[7; 32]).expect("a key"),
            room_id: None,
            state: BTreeMap::new(),
            last: None,
            depth: 0,
            others: Vec::new(),
            keys_of_sent: Vec::new(),
            sent: Vec::new(),
        };
        let creator = room.user("creator");
        let mut create = json!({ "room_version": version.as_str() });
        if version.rules().auth.creator_field {
            create["creator"] = Value::from(creator.as_str());
        }
        room.state_event(&creator, "m.room.create", "", create);
        room.join(&creator);
        let power = if version.rules().auth.privileged_creators {
            json!({})
        } else {
            json!({ "users": { creator.as_str(): 100 } })
        };
        room.state_event(&creator, "m.room.power_levels", "", power);
        room.state_event(
            &creator,
            "m.room.join_rules",
            "",
            json!({ "join_rule": "public" }),
        );
        room
    }

    /// The room version.
    #[must_use]
    pub const fn version(&self) -> RoomVersion {
        self.version
    }

    /// The level that power levels must give the creator, where they may.
    #[must_use]
    pub fn owner_level(&self) -> Option<i64> {
        (!self.version.rules().auth.privileged_creators).then_some(100)
    }

    /// The state before the last state event, which was the first at its type and key or set what was not set since.
    #[must_use]
    pub fn state_before_last(&self) -> Vec<String> {
        let mut state = BTreeMap::new();
        let all_but_last = self.sent.len().saturating_sub(1);
        for (key, (id, _)) in self.keys_of_sent.iter().zip(&self.sent).take(all_but_last) {
            state.insert(key.clone(), id.as_str().to_owned());
        }
        state.into_values().collect()
    }

    /// The next event follows the last one of another branch too.
    pub fn follow(&mut self, other: &Self) {
        self.others.extend(other.last.iter().cloned());
        self.depth = self.depth.max(other.depth);
    }

    /// A user of the room's server.
    #[must_use]
    pub fn user(&self, localpart: &str) -> UserId {
        UserId::from_parts(localpart, &self.server).expect("a user id")
    }

    /// The room.
    #[must_use]
    pub fn room(&self) -> ObjectKey {
        room_key(self.room_id.as_ref().expect("the create event was made").as_str())
    }

    /// The keys that verify the room's events.
    #[must_use]
    pub fn keys(&self) -> Vec<ServerKey> {
        vec![self.key_of(self.server.as_str())]
    }

    /// The key of any server that takes part in the room: all sign with the same one.
    #[must_use]
    pub fn key_of(&self, server: &str) -> ServerKey {
        let key = PublicKey::from_base64(&self.key.public_key_base64(), i64::MAX).expect("a key");
        ServerKey {
            server: server.to_owned(),
            key_id: KEY_ID.to_owned(),
            public_key: key.to_base64(),
            valid_until_ts: i64::MAX,
        }
    }

    /// The room as it is now, to go on from: two copies that go on make a fork. The copies keep no list of what was sent.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self {
            version: self.version,
            server: self.server.clone(),
            key: self.key.clone(),
            room_id: self.room_id.clone(),
            state: self.state.clone(),
            last: self.last.clone(),
            depth: self.depth,
            others: Vec::new(),
            keys_of_sent: Vec::new(),
            sent: Vec::new(),
        }
    }

    /// A user joins.
    pub fn join(&mut self, user: &UserId) {
        self.state_event(
            user,
            "m.room.member",
            user.as_str(),
            json!({ "membership": "join" }),
        );
    }

    /// A user sets state.
    pub fn state_event(&mut self, sender: &UserId, kind: &str, state_key: &str, content: Value) {
        let (id, event) = self.event(sender, kind, Some(state_key), content);
        self.state
            .insert((kind.to_owned(), state_key.to_owned()), id.clone());
        self.keys_of_sent.push((kind.to_owned(), state_key.to_owned()));
        self.sent.push((id, event));
    }

    /// A user sends a message.
    pub fn message(&mut self, sender: &UserId, body: &str) -> Json {
        self.event(
            sender,
            "m.room.message",
            None,
            json!({ "msgtype": "m.text", "body": body }),
        )
        .1
    }

    fn event(
        &mut self,
        sender: &UserId,
        kind: &str,
        state_key: Option<&str>,
        content: Value,
    ) -> (EventId, Json) {
        let event = self.sign(self.template(sender, kind, state_key, content));
        self.others.clear();
        if kind == "m.room.create" {
            self.room_id = Some(event.room_id().clone());
        }
        self.last = Some(event.event_id().clone());
        self.depth = event.depth();
        (event.event_id().clone(), raw(&event))
    }

    /// The event that somebody would send next, to be changed before it is signed.
    #[must_use]
    pub fn template(&self, sender: &UserId, kind: &str, state_key: Option<&str>, content: Value) -> Template {
        let content: Map = serde_json::from_value(content).expect("an object");
        let named = || RoomId::parse(format!("!remote{}:{}", self.version, self.server)).expect("a room id");
        let made_by_hash = kind == "m.room.create" && self.version.rules().auth.privileged_creators;
        let room_id = match &self.room_id {
            Some(room_id) => Some(room_id.clone()),
            None => (!made_by_hash).then(named),
        };
        let depth = self.depth + 1;
        Template {
            room_id,
            sender: sender.clone(),
            kind: kind.to_owned(),
            state_key: state_key.map(str::to_owned),
            auth_events: self.auth_events(sender, kind, state_key, &content),
            content,
            prev_events: self.last.iter().chain(&self.others).cloned().collect(),
            depth,
            origin_server_ts: i64::try_from(EPOCH.0).expect("a time") + depth,
            redacts: None,
        }
    }

    /// Signs an event in the name of its sender's server.
    #[must_use]
    pub fn sign(&self, template: Template) -> Event {
        let server = template.sender.server_name();
        let built = template.build(self.version, &server, &self.key);
        built.expect("a valid event").event().clone()
    }

    /// Goes on with another state, as one who knows what branches came to.
    pub fn set_state(&mut self, state: BTreeMap<(String, String), EventId>) {
        self.state = state;
    }

    /// Goes on after an event that somebody made.
    pub fn take(&mut self, event: &Event) {
        if let Some(state_key) = event.state_key() {
            let key = (event.kind().to_owned(), state_key.to_owned());
            self.state.insert(key, event.event_id().clone());
        }
        self.last = Some(event.event_id().clone());
        self.depth = event.depth();
    }

    fn auth_events(
        &self,
        sender: &UserId,
        kind: &str,
        state_key: Option<&str>,
        content: &Map,
    ) -> Vec<EventId> {
        let keys = auth_types_for(self.version, kind, sender.as_str(), state_key, content);
        keys.iter()
            .filter_map(|key| self.state.get(key).cloned())
            .collect()
    }

    /// Gives the room to a server, as a join does: everything as outliers, then the last state event placed behind the gap.
    pub fn give_to(&self, server: &mut Server, asked: &mut dyn FnMut()) {
        self.give_with_keys(server, &self.keys(), asked);
    }

    /// As [`Self::give_to`], with the keys of all servers that have users in the room.
    ///
    /// # Panics
    /// When the room does not take it.
    pub fn give_with_keys(&self, server: &mut Server, keys: &[ServerKey], asked: &mut dyn FnMut()) {
        let room = self.room();
        let version = self.version.as_str().to_owned();
        server.ask(&room, Begin { version }).expect("a room begins");
        asked();
        let (last_id, last) = self.sent.last().expect("there are events");
        for piece in self.sent.chunks(SUPPLIED_AT_ONCE) {
            let events = piece.iter().map(|(_, event)| event.clone()).collect();
            let supply = Supply {
                events,
                keys: keys.to_vec(),
                place: None,
                is_state: false,
            };
            server.ask(&room, supply).expect("events are supplied");
            asked();
        }
        let before = self.state_before_last();
        for (at, piece) in before.chunks(SUPPLIED_AT_ONCE).enumerate() {
            let supply = SupplyState {
                event_id: last_id.as_str().to_owned(),
                first: at == 0,
                state: piece.to_vec(),
            };
            let reply = server.ask(&room, supply).expect("state is supplied");
            assert!(reply.missing.is_empty(), "{:?}", reply.missing);
            asked();
        }
        let place = Place {
            origin: self.server.as_str().to_owned(),
            event: last.clone(),
            keys: keys.to_vec(),
            history_before: None,
        };
        let reply = server.ask(&room, place).expect("the event is placed");
        assert_eq!(
            reply.verdicts.first().map(|verdict| verdict.outcome),
            Some(selvage_protocol::federation::Outcome::Accepted),
            "{reply:?}"
        );
        asked();
    }
}

/// An event in the form that servers exchange.
///
/// # Panics
/// Never: an event is JSON.
#[must_use]
pub fn raw(event: &Event) -> Json {
    RawValue::from_string(event.json().to_owned()).expect("an event is JSON")
}
