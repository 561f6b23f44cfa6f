//! The people and the room that most cases begin with.

use std::time::Duration;

use selvage_e2e::api::Account;
use selvage_e2e::{Api, Host, Reply, Server, wait};
use serde_json::{Value, json};

/// A private room that Alice made, that Bob joined, and that Eve has nothing to do with.
pub(crate) struct Scene {
    pub(crate) host: Host,
    pub(crate) api: Api,
    pub(crate) alice: Account,
    pub(crate) bob: Account,
    pub(crate) eve: Account,
    pub(crate) room_id: String,
    /// A message of Alice's.
    pub(crate) event_id: String,
}

impl Scene {
    pub(crate) fn new(server: &Server) -> Scene {
        let api = server.api();
        let (alice, bob, eve) = (api.register("alice"), api.register("bob"), api.register("eve"));
        let room_id = alice.create_room(&json!({"preset": "private_chat", "name": "A private room"}));
        alice.invite(&room_id, &bob.user_id).ok();
        bob.join(&room_id).ok();
        let event_id = alice.say(&room_id, "hello").string("/event_id");
        for person in [&alice, &bob] {
            sync_with_all(person, "", "timeout=0", &room_id, &["hello"]);
        }
        Scene {
            host: server.host(),
            api,
            alice,
            bob,
            eve,
            room_id,
            event_id,
        }
    }

    /// Asserts a refusal; see [`refused`].
    #[track_caller]
    pub(crate) fn refused(&self, reply: &Reply, status: u16, errcode: &str) {
        refused(self.host, reply, status, errcode);
    }

    /// What a stranger must never be told: everything about the room that Alice can see, as text.
    pub(crate) fn state_as_seen(&self, account: &Account) -> Vec<Value> {
        let path = selvage_e2e::api::room_path(&self.room_id, "state");
        let mut state = account.get(&path).ok().as_array().cloned().unwrap_or_default();
        for event in &mut state {
            // Its age grows by itself.
            event.as_object_mut().expect("an event").remove("unsigned");
            event.as_object_mut().expect("an event").remove("age");
        }
        state.sort_by_key(|event| event["event_id"].to_string());
        state
    }
}

/// How long an event may be on its way from its sender's answer to somebody's sync.
const ARRIVAL_LIMIT: Duration = Duration::from_secs(30);

/// Syncs from the same token again and again until the room's timeline has this many messages, and asserts that they are
/// these: what one person was told to be sent may take a moment to be in another's sync.
#[track_caller]
pub(crate) fn sync_with_all(
    person: &Api,
    since: &str,
    query: &str,
    room_id: &str,
    expected: &[&str],
) -> Value {
    let mut last = Value::Null;
    let arrived = wait::poll(ARRIVAL_LIMIT, || {
        last = person.sync_with(since, query).ok();
        (bodies(timeline(&last, room_id)).len() >= expected.len()).then_some(())
    });
    assert!(arrived.is_some(), "waited in vain for {expected:?}: {last}");
    assert_eq!(bodies(timeline(&last, room_id)), expected, "{last}");
    last
}

/// Syncs from the same token again and again until the answer has this somewhere.
#[track_caller]
pub(crate) fn sync_until(person: &Api, since: &str, query: &str, has: impl Fn(&Value) -> bool) -> Value {
    let mut last = Value::Null;
    let arrived = wait::poll(ARRIVAL_LIMIT, || {
        last = person.sync_with(since, query).ok();
        has(&last).then_some(())
    });
    assert!(arrived.is_some(), "waited in vain: {last}");
    last
}

/// Asserts that a request was refused with this status and code. Synapse may refuse it in its own way.
#[track_caller]
pub(crate) fn refused(host: Host, reply: &Reply, status: u16, errcode: &str) {
    if host != Host::Synapse {
        return reply.refused(status, errcode);
    }
    if (reply.status, reply.errcode()) != (status, errcode) {
        println!("Synapse differs from {status} {errcode}: {reply}");
    }
    assert!(reply.status >= 400, "{reply}");
}

/// Asserts that a request was refused with one of these statuses and says why. Synapse fails on some with 500.
#[track_caller]
pub(crate) fn refused_with(host: Host, reply: &Reply, statuses: &[u16]) {
    let synapse_fails = host == Host::Synapse && reply.status == 500;
    assert!(synapse_fails || statuses.contains(&reply.status), "{reply}");
    assert!(reply.errcode().starts_with("M_"), "{reply}");
}

/// The events of a JSON array at a pointer, none when there is no such array.
pub(crate) fn events<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value
        .pointer(pointer)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// A room id as a JSON pointer's part.
pub(crate) fn token(room_id: &str) -> String {
    room_id.replace('~', "~0").replace('/', "~1")
}

/// The timeline of a joined room in a sync answer.
pub(crate) fn timeline<'a>(sync: &'a Value, room_id: &str) -> &'a [Value] {
    events(sync, &format!("/rooms/join/{}/timeline/events", token(room_id)))
}

/// The bodies of the messages among some events.
pub(crate) fn bodies(events: &[Value]) -> Vec<String> {
    let bodies = events.iter().filter(|event| event["type"] == "m.room.message");
    bodies
        .filter_map(|event| event["content"]["body"].as_str().map(str::to_owned))
        .collect()
}
