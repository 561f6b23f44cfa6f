//! A room that people of two servers share, and how it looks from each.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use selvage_e2e::api::{Account, percent, room_path};
use selvage_e2e::federation::Homeserver;
use selvage_e2e::{Reply, wait};
use serde_json::{Value, json};

use crate::watcher::{bodies, once_each};

/// How long something may be on its way from one server's answer to the other server's view.
pub(crate) const ARRIVAL_LIMIT: Duration = Duration::from_secs(40);

/// The state of a room as one server reports it: for each type and state key the event's id, sender and content.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct State(BTreeMap<(String, String), Value>);

impl State {
    /// As this account's server reports it; nothing when it does not.
    pub(crate) fn seen_by(person: &Account, room_id: &str) -> Option<State> {
        let reply = person.get(&room_path(room_id, "state"));
        let events = (reply.status == 200).then_some(reply.json)?;
        let mut state = State::default();
        for event in events.as_array().expect("an array of events") {
            let text = |name: &str| event[name].as_str().expect("a string").to_owned();
            let key = (text("type"), text("state_key"));
            let seen = json!({"event_id": event["event_id"], "sender": event["sender"], "content": event["content"]});
            assert_eq!(state.0.insert(key, seen), None, "one event for each key: {event}");
        }
        Some(state)
    }

    /// The content at a key; null where there is none.
    pub(crate) fn content(&self, event_type: &str, state_key: &str) -> &Value {
        let key = (event_type.to_owned(), state_key.to_owned());
        self.0.get(&key).map_or(&Value::Null, |event| &event["content"])
    }

    /// The membership of a user, empty without one.
    pub(crate) fn membership(&self, user_id: &str) -> &str {
        let content = self.content("m.room.member", user_id);
        content["membership"].as_str().unwrap_or_default()
    }

    /// Who has joined.
    fn joined(&self) -> BTreeSet<String> {
        let members = self.0.iter().filter(|((event_type, _), event)| {
            event_type == "m.room.member" && event["content"]["membership"] == "join"
        });
        members.map(|((_, user_id), _)| user_id.clone()).collect()
    }

    /// Where two servers differ.
    fn differences(&self, other: &State) -> Vec<String> {
        let keys: BTreeSet<_> = self.0.keys().chain(other.0.keys()).collect();
        keys.into_iter()
            .filter(|key| self.0.get(*key) != other.0.get(*key))
            .map(|key| format!("{key:?}: {:?} and {:?}", self.0.get(key), other.0.get(key)))
            .collect()
    }
}

/// Waits until all these people's servers report the same state for every key, and one of which `so` holds; then all of
/// them name the same members, too.
#[track_caller]
pub(crate) fn agree(room_id: &str, people: &[&Account], so: impl Fn(&State) -> bool) -> State {
    let mut last = Vec::new();
    let agreed = wait::calmly(ARRIVAL_LIMIT, || {
        last = people
            .iter()
            .map(|person| State::seen_by(person, room_id).unwrap_or_default())
            .collect();
        let (first, others) = last.split_first().expect("somebody");
        (others.iter().all(|other| other == first) && so(first)).then(|| first.clone())
    });
    let agreed = agreed.unwrap_or_else(|| {
        let (first, others) = last.split_first().expect("somebody");
        let differences: Vec<_> = others.iter().map(|other| first.differences(other)).collect();
        let names: Vec<&str> = people.iter().map(|person| person.user_id.as_str()).collect();
        panic!("waited in vain; {names:?} differ in {differences:#?}; the first sees {first:#?}")
    });
    for person in people {
        let reply = person.get(&room_path(room_id, "joined_members")).ok();
        let members = reply["joined"].as_object().expect("members").keys().cloned();
        assert_eq!(
            members.collect::<BTreeSet<_>>(),
            agreed.joined(),
            "{}",
            person.user_id
        );
    }
    agreed
}

