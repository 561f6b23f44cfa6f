use std::cell::{Cell, RefCell};
use std::convert::Infallible;

use serde_json::{Value, json};

use super::*;
use crate::auth::KnownEvent;
use crate::event::Event;

mod cost;
mod v1;
mod v2;

/// A room's events, the state that all forks share, and how often what was asked.
struct Room {
    version: RoomVersion,
    known: BTreeMap<EventId, KnownEvent>,
    shared: BTreeMap<StateKey, EventId>,
    difference: BTreeSet<EventId>,
    asked: RefCell<Vec<EventId>>,
    unconflicted: Cell<usize>,
}

impl EventLookup for Room {
    type Error = Infallible;
    fn event(&self, id: &EventId) -> Result<Option<KnownEvent>, Infallible> {
        self.asked.borrow_mut().push(id.clone());
        Ok(self.known.get(id).cloned())
    }
}

impl Source for Room {
    fn unconflicted(&self, kind: &str, state_key: &str) -> Result<Option<EventId>, Infallible> {
        self.unconflicted.set(self.unconflicted.get() + 1);
        Ok(self.shared.get(&(kind.to_owned(), state_key.to_owned())).cloned())
    }

    fn auth_difference(&self) -> Result<BTreeSet<EventId>, Infallible> {
        Ok(self.difference.clone())
    }
}

fn id(text: &str) -> EventId {
    EventId::parse(format!("${text}:a")).unwrap()
}

fn key(kind: &str, state_key: &str) -> StateKey {
    (format!("m.room.{kind}"), state_key.to_owned())
}

/// A state event: its id, its sender's localpart, type, state key, content, what it cites, and its depth, which is
/// its time as well.
struct Make<'a>(&'a str, &'a str, &'a str, &'a str, Value, &'a [&'a str], i64);

impl Room {
    /// A room of `@ann:a`, who has level 100, and `@bob:a`, who has 50.
    fn new(version: RoomVersion) -> Self {
        let mut room = Self {
            version,
            known: BTreeMap::new(),
            shared: BTreeMap::new(),
            difference: BTreeSet::new(),
            asked: RefCell::default(),
            unconflicted: Cell::new(0),
        };
        let join = || json!({"membership": "join"});
        let mut levels = json!({"users": {"@bob:a": 50}});
        if version < RoomVersion::V12 {
            levels["users"]["@ann:a"] = json!(100);
        }
        let create = json!({"creator": "@ann:a", "room_version": version.as_str()});
        room.share(Make("create", "ann", "create", "", create, &[], 0));
        room.share(Make("ann", "ann", "member", "@ann:a", join(), &["create"], 1));
        room.share(Make(
            "levels",
            "ann",
            "power_levels",
            "",
            levels,
            &["create", "ann"],
            2,
        ));
        room.share(Make(
            "public",
            "ann",
            "join_rules",
            "",
            json!({"join_rule": "public"}),
            &["create", "ann", "levels"],
            3,
        ));
        room.share(Make(
            "bob",
            "bob",
            "member",
            "@bob:a",
            join(),
            &["create", "levels", "public"],
            4,
        ));
        room
    }

    fn add(&mut self, make: Make<'_>) -> Event {
        let Make(name, sender, kind, state_key, content, cites, depth) = make;
        let is_v12 = self.version == RoomVersion::V12;
        let cites = cites.iter().filter(|name| !(is_v12 && **name == "create"));
        let pairs = self.version.rules().references_are_pairs();
        let reference = |name: &&str| {
            if pairs {
                json!([id(name), {}])
            } else {
                json!(id(name))
            }
        };
        // The creator's join follows the create event and nothing else.
        let prev: Value = if depth == 1 {
            json!([reference(&"create")])
        } else {
            json!([])
        };
        let mut event = json!({
            "type": format!("m.room.{kind}"), "sender": format!("@{sender}:a"), "state_key": state_key,
            "content": content, "prev_events": prev, "auth_events": cites.map(reference).collect::<Value>(),
            "depth": depth, "origin_server_ts": depth, "hashes": {"sha256": ""}, "signatures": {},
            "event_id": id(name), "room_id": "!create:a",
        });
        if kind == "create" && is_v12 {
            event.as_object_mut().unwrap().remove("room_id");
        }
        let event = Event::from_stored(&event.to_string(), id(name), self.version).unwrap();
        self.known.insert(
            id(name),
            KnownEvent {
                event: event.clone(),
                rejected: false,
            },
        );
        event
    }

    fn share(&mut self, make: Make<'_>) {
        let at = key(make.2, make.3);
        let event = self.add(make);
        self.shared.insert(at, event.event_id().clone());
    }

    /// Resolves forks that have these events at these keys.
    fn resolve(&self, conflicts: &[(StateKey, &[Option<&str>])]) -> BTreeMap<StateKey, EventId> {
        let values = |names: &[Option<&str>]| names.iter().map(|name| name.map(id)).collect();
        let conflicted = conflicts
            .iter()
            .map(|(key, names)| (key.clone(), values(names)))
            .collect();
        resolve(self.version, &conflicted, self).unwrap()
    }

    /// What one conflict comes to.
    fn winner(&self, at: &StateKey, names: &[Option<&str>]) -> Option<String> {
        let resolved = self.resolve(&[(at.clone(), names)]).remove(at);
        resolved.map(|id| {
            id.as_str()
                .trim_start_matches('$')
                .trim_end_matches(":a")
                .to_owned()
        })
    }
}
