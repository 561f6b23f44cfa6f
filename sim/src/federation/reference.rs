//! The room as a naive server would see it that has all events: every state as a whole map, computed anew from the events
//! in the order of the graph, with the event crate's rules.
//!
//! Nothing is shared with the room object but those rules: no trie, no index of auth chains, no storage. That is what the
//! room object is compared with.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::rc::Rc;

use selvage_event::auth::{EventLookup, KnownEvent};
use selvage_event::resolve::Conflicted;
use selvage_event::{
    CheckedEvent, Event, EventId, PublicKey, ReceivedEvent, RoomVersion, ServerName, Source, StateKey,
    StateLookup, VerifyKeys, resolve,
};
use selvage_protocol::federation::ServerKey;
use selvage_room::trie::{Change, NodeId, NodeStore, State, StoreError};

/// A whole state.
pub(crate) type StateMap = BTreeMap<StateKey, EventId>;

/// An event's place in the graph.
#[derive(Clone)]
pub(crate) struct Place {
    /// The state before it.
    pub(crate) before: Rc<StateMap>,
    /// The state after it.
    pub(crate) after: Rc<StateMap>,
    /// Which rule refuses it, by its auth events or the state before it.
    pub(crate) refused: Option<String>,
}

/// What can be said of an event with what is known.
#[derive(Clone)]
enum Fate {
    /// It is not here, or something that authorises it is not.
    Unknown,
    /// Something before it is not here, so that only its auth events say whether it is allowed.
    Outlier {
        is_refused: bool,
    },
    Placed(Place),
}

/// All that is known of a room.
pub(crate) struct Reference {
    version: RoomVersion,
    room_id: String,
    keys: VerifyKeys,
    events: BTreeMap<EventId, CheckedEvent>,
    /// What came already, with what came of it.
    came: BTreeMap<String, Option<EventId>>,
    /// In the order in which they came.
    order: Vec<EventId>,
    /// The event that made the room: the first create event that came.
    create: Option<EventId>,
    /// What a server was told of the states before events: counts for more than what can be computed.
    told: BTreeMap<EventId, StateMap>,
    fates: RefCell<BTreeMap<EventId, Fate>>,
    chains: RefCell<BTreeMap<EventId, Rc<BTreeSet<EventId>>>>,
}

impl Reference {
    pub(crate) fn new(version: RoomVersion, room_id: &str, keys: &[ServerKey]) -> Self {
        let mut verify = VerifyKeys::new();
        for key in keys {
            let server = ServerName::parse(&key.server).expect("a server name");
            let public = PublicKey::from_base64(&key.public_key, key.valid_until_ts).expect("a key");
            verify.insert(&server, &key.key_id, public);
        }
        Self {
            version,
            room_id: room_id.to_owned(),
            keys: verify,
            events: BTreeMap::new(),
            came: BTreeMap::new(),
            order: Vec::new(),
            create: None,
            told: BTreeMap::new(),
            fates: RefCell::default(),
            chains: RefCell::default(),
        }
    }

    /// The same room without events.
    pub(crate) fn emptied(&self) -> Self {
        Self {
            version: self.version,
            room_id: self.room_id.clone(),
            keys: self.keys.clone(),
            events: BTreeMap::new(),
            came: BTreeMap::new(),
            order: Vec::new(),
            create: self.create.clone(),
            told: BTreeMap::new(),
            fates: RefCell::default(),
            chains: RefCell::default(),
        }
    }

    /// Takes an event, unless it is none of this room or not signed. A whole one replaces a redacted one.
    pub(crate) fn add(&mut self, json: &str) -> Option<EventId> {
        if let Some(known) = self.came.get(json) {
            return known.clone();
        }
        let id = self.add_new(json);
        self.came.insert(json.to_owned(), id.clone());
        id
    }

