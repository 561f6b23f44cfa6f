//! A client that syncs, and what it was told so far.

use std::collections::{BTreeMap, BTreeSet};

use selvage_e2e::api::{Account, percent};
use selvage_e2e::wait;
use serde_json::{Value, json};

use crate::room::ARRIVAL_LIMIT;

/// The timeline is asked for in pieces so large that none of these tests sees a gap.
const TIMELINE_LIMIT: u32 = 500;

/// One client's sync loop, turned by hand.
pub(crate) struct Watcher {
    account: Account,
    since: String,
    timelines: BTreeMap<String, Vec<Value>>,
    /// The latest answer.
    pub(crate) last: Value,
}

impl Watcher {
    /// A client that has synced once, and so is told from now on.
    pub(crate) fn new(account: &Account) -> Watcher {
        let mut watcher = Watcher {
            account: account.clone(),
            since: String::new(),
            timelines: BTreeMap::new(),
            last: Value::Null,
        };
        watcher.turn();
        watcher
    }

    /// Syncs once.
    fn turn(&mut self) {
        let filter = json!({"room": {"timeline": {"limit": TIMELINE_LIMIT}}});
        let timeout = if self.since.is_empty() { 0 } else { 1000 };
        let query = format!("timeout={timeout}&filter={}", percent(&filter.to_string()));
        self.last = self.account.sync_with(&self.since, &query).ok();
        self.since = self.last["next_batch"].as_str().expect("a token").to_owned();
        for (room_id, room) in self.last["rooms"]["join"].as_object().into_iter().flatten() {
            let known = self.timelines.contains_key(room_id);
            assert!(
                !known || room["timeline"]["limited"] != json!(true),
                "a gap: {room}"
            );
            let timeline = self.timelines.entry(room_id.clone()).or_default();
            let news = room["timeline"]["events"].as_array().into_iter().flatten();
            timeline.extend(news.cloned());
        }
    }

    /// Syncs until this is so.
    #[track_caller]
    pub(crate) fn until(&mut self, what: &str, so: impl Fn(&Watcher) -> bool) {
        let came = wait::poll(ARRIVAL_LIMIT, || {
            if so(self) {
                return Some(());
            }
            self.turn();
            None
        });
        assert!(came.is_some(), "waited in vain until {what}: {}", self.last);
    }

    /// Syncs until the latest answer has this.
    #[track_caller]
    pub(crate) fn until_told(&mut self, what: &str, told: impl Fn(&Value) -> bool) {
        self.until(what, |watcher| told(&watcher.last));
    }

    /// What the timeline of a room was, in order, as far as this client was told.
    pub(crate) fn timeline(&self, room_id: &str) -> &[Value] {
        self.timelines.get(room_id).map_or(&[], Vec::as_slice)
    }

    /// Syncs until all these messages came, and asserts that nothing came twice.
    #[track_caller]
    pub(crate) fn until_heard(&mut self, room_id: &str, texts: &BTreeSet<String>) {
        self.until("all messages came", |watcher| {
            let heard = bodies(watcher.timeline(room_id));
            texts.iter().all(|text| heard.contains(text))
        });
        once_each(self.timeline(room_id));
    }
}

/// The bodies of the messages among some events.
pub(crate) fn bodies(events: &[Value]) -> Vec<String> {
    let messages = events.iter().filter(|event| event["type"] == "m.room.message");
    messages
        .filter_map(|event| event["content"]["body"].as_str().map(str::to_owned))
        .collect()
}

/// The bodies of one sender's messages.
pub(crate) fn bodies_of(events: &[Value], sender: &str) -> Vec<String> {
    let theirs = events.iter().filter(|event| event["sender"] == sender);
    bodies(&theirs.cloned().collect::<Vec<_>>())
}

/// Asserts that no event and no text is there twice.
#[track_caller]
pub(crate) fn once_each(events: &[Value]) {
    let mut ids = BTreeSet::new();
    for event in events {
        assert!(ids.insert(event["event_id"].to_string()), "twice: {event}");
    }
    let bodies = bodies(events);
    let different: BTreeSet<&String> = bodies.iter().collect();
    assert_eq!(
        different.len(),
        bodies.len(),
        "a message is there twice: {bodies:?}"
    );
}
