//! What one client knows, put together from its syncs as clients do.

use std::collections::BTreeMap;

use selvage_protocol::Json;
use selvage_protocol::room::SliceReply;
use selvage_protocol::user::{ChangesReply, Membership, Seen, Window};
use serde_json::{Map, Value};

use crate::asks::parsed;
use crate::sync::Options;

/// A room as a client knows it.
#[derive(Clone, Debug, Default)]
pub(crate) struct View {
    pub(crate) membership: Option<Membership>,
    pub(crate) timeline: Vec<String>,
    pub(crate) state: BTreeMap<(String, String), String>,
    /// Event ids by user and kind.
    pub(crate) receipts: BTreeMap<(String, String), String>,
}

/// All that a client knows, and the token that it knows it by.
#[derive(Clone, Debug, Default)]
pub(crate) struct Knowledge {
    pub(crate) since: Option<Seen>,
    /// The version that the client would wait for to be passed.
    pub(crate) version: u64,
    pub(crate) rooms: BTreeMap<String, View>,
    /// Account data by room (empty for the account's own).
    pub(crate) data: BTreeMap<String, String>,
}

/// A sync whose rooms have not all answered.
#[derive(Clone, Debug)]
pub(crate) struct Syncing {
    pub(crate) changes: ChangesReply,
    pub(crate) left: Vec<(String, Window)>,
    pub(crate) slices: BTreeMap<String, SliceReply>,
}

impl Syncing {
    pub(crate) fn new(changes: ChangesReply) -> Self {
        let window =
            |(id, change): (&String, &selvage_protocol::user::RoomChange)| Some((id.clone(), change.window?));
        Self {
            left: changes.rooms.iter().filter_map(window).collect(),
            changes,
            slices: BTreeMap::new(),
        }
    }
}

/// A client.
#[derive(Clone, Debug)]
pub(crate) struct Device {
    pub(crate) user: &'static str,
    pub(crate) id: String,
    pub(crate) options: Options,
    pub(crate) known: Knowledge,
    pub(crate) copies: Vec<Knowledge>,
    pub(crate) syncing: Option<Syncing>,
    /// Whether a request of the sync has no answer yet.
    pub(crate) waits: bool,
}

impl Device {
    /// Gives up a sync; the next one starts from the same token.
    pub(crate) fn abandon(&mut self) {
        self.syncing = None;
        self.waits = false;
    }
}

/// An event as a client reads it.
pub(crate) struct Read {
    pub(crate) id: String,
    pub(crate) state: Option<(String, String)>,
    pub(crate) sender: String,
    pub(crate) content: Map<String, Value>,
}

pub(crate) fn read(json: &Json) -> Read {
    let event = parsed(json);
    let text = |key: &str| event.get(key).and_then(Value::as_str).map(str::to_owned);
    let kind = text("type").unwrap_or_default();
    Read {
        id: text("event_id").unwrap_or_default(),
        state: text("state_key").map(|state_key| (kind, state_key)),
        sender: text("sender").unwrap_or_default(),
        content: event
            .get("content")
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default(),
    }
}

impl View {
    /// Takes a slice in, with the events that lay between it and what was known.
    pub(crate) fn take(
        &mut self,
        slice: &SliceReply,
        gap: Vec<String>,
        state_after: bool,
    ) -> Result<(), String> {
        let timeline: Vec<Read> = slice.timeline.iter().map(read).collect();
        for id in gap
            .into_iter()
            .chain(timeline.iter().map(|event| event.id.clone()))
        {
            if self.timeline.contains(&id) {
                return Err(format!("{id} came twice"));
            }
            self.timeline.push(id);
        }
        let before = slice.state.iter().map(read);
        let after = timeline.into_iter().filter(|_| !state_after);
        for event in before.chain(after) {
            if let Some(key) = event.state {
                self.state.insert(key, event.id);
            }
        }
        slice.receipts.iter().for_each(|receipts| self.receive(receipts));
        Ok(())
    }

    fn receive(&mut self, receipts: &Json) {
        for (event_id, kinds) in parsed(receipts) {
            for (kind, users) in kinds.as_object().into_iter().flatten() {
                for user in users.as_object().into_iter().flat_map(Map::keys) {
                    self.receipts
                        .insert((user.clone(), kind.clone()), event_id.clone());
                }
            }
        }
    }
}