/// Waits until the history of each of these people has all these messages, and asserts that nothing is there twice.
#[track_caller]
pub(crate) fn all_have(room_id: &str, people: &[&Account], texts: &BTreeSet<String>) {
    for person in people {
        let mut last = Vec::new();
        let came = wait::calmly(ARRIVAL_LIMIT, || {
            last = person.history(room_id);
            let bodies: BTreeSet<String> = bodies(&last).into_iter().collect();
            texts.is_subset(&bodies).then_some(())
        });
        let bodies = bodies(&last);
        assert!(
            came.is_some(),
            "{} waited in vain for {texts:?}: {bodies:?}",
            person.user_id
        );
        once_each(&last);
    }
}

/// A set of texts.
pub(crate) fn texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    texts.into_iter().map(str::to_owned).collect()
}

/// Waits until an answer is what it should be.
#[track_caller]
pub(crate) fn until(what: &str, ask: impl Fn() -> Reply, so: impl Fn(&Reply) -> bool) -> Reply {
    let mut last = None;
    let came = wait::calmly(ARRIVAL_LIMIT, || {
        let reply = ask();
        let so = so(&reply);
        last = Some(reply);
        so.then_some(())
    });
    let last = last.expect("an answer");
    assert!(came.is_some(), "waited in vain until {what}: {last}");
    last
}

/// Asserts a refusal for want of permission. Synapse has codes of its own for some.
#[track_caller]
pub(crate) fn forbidden(reply: &Reply) {
    assert_eq!(reply.status, 403, "{reply}");
    assert!(
        matches!(reply.errcode(), "M_FORBIDDEN" | "M_BAD_STATE"),
        "{reply}"
    );
}

/// Joins a room that the server may not know, by way of `via`.
pub(crate) fn join_via(person: &Account, room_id: &str, via: &Homeserver) -> Reply {
    person.post(&entrance("join", room_id, via), &json!({}))
}

/// `/join` or `/knock`, with a server that knows the room.
pub(crate) fn entrance(verb: &str, room_id: &str, via: &Homeserver) -> String {
    let (room_id, via) = (percent(room_id), percent(via.name()));
    format!("/_matrix/client/v3/{verb}/{room_id}?server_name={via}&via={via}")
}

/// A public room that Alice made on the near server and Bob of the far server has joined.
pub(crate) struct Shared {
    pub(crate) alice: Account,
    pub(crate) bob: Account,
    pub(crate) room_id: String,
}

impl Shared {
    pub(crate) fn new(near: &Homeserver, far: &Homeserver) -> Shared {
        Shared::with(near, far, &json!({}))
    }

    /// With these settings of the room beside.
    pub(crate) fn with(near: &Homeserver, far: &Homeserver, settings: &Value) -> Shared {
        let mut all = json!({"preset": "public_chat", "name": "Shared"});
        let more = settings.as_object().expect("settings").clone();
        all.as_object_mut().expect("settings").extend(more);
        let alice = near.api().register("alice");
        let bob = far.api().register("bob");
        let room_id = alice.create_room(&all);
        join_via(&bob, &room_id, near).ok();
        let shared = Shared { alice, bob, room_id };
        shared.agree(|state| state.membership(&shared.bob.user_id) == "join");
        shared
    }

    /// Both people.
    pub(crate) fn people(&self) -> [&Account; 2] {
        [&self.alice, &self.bob]
    }

    /// See [`agree`].
    #[track_caller]
    pub(crate) fn agree(&self, so: impl Fn(&State) -> bool) -> State {
        agree(&self.room_id, &self.people(), so)
    }

    /// See [`all_have`].
    #[track_caller]
    pub(crate) fn both_have(&self, wanted: &[&str]) {
        all_have(&self.room_id, &self.people(), &texts(wanted.iter().copied()));
    }

    /// Gives Bob a power level. Nobody may change that of a creator in version 12.
    pub(crate) fn promote_bob(&self, level: i64) {
        let mut levels = self
            .alice
            .get_state(&self.room_id, "m.room.power_levels", "")
            .ok();
        levels["users"][&self.bob.user_id] = json!(level);
        self.alice
            .set_state(&self.room_id, "m.room.power_levels", "", &levels)
            .ok();
        self.agree(|state| state.content("m.room.power_levels", "") == &levels);
    }
}
