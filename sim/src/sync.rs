//! One sync, as a gateway makes it: the user says which rooms changed, and each is asked for its slice.

use std::collections::BTreeMap;

use selvage_object::Failure;
use selvage_protocol::room::{Slice, SliceFilter, SliceReply, Viewer};
use selvage_protocol::user::{Changes, ChangesReply, Membership, RoomChange, Seen, Window};
use selvage_protocol::{Json, room_key, user_key};
use serde_json::{Map, Value};

use crate::Server;
use crate::asks::{DEVICE, parsed, token};

/// How a client syncs.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// How timelines and states are filtered.
    pub filter: SliceFilter,
    /// Everything, though there is a token.
    pub full_state: bool,
    /// Left rooms, in an initial sync.
    pub include_leave: bool,
    /// The state after the timeline rather than before it.
    pub state_after: bool,
}

/// What a client gets.
#[derive(Debug)]
pub struct SyncReply {
    /// What the user object says.
    pub changes: ChangesReply,
    /// The slices of the rooms that have a window.
    pub slices: BTreeMap<String, SliceReply>,
}

impl SyncReply {
    /// The token for the next sync.
    #[must_use]
    pub const fn next(&self) -> Seen {
        self.changes.next
    }

    /// What is said of a room, if anything.
    #[must_use]
    pub fn room(&self, room_id: &str) -> Option<&RoomChange> {
        self.changes.rooms.get(room_id)
    }

    /// The membership that is told of a room.
    #[must_use]
    pub fn membership(&self, room_id: &str) -> Option<Membership> {
        self.room(room_id).map(|change| change.membership)
    }

    /// The slice of a room that must have one.
    ///
    /// # Panics
    /// When it has none.
    #[must_use]
    pub fn slice(&self, room_id: &str) -> &SliceReply {
        self.slices.get(room_id).expect("the room has news")
    }

    /// What the timeline of a room says, in short; see [`told`].
    #[must_use]
    pub fn timeline(&self, room_id: &str) -> Vec<String> {
        self.slices
            .get(room_id)
            .map_or(Vec::new(), |slice| told(&slice.timeline))
    }
}

/// The command of the first half of a sync.
#[must_use]
pub fn changes(user: &str, device: &str, since: Option<Seen>, options: &Options) -> Changes {
    Changes {
        token_hash: token(user, device),
        since,
        full_state: options.full_state,
        include_leave: options.include_leave,
        filter_id: None,
    }
}

/// The command of the second half, for each room with a window.
#[must_use]
pub fn slice(user: &str, device: &str, window: Window, options: &Options) -> Slice {
    Slice {
        viewer: Viewer {
            user_id: user.to_owned(),
            device_id: device.to_owned(),
        },
        from: window.from,
        to: window.to,
        filter: options.filter.clone(),
        full_state: options.full_state,
        state_after: options.state_after,
    }
}

/// Syncs [`DEVICE`] of a user.
///
/// # Errors
/// When the user object or a room refuses.
pub fn sync(
    server: &mut Server,
    user: &str,
    since: Option<Seen>,
    options: &Options,
) -> Result<SyncReply, Failure> {
    let changes = server.ask(&user_key(user), changes(user, DEVICE, since, options))?;
    let mut slices = BTreeMap::new();
    for (room_id, change) in &changes.rooms {
        if let Some(window) = change.window {
            let reply = server.ask(&room_key(room_id), slice(user, DEVICE, window, options))?;
            slices.insert(room_id.clone(), reply);
        }
    }
    Ok(SyncReply { changes, slices })
}

/// Events in short: the body of a message, `type|state key|what it says` of state, else the type.
#[must_use]
pub fn told(events: &[Json]) -> Vec<String> {
    events.iter().map(|event| short(&parsed(event))).collect()
}

fn short(event: &Map<String, Value>) -> String {
    let text = |key: &str| event.get(key).and_then(Value::as_str);
    let content = |key: &str| event.get("content")?.get(key)?.as_str();
    let kind = text("type").unwrap_or_default();
    let kind = kind.strip_prefix("m.room.").unwrap_or(kind);
    match text("state_key") {
        Some(state_key) => {
            let says = ["membership", "name", "topic", "join_rule", "history_visibility"];
            let says = says.into_iter().find_map(content).unwrap_or_default();
            format!("{kind}|{state_key}|{says}")
        }
        None => content("body").map_or_else(|| kind.to_owned(), str::to_owned),
    }
}
