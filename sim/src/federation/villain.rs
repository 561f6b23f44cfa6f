//! Hostile servers: real keys, and no scruples.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use selvage_event::{EventId, Map, RoomVersion, ServerName, SigningKey, Template, UserId, auth_types_for};
use selvage_protocol::Json;
use selvage_protocol::federation::{MakeMembership, SendMembership, StateIdsReply};
use selvage_protocol::room::RoomCommand;
use selvage_protocol::user::Membership;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

use super::acts::Wish;
use super::network::Parcel;
use super::plan::{Act, After, Deed, Forgery, Odd};
use super::ports::sign;
use super::reference::{Reference, StateMap};
use super::world::{Then, World};
use crate::Prng;
use crate::plan::Checked;

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

impl World {
    /// What a hostile server answers to a question about the room.
    pub(crate) fn answer_of(&mut self, number: usize, asked: &RoomCommand) -> Option<Value> {
        let villain = number - self.hosts.len();
        self.villains[villain].answer(&self.reference, asked)
    }

    /// A hostile server does something.
    pub(crate) fn villain(&mut self, index: usize, deed: &Deed, to: u32) -> Checked {
        let Some(villain) = index.checked_rem(self.villains.len()) else {
            return Ok(());
        };
        let user = self.villains[villain].user.clone();
        match deed {
            Deed::Join { via } => return self.villain_joins(villain, self.host(*via)),
            Deed::Act { act, after, odd } => {
                let prev = self.followed(after);
                self.make(villain, &user, act, prev, None, *odd, to);
            }
            Deed::Forge { victim, how, act } => self.forge(villain, *victim, *how, act, to),
            Deed::Equivocate { act, other } => {
                let prev = self.followed(&After::Newest);
                self.make(villain, &user, act, prev.clone(), None, Odd::Nothing, to);
                self.make(villain, &user, other, prev, None, Odd::Nothing, !to);
            }
            Deed::Withhold { length, act } => self.withhold(villain, *length, act, to),
            Deed::WrongAuth { act, cited } => {
                let prev = self.followed(&After::Newest);
                let auth = self.followed(&After::These(cited.clone()));
                self.make(villain, &user, act, prev, Some(auth), Odd::Nothing, to);
            }
            Deed::SecondCreate => self.second_create(villain, to),
            Deed::Strip { which } => self.strip(villain, *which, to),
            Deed::Reveal => self.reveal(villain, to),
            Deed::Lie { lies } => self.villains[villain].lies = *lies,
        }
        Ok(())
    }