    fn add_new(&mut self, json: &str) -> Option<EventId> {
        let received = ReceivedEvent::parse(json.as_bytes(), self.version).ok()?;
        let id = received.event().event_id().clone();
        let is_whole = !received.was_redacted();
        if received.event().room_id().as_str() != self.room_id {
            return None;
        }
        match self.events.get(&id) {
            Some(known) if !known.was_redacted() || !is_whole => return Some(id),
            _ => {}
        }
        let Ok(verified) = received.verify(&self.keys);
        let checked = verified.ok()?;
        if self.create.is_none() && checked.event().kind() == "m.room.create" {
            self.create = Some(id.clone());
        }
        if self.events.insert(id.clone(), checked).is_none() {
            self.order.push(id.clone());
            // What could not be said before may be said now.
            self.fates
                .borrow_mut()
                .retain(|_, fate| matches!(fate, Fate::Placed(_)));
        } else {
            self.fates.borrow_mut().clear();
        }
        Some(id)
    }

    /// Says what a server was told of the state before an event.
    pub(crate) fn tell(&mut self, id: EventId, state: StateMap) {
        self.told.insert(id, state);
    }

    pub(crate) fn version(&self) -> RoomVersion {
        self.version
    }

    pub(crate) fn room_id(&self) -> &str {
        &self.room_id
    }

    pub(crate) fn event(&self, id: &EventId) -> Option<&Event> {
        self.events.get(id).map(CheckedEvent::event)
    }

    /// All events, in the order in which they came.
    pub(crate) fn order(&self) -> &[EventId] {
        &self.order
    }

    /// The place of an event; `None` while events before it are missing.
    pub(crate) fn place(&self, id: &EventId) -> Option<Place> {
        let mut open = vec![id.clone()];
        while let Some(next) = open.last().cloned() {
            if self.fates.borrow().contains_key(&next) {
                open.pop();
                continue;
            }
            let fates = self.fates.borrow();
            let cited = self.event(&next).map(|_| self.cited(&next));
            let undecided = |id: &EventId| !fates.contains_key(id);
            let undecided: Vec<EventId> = cited.into_iter().flatten().filter(undecided).collect();
            drop(fates);
            if undecided.is_empty() {
                let fate = self.fate(&next);
                self.fates.borrow_mut().insert(next, fate);
                open.pop();
            } else {
                open.extend(undecided);
            }
        }
        match self.fates.borrow().get(id) {
            Some(Fate::Placed(place)) => Some(place.clone()),
            _ => None,
        }
    }

    /// Whether an event, all that came before it and all that authorises those have their places.
    pub(crate) fn is_whole(&self, id: &EventId) -> bool {
        let mut seen = BTreeSet::new();
        let mut open = vec![id.clone()];
        while let Some(next) = open.pop() {
            if self.place(&next).is_none() {
                return false;
            }
            if seen.insert(next.clone()) {
                open.extend(self.cited(&next));
            }
        }
        true
    }

    /// The events that decide over one that is here.
    fn cited(&self, id: &EventId) -> Vec<EventId> {
        let mut cited = self.authorities(id);
        cited.extend(self.before(id));
        cited
    }

    fn authorities(&self, id: &EventId) -> Vec<EventId> {
        let event = self.events[id].event();
        let mut cited = event.auth_events().to_vec();
        if event.rules().auth.privileged_creators && event.kind() != "m.room.create" {
            cited.push(event.room_id().to_create_event_id());
        }
        cited
    }

    /// The events whose places the event's place depends on. A state that was told, which may be a lie and name events that
    /// come later, depends on nothing.
    fn before(&self, id: &EventId) -> Vec<EventId> {
        if self.told.contains_key(id) {
            return Vec::new();
        }
        self.events[id].event().prev_events().to_vec()
    }

    fn is_placed(&self, id: &EventId) -> bool {
        matches!(self.fates.borrow().get(id), Some(Fate::Placed(_)))
    }

