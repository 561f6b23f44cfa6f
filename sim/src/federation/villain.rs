//! Hostile servers: real keys, and no scruples.

mod deeds;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use selvage_event::{EventId, Map, RoomVersion, ServerName, SigningKey, Template, UserId, auth_types_for};
use selvage_protocol::Json;
use selvage_protocol::federation::StateIdsReply;
use selvage_protocol::room::RoomCommand;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

use super::acts::Wish;
use super::plan::{Act, Odd};
use super::reference::{Reference, StateMap};
use crate::Prng;

const KEY_ID: &str = "ed25519:evil";
/// A depth that is the greatest, and a time far in the future (2^53 - 1).
const GREATEST: i64 = (1 << 53) - 1;
/// How many newest events it follows at most.
const FOLLOWED_MAX: usize = 10;
/// How many events it answers with at most.
const ANSWER_MAX: usize = 20;

/// A hostile server.
pub(crate) struct Villain {
    pub(crate) name: ServerName,
    pub(crate) key: SigningKey,
    pub(crate) user: UserId,
    /// All its events, in the order in which it made them.
    made: Vec<EventId>,
    /// Those that it does not give away.
    kept_back: BTreeSet<EventId>,
    lies: bool,
    prng: Prng,
    time: i64,
}

/// An event to be made.
struct Make<'m> {
    sender: &'m UserId,
    act: &'m Act,
    prev: Vec<EventId>,
    auth: Option<Vec<EventId>>,
    odd: Odd,
}

impl Villain {
    pub(crate) fn new(seed: u64, number: usize) -> Self {
        let mut prng = Prng::new(seed ^ (0xe711 + number as u64));
        let name = ServerName::parse(format!("h{number}.test")).expect("a server name");
        Self {
            key: SigningKey::from_seed(KEY_ID, &prng.bytes()).expect("a key"),
            user: UserId::from_parts("evil", &name).expect("a user id"),
            name,
            made: Vec::new(),
            kept_back: BTreeSet::new(),
            lies: false,
            prng,
            time: 0,
        }
    }

    /// The events that it gives away.
    fn gives(&self, reference: &Reference, id: &EventId) -> Option<Json> {
        let event = reference.event(id).filter(|_| !self.kept_back.contains(id))?;
        RawValue::from_string(event.json().to_owned()).ok()
    }

    /// What it answers; `None` for a refusal.
    fn answer(&mut self, reference: &Reference, asked: &RoomCommand) -> Option<Value> {
        match asked {
            RoomCommand::GetMissingEvents(ask) => {
                let mut found = self.walk(reference, &parsed(&ask.latest), &parsed(&ask.earliest));
                found.reverse();
                self.show(&found)
            }
            RoomCommand::Backfill(ask) => {
                let from = parsed(&ask.from);
                let mut found: Vec<Json> = from.iter().filter_map(|id| self.gives(reference, id)).collect();
                found.extend(self.walk(reference, &from, &[]));
                self.show(&found)
            }
            RoomCommand::EventForServer(ask) => {
                let id = EventId::parse(&ask.event_id).ok()?;
                serde_json::to_value(self.gives(reference, &id)?).ok()
            }
            RoomCommand::EventsById(ask) => {
                let found = parsed(&ask.ids);
                let found: Vec<Json> = found.iter().filter_map(|id| self.gives(reference, id)).collect();
                serde_json::to_value(found).ok()
            }
            RoomCommand::StateIds(ask) => {
                let id = EventId::parse(&ask.event_id).ok()?;
                let mut state = reference.place(&id)?.before;
                if self.lies {
                    self.distort(reference, Rc::make_mut(&mut state));
                }
                serde_json::to_value(state_ids(reference, &state)).ok()
            }
            _ => None,
        }
    }

    fn show(&mut self, found: &[Json]) -> Option<Value> {
        if self.lies && self.prng.chance(50) {
            return None;
        }
        serde_json::to_value(found).ok()
    }

    /// What comes before some events, newest first.
    fn walk(&self, reference: &Reference, latest: &[EventId], earliest: &[EventId]) -> Vec<Json> {
        let mut known: BTreeSet<EventId> = earliest.iter().cloned().collect();
        let mut open: Vec<EventId> = latest.to_vec();
        let mut found = Vec::new();
        while let Some(id) = open.pop() {
            let prevs = reference.event(&id).map(|event| event.prev_events().to_vec());
            for prev in prevs.unwrap_or_default() {
                if known.insert(prev.clone()) && found.len() < ANSWER_MAX {
                    found.extend(self.gives(reference, &prev));
                    open.insert(0, prev);
                }
            }
        }
        found
    }

    /// Leaves entries out of a state, and puts others in their place.
    fn distort(&mut self, reference: &Reference, state: &mut StateMap) {
        let keys: Vec<_> = state.keys().cloned().collect();
        for key in keys {
            if self.prng.chance(15) && key.0 != "m.room.create" {
                state.remove(&key);
            }
        }
        for id in reference.order() {
            let Some(event) = reference.event(id) else {
                continue;
            };
            if let Some(state_key) = event.state_key()
                && event.kind() != "m.room.create"
                && self.prng.chance(15)
            {
                state.insert((event.kind().to_owned(), state_key.to_owned()), id.clone());
            }
        }
    }

