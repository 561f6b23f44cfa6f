//! What a room's states should be, by the definitions: whole states, whole auth chains, and ruma to resolve them.

use std::collections::{BTreeMap, BTreeSet};

use ruma::state_res;
use selvage_event::{Event, EventId, RoomVersion};
use selvage_protocol::Json;

use super::pdu::{Pdu, RumaState, ruma_id, ruma_rules};

/// (type, state key) -> event id.
pub(crate) type State = BTreeMap<(String, String), EventId>;
/// Event ids.
pub(crate) type Ids = BTreeSet<EventId>;

/// A room by the definitions.
pub(crate) struct Model {
    version: RoomVersion,
    events: BTreeMap<EventId, Event>,
    pdus: BTreeMap<String, Pdu>,
    /// The state after each event.
    after: BTreeMap<EventId, State>,
}

impl Model {
    pub(crate) const fn new(version: RoomVersion) -> Self {
        Self {
            version,
            events: BTreeMap::new(),
            pdus: BTreeMap::new(),
            after: BTreeMap::new(),
        }
    }

    /// The room begins with state events of which each is allowed and follows the one before.
    pub(crate) fn begin(&mut self, sent: &[(EventId, Json)]) {
        let mut state = State::new();
        for (id, json) in sent {
            let event = Event::from_stored(json.get(), id.clone(), self.version).unwrap();
            self.add(&event, &state, false);
            state.clone_from(&self.after[id]);
        }
    }

    pub(crate) fn has(&self, event: &Event) -> bool {
        self.events.contains_key(event.event_id())
    }

    /// An event has come, before which the state is this.
    pub(crate) fn add(&mut self, event: &Event, before: &State, rejected: bool) {
        let id = event.event_id().clone();
        let mut after = before.clone();
        if let (Some(key), false) = (event.state_key(), rejected) {
            after.insert((event.kind().to_owned(), key.to_owned()), id.clone());
        }
        self.after.insert(id.clone(), after);
        self.pdus.insert(id.as_str().to_owned(), Pdu::of(event));
        self.events.insert(id, event.clone());
    }

    /// The state before an event, and whether it was resolved from several.
    pub(crate) fn before(&self, event: &Event) -> (State, bool) {
        let forks: BTreeSet<&State> = event.prev_events().iter().map(|prev| &self.after[prev]).collect();
        let forks: Vec<&State> = forks.into_iter().collect();
        match forks.as_slice() {
            [only] => ((*only).clone(), false),
            several => (self.resolve(several), true),
        }
    }

    fn resolve(&self, forks: &[&State]) -> State {
        let rules = ruma_rules(self.version);
        let map = |state: &&State| -> RumaState {
            state
                .iter()
                .map(|((kind, key), id)| ((kind.as_str().into(), key.clone()), ruma_id(id)))
                .collect()
        };
        let maps: Vec<RumaState> = forks.iter().map(map).collect();
        let chain = |state: &&State| self.chain(state.values()).iter().map(ruma_id).collect();
        let resolved = state_res::resolve(
            &rules.authorization,
            rules.state_res.v2_rules().unwrap(),
            maps.iter(),
            forks.iter().map(chain).collect(),
            |id| self.pdus.get(id.as_str()),
            |conflicted| {
                let ids = conflicted
                    .values()
                    .flatten()
                    .map(|id| EventId::parse(id.as_str()).unwrap());
                Some(self.subgraph(&ids.collect()).iter().map(ruma_id).collect())
            },
        );
        let resolved = resolved.unwrap().into_iter();
        resolved
            .map(|((kind, key), id)| ((kind.to_string(), key), EventId::parse(id.as_str()).unwrap()))
            .collect()
    }

    /// All that authorises some events.
    fn chain<'e>(&self, of: impl Iterator<Item = &'e EventId>) -> Ids {
        let mut chain = Ids::new();
        let mut open: Vec<EventId> = of.cloned().collect();
        while let Some(id) = open.pop() {
            for cited in self.events[&id].auth_events() {
                if chain.insert(cited.clone()) {
                    open.push(cited.clone());
                }
            }
        }
        chain
    }

    /// The events on paths between conflicted ones (spec: rooms/v12 §State resolution).
    fn subgraph(&self, conflicted: &Ids) -> Ids {
        let below = |id: &EventId| {
            let mut below = self.chain(std::iter::once(id));
            below.insert(id.clone());
            below
        };
        let reached: Ids = conflicted.iter().flat_map(below).collect();
        reached
            .into_iter()
            .filter(|id| !below(id).is_disjoint(conflicted))
            .collect()
    }
}