    /// What can be said of an event when it is said of all that it cites.
    fn fate(&self, id: &EventId) -> Fate {
        if self.event(id).is_none() {
            return Fate::Unknown;
        }
        let is_unknown = |id: &EventId| matches!(self.fates.borrow()[id], Fate::Unknown);
        if self.authorities(id).iter().any(is_unknown) {
            return Fate::Unknown;
        }
        if self.told.contains_key(id) || self.before(id).iter().all(|id| self.is_placed(id)) {
            return Fate::Placed(self.compute(id));
        }
        let allowed = self.events[id].clone().authorise_by_auth_events(self);
        Fate::Outlier {
            is_refused: allowed.expect("auth events are here").is_err(),
        }
    }

    fn compute(&self, id: &EventId) -> Place {
        let checked = self.events[id].clone();
        let event = checked.event().clone();
        let before = match self.told.get(id) {
            Some(told) => Rc::new(told.clone()),
            None => {
                let places = event.prev_events().iter().filter_map(|id| self.place(id));
                let forks: Vec<Rc<StateMap>> = places.map(|place| place.after).collect();
                self.resolved(&forks)
            }
        };
        let refused = self.refusal(checked, &before);
        let mut after = Rc::clone(&before);
        if let (None, Some(state_key)) = (&refused, event.state_key()) {
            let key = (event.kind().to_owned(), state_key.to_owned());
            Rc::make_mut(&mut after).insert(key, id.clone());
        }
        Place {
            before,
            after,
            refused,
        }
    }

    /// Checks 4 and 5, and that a room begins once.
    fn refusal(&self, checked: CheckedEvent, before: &StateMap) -> Option<String> {
        let event = checked.event();
        if event.kind() == "m.room.create" && self.create.as_ref() != Some(event.event_id()) {
            return Some("a room has one create event".to_owned());
        }
        let by_chain = checked.authorise_by_auth_events(self);
        let by_chain = match by_chain.expect("auth events have their places") {
            Ok(by_chain) => by_chain,
            Err(rejected) => return Some(rejected.refusal().to_string()),
        };
        let at = At {
            reference: self,
            state: before,
        };
        let Ok(by_state) = by_chain.authorise_before(&at);
        by_state.err().map(|rejected| rejected.refusal().to_string())
    }

    /// State resolution over whole maps.
    pub(crate) fn resolved(&self, forks: &[Rc<StateMap>]) -> Rc<StateMap> {
        let forks: Vec<Rc<StateMap>> = forks
            .iter()
            .cloned()
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect();
        match forks.as_slice() {
            [] => return Rc::default(),
            [only] => return Rc::clone(only),
            _ => {}
        }
        let keys: BTreeSet<&StateKey> = forks.iter().flat_map(|fork| fork.keys()).collect();
        let mut conflicted = Conflicted::new();
        let mut resolved = StateMap::new();
        for key in keys {
            let values: Vec<Option<EventId>> = forks.iter().map(|fork| fork.get(key).cloned()).collect();
            match values.first() {
                Some(Some(first)) if values.iter().all(|value| value.as_ref() == Some(first)) => {
                    resolved.insert(key.clone(), first.clone());
                }
                _ => {
                    conflicted.insert(key.clone(), values);
                }
            }
        }
        let whole = Whole {
            reference: self,
            unconflicted: &resolved,
            forks: &forks,
        };
        let overlay = resolve(self.version, &conflicted, &whole).expect("all events are known");
        resolved.extend(overlay);
        Rc::new(resolved)
    }