    /// Makes an event.
    fn make(&mut self, reference: &Reference, users: &[String], make: Make<'_>) -> Option<Value> {
        let state = state_after(reference, &make.prev);
        let wish = Wish::of(make.act, users, make.sender.as_str(), &levels(reference, &state));
        let content: Map = wish.content.as_object().cloned().unwrap_or_default();
        let (sender, key) = (make.sender.as_str(), wish.state_key.as_deref());
        let selected = auth_types_for(reference.version(), wish.kind, sender, key, &content);
        let auth = selected.iter().filter_map(|key| state.get(key).cloned());
        let redacts = wish.redacts.map(|which| redactable(reference, which));
        if let Some(None) = redacts {
            return None;
        }
        self.time += 1;
        let template = Template {
            room_id: Some(reference.room_id().parse().expect("a room id")),
            sender: make.sender.clone(),
            kind: wish.kind.to_owned(),
            content,
            depth: depth(reference, &make.prev, make.odd),
            prev_events: make.prev,
            auth_events: make.auth.unwrap_or_else(|| auth.collect()),
            origin_server_ts: time(make.odd, self.time),
            redacts: redacts.flatten(),
            state_key: wish.state_key,
        };
        self.build(reference.version(), template)
    }

    fn build(&self, version: RoomVersion, template: Template) -> Option<Value> {
        let built = template.build(version, &self.name, &self.key).ok()?;
        serde_json::from_str(built.event().json()).ok()
    }

    /// Keeps an event of its own, for others to ask for.
    fn keep(&mut self, reference: &mut Reference, event: &Value, kept_back: bool) -> Option<(EventId, Json)> {
        let json = to_raw_value(event).ok()?;
        let id = reference.add(json.get())?;
        self.made.push(id.clone());
        if kept_back {
            self.kept_back.insert(id.clone());
        }
        Some((id, json))
    }
}

fn parsed(ids: &[String]) -> Vec<EventId> {
    ids.iter().filter_map(|id| EventId::parse(id).ok()).collect()
}

/// The power levels of a state.
fn levels(reference: &Reference, state: &StateMap) -> Value {
    let levels = state.get(&("m.room.power_levels".to_owned(), String::new()));
    let levels = levels.and_then(|id| reference.event(id));
    levels.map_or_else(|| json!({}), |event| Value::Object(event.content().clone()))
}

/// Any message. Who redacts what decides over power parts servers that had it before from those that come later, which no
/// server can help.
fn redactable(reference: &Reference, which: usize) -> Option<EventId> {
    let order = reference.order();
    let id = &order[which % order.len()];
    reference
        .event(id)
        .filter(|event| !event.is_state())
        .map(|_| id.clone())
}

fn depth(reference: &Reference, prev: &[EventId], odd: Odd) -> i64 {
    let deepest = prev
        .iter()
        .filter_map(|id| Some(reference.event(id)?.depth()))
        .max();
    match odd {
        Odd::Deep => GREATEST,
        Odd::Shallow => 0,
        Odd::Nothing | Odd::Old | Odd::Future => deepest.unwrap_or(0).saturating_add(1).min(GREATEST),
    }
}

fn time(odd: Odd, number: i64) -> i64 {
    match odd {
        Odd::Old => 0,
        Odd::Future => GREATEST,
        _ => i64::try_from(crate::server::EPOCH.0).unwrap_or(0) + number,
    }
}

/// What the states after some events resolve to, as far as they are known.
fn state_after(reference: &Reference, events: &[EventId]) -> Rc<StateMap> {
    let places = events.iter().filter_map(|id| reference.place(id));
    let forks: Vec<Rc<StateMap>> = places.map(|place| place.after).collect();
    reference.resolved(&forks)
}

/// A state with its auth chain, each event after those that it cites.
fn state_ids(reference: &Reference, state: &StateMap) -> StateIdsReply {
    let mut chain = Vec::new();
    let mut seen = BTreeSet::new();
    let mut open: Vec<(EventId, bool)> = state.values().map(|id| (id.clone(), false)).collect();
    while let Some((id, is_done)) = open.pop() {
        if is_done {
            chain.push(id);
        } else if seen.insert(id.clone()) {
            open.push((id.clone(), true));
            let cited = reference.event(&id).map(|event| event.auth_events().to_vec());
            open.extend(cited.unwrap_or_default().into_iter().map(|id| (id, false)));
        }
    }
    StateIdsReply {
        state: state.values().map(|id| id.as_str().to_owned()).collect(),
        auth_chain: chain.iter().map(|id| id.as_str().to_owned()).collect(),
    }
}

/// The events that nothing follows and the rules allow.
fn newest(reference: &Reference) -> Vec<EventId> {
    let mut newest: BTreeMap<&EventId, usize> = BTreeMap::new();
    for (number, id) in reference.order().iter().enumerate() {
        if reference.place(id).is_some_and(|place| place.refused.is_none()) {
            newest.insert(id, number);
        }
    }
    for id in newest.keys().copied().cloned().collect::<Vec<_>>() {
        for prev in reference
            .event(&id)
            .map(|event| event.prev_events().to_vec())
            .unwrap_or_default()
        {
            newest.remove(&prev);
        }
    }
    let mut newest: Vec<(usize, EventId)> = newest
        .into_iter()
        .map(|(id, number)| (number, id.clone()))
        .collect();
    newest.sort();
    newest
        .into_iter()
        .rev()
        .take(FOLLOWED_MAX)
        .map(|(_, id)| id)
        .collect()
}
