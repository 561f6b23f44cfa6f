//! What the fuzz targets do with their bytes, and what must hold whatever the bytes are. The ordinary tests run the
//! same functions over the committed corpus and over mutations of it.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use selvage_event::auth::check_state;
use selvage_event::resolve::{Conflicted, resolve};
use selvage_event::{
    Event, EventId, EventLookup, KnownEvent, PowerLevels, ReceivedEvent, RoomVersion, Source, StateKey,
    VerifyKeys, auth_types_for, canonical, redact,
};
use serde_json::{Value, json};

/// The first byte chooses the room version.
fn version_of(data: &[u8]) -> Option<(RoomVersion, &[u8])> {
    let (first, rest) = data.split_first()?;
    Some((
        RoomVersion::ALL[usize::from(*first) % RoomVersion::ALL.len()],
        rest,
    ))
}

/// Bytes taken for an event: what is read once reads the same again, and an unsigned event is never verified.
pub fn event(data: &[u8]) {
    let Some((version, bytes)) = version_of(data) else {
        return;
    };
    let Ok(received) = ReceivedEvent::parse(bytes, version) else {
        return;
    };
    let event = received.event().clone();
    assert!(event.json().len() <= selvage_event::limits::MAX_EVENT_BYTES);
    let again = ReceivedEvent::parse(event.json().as_bytes(), version).expect("what was read can be read");
    assert_eq!(
        (again.event().json(), again.event().event_id()),
        (event.json(), event.event_id())
    );
    let stored = Event::from_stored(event.json(), event.event_id().clone(), version).expect("and stored");
    assert_eq!(stored, event);
    let redacted = event.redacted().expect("and redacted");
    assert_eq!(redacted.redacted().expect("twice"), redacted);
    let needs_signatures = !received.needed_keys().is_empty();
    assert_eq!(
        received.verify(&VerifyKeys::new()).expect("infallible").is_err(),
        needs_signatures
    );
}

/// Bytes taken for canonical JSON: writing is stable, and redaction knows no bad input.
pub fn canonical(data: &[u8]) {
    let Some((version, bytes)) = version_of(data) else {
        return;
    };
    let Ok(object) = canonical::parse_object(bytes) else {
        return;
    };
    let redacted = redact(version, &object);
    assert_eq!(redact(version, &redacted), redacted);
    let Ok(text) = canonical::to_canonical(&object) else {
        return;
    };
    let again = canonical::parse_object(text.as_bytes()).expect("canonical JSON is JSON");
    assert_eq!(again, object);
    assert_eq!(canonical::to_canonical(&again).as_deref(), Ok(text.as_str()));
}

const USERS: [&str; 4] = ["@ann:a", "@bob:a", "@cat:b", "@dan:b"];

/// A room in memory.
struct Room {
    version: RoomVersion,
    known: BTreeMap<EventId, KnownEvent>,
}

type State = BTreeMap<StateKey, EventId>;

fn key(kind: &str, state_key: &str) -> StateKey {
    (kind.to_owned(), state_key.to_owned())
}

impl Room {
    /// A public room in which Bob has level 50 and Cat has joined.
    fn new(version: RoomVersion) -> (Self, State) {
        let mut room = Self {
            version,
            known: BTreeMap::new(),
        };
        let mut state = State::new();
        let create = json!({"room_version": version.as_str(), "creator": USERS[0]});
        room.grow(&mut state, USERS[0], "m.room.create", "", create);
        room.grow(
            &mut state,
            USERS[0],
            "m.room.member",
            USERS[0],
            json!({"membership": "join"}),
        );
        let mut levels = json!({"users": {USERS[1]: 50}});
        if version < RoomVersion::V12 {
            levels["users"][USERS[0]] = json!(100);
        }
        room.grow(&mut state, USERS[0], "m.room.power_levels", "", levels);
        room.grow(
            &mut state,
            USERS[0],
            "m.room.join_rules",
            "",
            json!({"join_rule": "public"}),
        );
        for user in &USERS[1..3] {
            room.grow(
                &mut state,
                user,
                "m.room.member",
                user,
                json!({"membership": "join"}),
            );
        }
        (room, state)
    }