    /// The auth chain of an event.
    fn chain(&self, id: &EventId) -> Rc<BTreeSet<EventId>> {
        let mut open = vec![id.clone()];
        while let Some(next) = open.last().cloned() {
            let cited = self.events[&next].event().auth_events();
            let chains = self.chains.borrow();
            let missing: Vec<EventId> = cited
                .iter()
                .filter(|id| !chains.contains_key(*id))
                .cloned()
                .collect();
            if !missing.is_empty() {
                open.extend(missing);
                continue;
            }
            let mut chain: BTreeSet<EventId> = cited.iter().cloned().collect();
            chain.extend(cited.iter().flat_map(|id| chains[id].iter().cloned()));
            drop(chains);
            self.chains.borrow_mut().insert(next, Rc::new(chain));
            open.pop();
        }
        Rc::clone(&self.chains.borrow()[id])
    }

    fn chain_of(&self, state: &StateMap) -> BTreeSet<EventId> {
        let mut chain = BTreeSet::new();
        for id in state.values() {
            chain.extend(self.chain(id).iter().cloned());
        }
        chain
    }
}

impl EventLookup for Reference {
    type Error = Infallible;

    fn event(&self, id: &EventId) -> Result<Option<KnownEvent>, Infallible> {
        let rejected = match self.fates.borrow().get(id) {
            Some(Fate::Placed(place)) => place.refused.is_some(),
            Some(Fate::Outlier { is_refused }) => *is_refused,
            Some(Fate::Unknown) | None => false,
        };
        Ok(self.event(id).map(|event| KnownEvent {
            event: event.clone(),
            rejected,
        }))
    }
}

/// A state, to look things up in.
pub(crate) struct At<'r> {
    pub(crate) reference: &'r Reference,
    pub(crate) state: &'r StateMap,
}

impl StateLookup for At<'_> {
    type Error = Infallible;

    fn get(&self, kind: &str, state_key: &str) -> Result<Option<Event>, Infallible> {
        let id = self.state.get(&(kind.to_owned(), state_key.to_owned()));
        Ok(id.and_then(|id| self.reference.event(id)).cloned())
    }
}

/// What state resolution asks, answered from whole states and whole chains.
struct Whole<'r> {
    reference: &'r Reference,
    unconflicted: &'r StateMap,
    forks: &'r [Rc<StateMap>],
}

impl EventLookup for Whole<'_> {
    type Error = Infallible;

    fn event(&self, id: &EventId) -> Result<Option<KnownEvent>, Infallible> {
        EventLookup::event(self.reference, id)
    }
}

impl Source for Whole<'_> {
    fn unconflicted(&self, kind: &str, state_key: &str) -> Result<Option<EventId>, Infallible> {
        Ok(self
            .unconflicted
            .get(&(kind.to_owned(), state_key.to_owned()))
            .cloned())
    }

    fn auth_difference(&self) -> Result<BTreeSet<EventId>, Infallible> {
        let chains: Vec<BTreeSet<EventId>> = self
            .forks
            .iter()
            .map(|fork| self.reference.chain_of(fork))
            .collect();
        let union: BTreeSet<EventId> = chains.iter().flatten().cloned().collect();
        let is_shared = |id: &EventId| chains.iter().all(|chain| chain.contains(id));
        Ok(union.into_iter().filter(|id| !is_shared(id)).collect())
    }
}

/// The root of the trie of a whole state.
pub(crate) fn root_of(state: &StateMap) -> Vec<u8> {
    let change =
        |((kind, key), id): (&StateKey, &EventId)| Change::set(kind, key, id.as_str()).expect("fits");
    let changes = state.iter().map(change).collect();
    let built = State::EMPTY.apply(&mut Nodes::default(), changes);
    built.expect("a trie in memory").root().as_bytes().to_vec()
}

/// The nodes of tries.
#[derive(Default)]
pub(crate) struct Nodes(pub(crate) BTreeMap<NodeId, Vec<u8>>);

impl NodeStore for Nodes {
    fn get(&self, id: NodeId) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.0.get(&id).cloned())
    }

    fn put(&mut self, id: NodeId, bytes: &[u8]) -> Result<(), StoreError> {
        self.0.insert(id, bytes.to_vec());
        Ok(())
    }
}