    fn followed(&self, after: &After) -> Vec<EventId> {
        let order = self.reference.order();
        match after {
            After::Newest => newest(&self.reference),
            After::These(which) => {
                let chosen: BTreeSet<usize> = which.iter().map(|which| which % order.len()).collect();
                chosen.into_iter().map(|which| order[which].clone()).collect()
            }
            After::Nothing => Vec::new(),
            After::Unknown => {
                let nobody_has = match self.reference.version() {
                    RoomVersion::V1 | RoomVersion::V2 => "$nobody:h0.test".to_owned(),
                    _ => format!("${}", "A".repeat(43)),
                };
                vec![EventId::parse(nobody_has).expect("an id")]
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "an event has many parts")]
    fn make(
        &mut self,
        villain: usize,
        sender: &UserId,
        act: &Act,
        prev: Vec<EventId>,
        auth: Option<Vec<EventId>>,
        odd: Odd,
        to: u32,
    ) {
        let users = self.users();
        let make = Make {
            sender,
            act,
            prev,
            auth,
            odd,
        };
        let Some(event) = self.villains[villain].make(&self.reference, &users, make) else {
            return;
        };
        self.note_act(act);
        if let Some((_, json)) = self.villains[villain].keep(&mut self.reference, &event, false) {
            self.send_to(villain, &[json], to);
        }
    }

    fn note_act(&mut self, act: &Act) {
        self.all_shown &= !matches!(act, Act::History { .. });
    }

    /// Puts events into the post to all with a bit in the mask.
    fn send_to(&mut self, villain: usize, events: &[Json], to: u32) {
        for host in 0..self.hosts.len() {
            if to >> (host % 32) & 1 == 1 && self.hosts[host].newest(&self.room).is_some() {
                self.parcels.push(Parcel {
                    from: self.hosts.len() + villain,
                    to: host,
                    events: events.to_vec(),
                    after: None,
                });
            }
        }
    }

    fn forge(&mut self, villain: usize, victim: usize, how: Forgery, act: &Act, to: u32) {
        let users = self.users();
        let victim: UserId = users[victim % users.len()].parse().expect("a user id");
        let sender = match how {
            Forgery::Hash => self.villains[villain].user.clone(),
            Forgery::Key | Forgery::Unsigned => victim,
        };
        let make = Make {
            sender: &sender,
            act,
            prev: newest(&self.reference),
            auth: None,
            odd: Odd::Nothing,
        };
        let Some(mut event) = self.villains[villain].make(&self.reference, &users, make) else {
            return;
        };
        match how {
            Forgery::Key => {
                // Signed with its own key, in the name of the sender's server.
                let own = self.villains[villain].name.as_str().to_owned();
                let signature = event["signatures"][&own].clone();
                event["signatures"] = json!({ sender.domain(): signature });
            }
            Forgery::Unsigned => {}
            // What stays of it is the redacted form, and that is the same for all.
            Forgery::Hash => event["content"]["reason"] = json!("changed"),
        }
        if let Forgery::Hash = how {
            self.note_act(act);
            self.villains[villain].keep(&mut self.reference, &event, false);
        }
        let json = to_raw_value(&event).expect("JSON");
        self.send_to(villain, &[json], to);
    }

    fn withhold(&mut self, villain: usize, length: u64, act: &Act, to: u32) {
        let user = self.villains[villain].user.clone();
        let users = self.users();
        let mut prev = newest(&self.reference);
        for number in 0..=length {
            let is_last = number == length;
            let make = Make {
                sender: &user,
                act: if is_last || number == 0 { act } else { &Act::Say },
                prev,
                auth: None,
                odd: Odd::Nothing,
            };
            let Some(event) = self.villains[villain].make(&self.reference, &users, make) else {
                return;
            };
            self.note_act(act);
            let Some((id, json)) = self.villains[villain].keep(&mut self.reference, &event, !is_last) else {
                return;
            };
            prev = vec![id];
            if is_last {
                self.send_to(villain, &[json], to);
            }
        }
    }

    fn second_create(&mut self, villain: usize, to: u32) {
        let villain_is = &self.villains[villain];
        let version = self.reference.version();
        let template = Template {
            room_id: (!version.rules().auth.privileged_creators)
                .then(|| self.reference.room_id().parse().expect("a room id")),
            sender: villain_is.user.clone(),
            kind: "m.room.create".to_owned(),
            state_key: Some(String::new()),
            content: json!({ "room_version": version.as_str(), "creator": villain_is.user.as_str() })
                .as_object()
                .cloned()
                .unwrap_or_default(),
            prev_events: Vec::new(),
            auth_events: Vec::new(),
            depth: 1,
            origin_server_ts: time(Odd::Nothing, 0),
            redacts: None,
        };
        let Some(event) = villain_is.build(version, template) else {
            return;
        };
        self.villains[villain].keep(&mut self.reference, &event, false);
        let json = to_raw_value(&event).expect("JSON");
        self.send_to(villain, &[json], to);
    }

    /// Sends an event of somebody else without its content. Of what decides over power, some room versions' redaction leaves
    /// too little for the event to be judged alike, which no server can help.
    fn strip(&mut self, villain: usize, which: usize, to: u32) {
        const KINDS: [&str; 3] = ["m.room.message", "m.room.topic", "m.room.name"];
        let order = self.reference.order();
        let event = self.reference.event(&order[which % order.len()]);
        let event = event.filter(|event| KINDS.contains(&event.kind()));
        let Some(redacted) = event.and_then(|event| event.redacted().ok()) else {
            return;
        };
        let json = RawValue::from_string(redacted.json().to_owned()).expect("JSON");
        self.send_to(villain, &[json], to);
    }

    /// Sends all that was kept back.
    pub(crate) fn reveal(&mut self, villain: usize, to: u32) {
        let villain_is = &mut self.villains[villain];
        let kept_back = std::mem::take(&mut villain_is.kept_back);
        let events = villain_is.made.iter().filter(|id| kept_back.contains(*id));
        let events: Vec<Json> = events
            .filter_map(|id| villain_is.gives(&self.reference, id))
            .collect();
        for piece in events.chunks(10) {
            self.send_to(villain, piece, to);
        }
    }

    fn villain_joins(&mut self, villain: usize, via: usize) -> Checked {
        let villain_is = &self.villains[villain];
        let (server, user_id) = (
            villain_is.name.as_str().to_owned(),
            villain_is.user.as_str().to_owned(),
        );
        let make = MakeMembership {
            server: server.clone(),
            user_id,
            membership: Membership::Join,
            versions: vec![self.reference.version().as_str().to_owned()],
            is_in_allowed_room: true,
        };
        let Ok(made) = self.ask(via, make, Then::Settle)? else {
            return Ok(());
        };
        let villain_is = &self.villains[villain];
        let signed = sign(
            &made.event,
            self.reference.version(),
            (&villain_is.name, &villain_is.key),
        );
        let Some(event) = signed else { return Ok(()) };
        let send = SendMembership {
            server,
            membership: Membership::Join,
            event,
            keys: self.keys.clone(),
            is_in_allowed_room: true,
        };
        let sent = self.ask(via, send, Then::Settle)?;
        self.learn(via);
        if let Ok(sent) = sent
            && let Some(id) = self.reference.add(sent.event.get())
        {
            self.villains[villain].made.push(id);
        }
        Ok(())
    }
}
