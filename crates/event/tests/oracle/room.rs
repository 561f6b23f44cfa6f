//! A room that grows at random: users who join, leave, kick, ban, knock, and fight over power and join rules.

use std::collections::{BTreeMap, BTreeSet};

use selvage_event::auth::{AuthEvents, check_auth_events, check_state};
use selvage_event::{Event, EventId, KnownEvent, RoomVersion, StateKey, auth_types_for};
use serde_json::{Value, json};

use super::pdu::Pdu;
use super::rng::Rng;

pub(crate) type State = BTreeMap<StateKey, EventId>;

/// The users; the first creates the room. The last is of another server.
pub(crate) const USERS: [&str; 6] = ["@ann:a", "@bob:a", "@cat:b", "@dan:b", "@eve:a", "@fox:c"];

pub(crate) struct Room {
    pub(crate) version: RoomVersion,
    pub(crate) rng: Rng,
    pub(crate) events: BTreeMap<EventId, KnownEvent>,
    pub(crate) pdus: BTreeMap<EventId, Pdu>,
    made: u64,
}

/// An event that someone would like to send.
pub(crate) struct Wish {
    pub(crate) sender: String,
    pub(crate) kind: String,
    pub(crate) state_key: Option<String>,
    pub(crate) content: Value,
}

impl Room {
    pub(crate) fn new(version: RoomVersion, seed: u64) -> Self {
        Self {
            version,
            rng: Rng::new(seed),
            events: BTreeMap::new(),
            pdus: BTreeMap::new(),
            made: 0,
        }
    }

    pub(crate) fn event(&self, id: &EventId) -> Event {
        self.events[id].event.clone()
    }

    /// Create event, creator, and mostly power levels, join rules and some members.
    pub(crate) fn found(&mut self) -> State {
        let mut state = State::new();
        let mut content = json!({"room_version": self.version.as_str()});
        if self.version <= RoomVersion::V10 {
            content["creator"] = json!(USERS[0]);
        }
        if self.version == RoomVersion::V12 && self.rng.one_in(2) {
            content["additional_creators"] = json!([USERS[1]]);
        }
        self.add(&mut state, wish(USERS[0], "m.room.create", "", content), &[]);
        self.add_member(&mut state, USERS[0], USERS[0], "join");
        if !self.rng.one_in(8) {
            let levels = self.levels();
            self.add(&mut state, wish(USERS[0], "m.room.power_levels", "", levels), &[]);
        }
        self.add(
            &mut state,
            wish(USERS[0], "m.room.join_rules", "", json!({"join_rule": "public"})),
            &[],
        );
        for user in &USERS[1..] {
            if !self.rng.one_in(4) {
                self.add_member(&mut state, user, user, "join");
            }
        }
        state
    }

    fn add_member(&mut self, state: &mut State, sender: &str, target: &str, membership: &str) {
        self.add(
            state,
            wish(sender, "m.room.member", target, json!({"membership": membership})),
            &[],
        );
    }

    /// All single levels are stated, because ruma takes a level that is not stated for its default when it is
    /// added or removed, while Synapse (and we) take it for nothing.
    fn levels(&mut self) -> Value {
        let mut level = |most: usize| self.rng.pick(&[0, 0, 25, 50, 50, 75, 100][..most]).to_owned();
        let mut users = serde_json::Map::new();
        for user in USERS {
            let level = level(7);
            let is_creator = self.version == RoomVersion::V12;
            if level > 0 && !(is_creator && (user == USERS[0] || user == USERS[1])) {
                users.insert(user.to_owned(), json!(level));
            }
        }
        if self.version < RoomVersion::V12 {
            users.insert(USERS[0].to_owned(), json!(100));
        }
        json!({"users": users, "users_default": level(2), "ban": level(6), "kick": level(6), "invite": level(5),
               "redact": 50, "state_default": level(6), "events_default": 0,
               "events": {"m.room.topic": level(3), "m.room.power_levels": level(7)}})
    }

    /// Something that somebody might try in that state.
    pub(crate) fn wish(&mut self, state: &State) -> Wish {
        let sender = (*self.rng.pick(&USERS)).to_owned();
        let target = (*self.rng.pick(&USERS)).to_owned();
        let own = |membership: &str| {
            wish(
                &sender,
                "m.room.member",
                &sender,
                json!({"membership": membership}),
            )
        };
        let other = |membership: &str| {
            wish(
                &sender,
                "m.room.member",
                &target,
                json!({"membership": membership}),
            )
        };
        match self.rng.below(16) {
            0 | 1 => own("join"),
            2 => own("leave"),
            3 => own("knock"),
            4 | 5 => other("leave"),
            6 | 7 => other("ban"),
            8 => other("invite"),
            9 => {
                let rules = [
                    "public",
                    "invite",
                    "knock",
                    "restricted",
                    "knock_restricted",
                    "private",
                ];
                let rule = json!({"join_rule": self.rng.pick(&rules)});
                wish(&sender, "m.room.join_rules", "", rule)
            }
            10..=12 => {
                let levels = self.changed_levels(state);
                wish(&sender, "m.room.power_levels", "", levels)
            }
            13 => {
                let content = json!({"membership": "join", "join_authorised_via_users_server": target});
                wish(&sender, "m.room.member", &sender, content)
            }
            14 => wish(&sender, "m.room.topic", "", json!({"topic": self.rng.below(9)})),
            _ => wish(
                &sender,
                "org.example.mine",
                &target,
                json!({"n": self.rng.below(9)}),
            ),
        }
    }