    fn make(
        &self,
        state: &State,
        sender: &str,
        kind: &str,
        state_key: &str,
        content: Value,
    ) -> Option<Event> {
        let keys = auth_types_for(self.version, kind, sender, Some(state_key), content.as_object()?);
        let pairs = self.version.rules().references_are_pairs();
        let reference = |id: &EventId| if pairs { json!([id, {}]) } else { json!(id) };
        let cited: Value = keys
            .iter()
            .filter_map(|key| state.get(key))
            .map(reference)
            .collect();
        let id = if kind == "m.room.create" {
            "$room:a".to_owned()
        } else {
            format!("${}:a", self.known.len())
        };
        let prev = if self.known.len() == 1 {
            json!([reference(&EventId::parse("$room:a").ok()?)])
        } else {
            json!([])
        };
        let mut event = json!({
            "type": kind, "sender": sender, "state_key": state_key, "content": content, "prev_events": prev,
            "auth_events": cited, "depth": self.known.len(), "origin_server_ts": self.known.len() % 3,
            "hashes": {"sha256": ""}, "signatures": {}, "event_id": id, "room_id": "!room:a",
        });
        if kind == "m.room.create" && self.version == RoomVersion::V12 {
            event.as_object_mut()?.remove("room_id");
        }
        Event::from_stored(&event.to_string(), EventId::parse(id).ok()?, self.version).ok()
    }

    fn snapshot(&self, state: &State) -> BTreeMap<StateKey, Event> {
        state
            .iter()
            .map(|(key, id)| (key.clone(), self.known[id].event.clone()))
            .collect()
    }

    /// Adds an event if it is allowed.
    fn grow(&mut self, state: &mut State, sender: &str, kind: &str, state_key: &str, content: Value) {
        let Some(event) = self.make(state, sender, kind, state_key, content) else {
            return;
        };
        if check_state(&event, &self.snapshot(state)).is_ok() {
            state.insert(key(kind, state_key), event.event_id().clone());
            self.known.insert(
                event.event_id().clone(),
                KnownEvent {
                    event,
                    rejected: false,
                },
            );
        }
    }
}

/// Bytes taken for the content of an event that somebody sends into a room: the rules give an answer, nobody gains power
/// by power levels of their own, and nobody who may not send gets in.
pub fn auth(data: &[u8]) {
    let Some((version, [choice, bytes @ ..])) = version_of(data) else {
        return;
    };
    let Ok(content) = canonical::parse_object(bytes) else {
        return;
    };
    let (room, state) = Room::new(version);
    let sender = USERS[usize::from(*choice) % USERS.len()];
    let (kind, target) = match choice / 4 % 4 {
        0 => ("m.room.power_levels", ""),
        1 => ("m.room.member", sender),
        2 => ("m.room.member", USERS[3]),
        _ => ("m.room.topic", ""),
    };
    let Some(event) = room.make(&state, sender, kind, target, Value::Object(content)) else {
        return;
    };
    let snapshot = room.snapshot(&state);
    if check_state(&event, &snapshot).is_err() {
        return;
    }
    assert!(
        kind != "m.room.topic" || sender == USERS[0] || sender == USERS[1],
        "topics need level 50"
    );
    let before = PowerLevels::of_state(&snapshot)
        .expect("infallible")
        .expect("levels");
    let mut after = snapshot;
    after.insert(key(kind, target), event);
    let after = PowerLevels::of_state(&after)
        .expect("infallible")
        .expect("levels that were allowed can be read");
    assert!(
        after.user(sender) <= before.user(sender),
        "nobody gains power by their own levels"
    );
}

struct Forks<'a> {
    room: &'a Room,
    states: Vec<State>,
    /// Whether it says what lies below an event, as an index does.
    knows_below: bool,
}

impl EventLookup for Forks<'_> {
    type Error = Infallible;
    fn event(&self, id: &EventId) -> Result<Option<KnownEvent>, Infallible> {
        Ok(self.room.known.get(id).cloned())
    }
}