    /// The levels of the state with a little changed, or others altogether.
    fn changed_levels(&mut self, state: &State) -> Value {
        let current = state.get(&("m.room.power_levels".to_owned(), String::new()));
        let Some(current) = current.filter(|_| !self.rng.one_in(6)).cloned() else {
            return self.levels();
        };
        let mut levels = Value::Object(self.event(&current).content().clone());
        let level = *self.rng.pick(&[0, 25, 50, 75, 100]);
        match self.rng.below(4) {
            0 => levels["ban"] = json!(level),
            1 => levels["events"]["m.room.topic"] = json!(level),
            _ => levels["users"][*self.rng.pick(&USERS)] = json!(level),
        }
        levels
    }

    /// Makes the event that was wished for, on that state, citing what the rules select.
    pub(crate) fn make(&mut self, state: &State, wish: Wish, prev: &[EventId]) -> Event {
        let content = wish.content.as_object().unwrap();
        let keys = auth_types_for(
            self.version,
            &wish.kind,
            &wish.sender,
            wish.state_key.as_deref(),
            content,
        );
        let auth: Vec<EventId> = keys.iter().filter_map(|key| state.get(key).cloned()).collect();
        self.make_citing(wish, prev, &auth)
    }

    pub(crate) fn make_citing(&mut self, wish: Wish, prev: &[EventId], auth: &[EventId]) -> Event {
        self.made += 1;
        let is_create = wish.kind == "m.room.create";
        // Random ids, so that their order says nothing; the room id of version 12 names the create event.
        let id = if is_create {
            "$create:a".to_owned()
        } else {
            format!("${:06x}{}", self.rng.below(1 << 24), self.made)
        };
        let mut event = json!({
            "type": wish.kind, "sender": wish.sender, "content": wish.content, "prev_events": prev,
            "auth_events": auth, "depth": self.made, "origin_server_ts": 1000 + self.rng.below(4),
            "hashes": {"sha256": ""}, "signatures": {},
        });
        if let Some(state_key) = wish.state_key {
            event["state_key"] = json!(state_key);
        }
        if !(is_create && self.version == RoomVersion::V12) {
            event["room_id"] = json!("!create:a");
        }
        Event::from_stored(&event.to_string(), EventId::parse(id).unwrap(), self.version).unwrap()
    }

    pub(crate) fn keep(&mut self, event: &Event) {
        self.pdus.insert(event.event_id().clone(), Pdu::of(event));
        let known = KnownEvent {
            event: event.clone(),
            rejected: false,
        };
        self.events.insert(event.event_id().clone(), known);
    }

    /// Adds a wish's event to room and state, if it is allowed.
    pub(crate) fn add(&mut self, state: &mut State, wish: Wish, prev: &[EventId]) -> Option<Event> {
        let founding = [EventId::parse("$create:a").unwrap()];
        let prev: &[EventId] = match wish.kind.as_str() {
            "m.room.create" => &[],
            _ if prev.is_empty() => &founding,
            _ => prev,
        };
        let event = self.make(state, wish, prev);
        let auth: AuthEvents = check_auth_events(&event, &self.events).ok()?;
        check_state(&event, &auth).ok()?;
        check_state(&event, &self.snapshot(state)).ok()?;
        self.keep(&event);
        let key = (event.kind().to_owned(), event.state_key()?.to_owned());
        state.insert(key, event.event_id().clone());
        Some(event)
    }

    pub(crate) fn snapshot(&self, state: &State) -> BTreeMap<StateKey, Event> {
        state
            .iter()
            .map(|(key, id)| (key.clone(), self.event(id)))
            .collect()
    }

    /// The events in the auth chains of a state.
    pub(crate) fn auth_chain(&self, state: &State) -> BTreeSet<EventId> {
        let mut chain = BTreeSet::new();
        let mut open: Vec<EventId> = state
            .values()
            .flat_map(|id| self.event(id).auth_events().to_vec())
            .collect();
        while let Some(id) = open.pop() {
            if chain.insert(id.clone()) {
                open.extend(self.event(&id).auth_events().iter().cloned());
            }
        }
        chain
    }
}

pub(crate) fn wish(sender: &str, kind: &str, state_key: &str, content: Value) -> Wish {
    Wish {
        sender: sender.to_owned(),
        kind: kind.to_owned(),
        state_key: Some(state_key.to_owned()),
        content,
    }
}