impl Source for Forks<'_> {
    fn unconflicted(&self, kind: &str, state_key: &str) -> Result<Option<EventId>, Infallible> {
        Ok(self
            .states
            .first()
            .and_then(|state| state.get(&key(kind, state_key)).cloned()))
    }

    fn auth_difference(&self) -> Result<BTreeSet<EventId>, Infallible> {
        let chains: Vec<_> = self.states.iter().map(|state| self.chain(state)).collect();
        let all: BTreeSet<_> = chains.iter().flatten().cloned().collect();
        Ok(all
            .into_iter()
            .filter(|id| !chains.iter().all(|chain| chain.contains(id)))
            .collect())
    }

    fn may_reach(&self, from: &EventId, targets: &BTreeSet<EventId>) -> Result<bool, Infallible> {
        let only = State::from([(key("", ""), from.clone())]);
        Ok(!self.knows_below || !self.chain(&only).is_disjoint(targets))
    }
}

impl Forks<'_> {
    fn chain(&self, state: &State) -> BTreeSet<EventId> {
        let mut chain = BTreeSet::new();
        let mut open: Vec<EventId> = state.values().cloned().collect();
        while let Some(id) = open.pop() {
            for cited in self.room.known[&id].event.auth_events() {
                if chain.insert(cited.clone()) {
                    open.push(cited.clone());
                }
            }
        }
        chain
    }

    fn conflicted(&self) -> Conflicted {
        let keys: BTreeSet<&StateKey> = self.states.iter().flat_map(BTreeMap::keys).collect();
        let values = |key: &StateKey| {
            self.states
                .iter()
                .map(|state| state.get(key).cloned())
                .collect::<Vec<_>>()
        };
        let all = keys.into_iter().map(|key| (key.clone(), values(key)));
        all.filter(|(_, values)| values.windows(2).any(|pair| pair[0] != pair[1]))
            .collect()
    }

    fn resolve(&self) -> State {
        resolve(self.room.version, &self.conflicted(), self).expect("nothing is missing")
    }
}

/// Pairs of bytes taken for what users do on three forks: resolution ends, takes one of the events at each key, and does
/// not depend on the order of the forks, nor on whether there is an index of auth chains.
pub fn resolve_forks(data: &[u8]) {
    let Some((version, bytes)) = version_of(data) else {
        return;
    };
    let (mut room, base) = Room::new(version);
    let mut states = vec![base; 3];
    for pair in bytes.chunks_exact(2).take(64) {
        let (who, what) = (usize::from(pair[0]), usize::from(pair[1]));
        let (sender, target) = (USERS[who % 4], USERS[who / 4 % 4]);
        let (kind, state_key, content) = action(what, sender, target);
        room.grow(&mut states[who / 16 % 3], sender, kind, state_key, content);
    }
    let mut forks = Forks {
        room: &room,
        states,
        knows_below: false,
    };
    let resolved = forks.resolve();
    let conflicted = forks.conflicted();
    for (key, id) in &resolved {
        let event = &room.known[id].event;
        assert!(event.is_state_of(&key.0, &key.1));
        assert!(
            conflicted.contains_key(key),
            "every key here is in some fork's state"
        );
    }
    forks.states.reverse();
    assert_eq!(forks.resolve(), resolved);
    forks.knows_below = true;
    assert_eq!(forks.resolve(), resolved, "an index changes nothing");
}

fn action<'a>(what: usize, sender: &'a str, target: &'a str) -> (&'static str, &'a str, Value) {
    let membership = |name: &str| json!({"membership": name});
    match what % 8 {
        0 => ("m.room.member", sender, membership("join")),
        1 => ("m.room.member", sender, membership("leave")),
        2 => ("m.room.member", target, membership("ban")),
        3 => ("m.room.member", target, membership("leave")),
        4 => ("m.room.member", target, membership("invite")),
        5 => {
            let rule = ["public", "invite", "knock", "restricted"][what / 8 % 4];
            ("m.room.join_rules", "", json!({"join_rule": rule}))
        }
        6 => (
            "m.room.power_levels",
            "",
            json!({"users": {target: what / 8 * 5, "@bob:a": 50}}),
        ),
        _ => ("m.room.topic", "", json!({"topic": what})),
    }
}
