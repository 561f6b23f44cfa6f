//! The reference: rooms as plain lists of events, and what each user may see of them.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// An event as the room keeps it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) pos: i64,
    pub(crate) sender: String,
    pub(crate) kind: String,
    pub(crate) state_key: Option<String>,
    pub(crate) content: Map<String, Value>,
    pub(crate) redacted: bool,
}

impl Event {
    pub(crate) fn says(&self, key: &str) -> &str {
        self.content.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    pub(crate) fn is_member(&self, user: &str) -> bool {
        self.kind == "m.room.member" && self.state_key.as_deref() == Some(user)
    }
}

/// A room.
#[derive(Clone, Debug, Default)]
pub(crate) struct Room {
    pub(crate) version: &'static str,
    pub(crate) creator: String,
    pub(crate) events: Vec<Event>,
    /// Event ids by sender, device and transaction id.
    pub(crate) txns: BTreeMap<(String, String, String), String>,
    /// Indices of events by user and kind of receipt.
    pub(crate) receipts: BTreeMap<(String, String), usize>,
}

/// Whether a user sees an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sees {
    /// The user is shown it.
    Must,
    /// The spec leaves it open: the user's own membership events.
    May,
    /// The user is never shown it.
    Not,
}

impl Room {
    pub(crate) fn last_pos(&self) -> i64 {
        self.events.last().map_or(0, |event| event.pos)
    }

    pub(crate) fn index_of(&self, id: &str) -> Option<usize> {
        self.events.iter().position(|event| event.id == id)
    }

    /// The state event now.
    pub(crate) fn state(&self, kind: &str, state_key: &str) -> Option<&Event> {
        let is = |event: &&Event| event.kind == kind && event.state_key.as_deref() == Some(state_key);
        self.events.iter().rev().find(is)
    }

    /// All state event ids now, by type and state key.
    pub(crate) fn states(&self) -> BTreeMap<(String, String), String> {
        let state = |event: &Event| {
            let state_key = event.state_key.clone()?;
            Some(((event.kind.clone(), state_key), event.id.clone()))
        };
        self.events.iter().filter_map(state).collect()
    }

    pub(crate) fn member(&self, user: &str) -> Option<&Event> {
        self.state("m.room.member", user)
    }

    /// The membership now; empty for none.
    pub(crate) fn membership(&self, user: &str) -> &str {
        self.member(user).map_or("", |event| event.says("membership"))
    }

    pub(crate) fn is_joined(&self, user: &str) -> bool {
        self.membership(user) == "join"
    }

    pub(crate) fn history(&self) -> &str {
        self.state("m.room.history_visibility", "")
            .map_or("shared", |event| event.says("history_visibility"))
    }

    /// What a user sees of each event (spec: client-server-api §room-history-visibility).
    pub(crate) fn sight(&self, user: &str) -> Vec<Sees> {
        let joined_after = self.joined_after(user);
        let (mut history, mut membership) = ("shared", "");
        let mut sight = Vec::with_capacity(self.events.len());
        for (event, joined_after) in self.events.iter().zip(joined_after) {
            let (history_before, membership_before) = (history, membership);
            if event.kind == "m.room.history_visibility" {
                history = event.says("history_visibility");
            }
            if event.is_member(user) {
                membership = event.says("membership");
            }
            let allows = |history: &str, membership: &str| match history {
                "world_readable" => true,
                "shared" => membership == "join" || joined_after,
                "invited" => matches!(membership, "join" | "invite"),
                _ => membership == "join",
            };
            let sees = allows(history_before, membership_before)
                || allows(history, membership_before)
                || allows(history_before, membership);
            sight.push(match sees {
                true => Sees::Must,
                false if event.is_member(user) => Sees::May,
                false => Sees::Not,
            });
        }
        sight
    }

    /// For each event, whether the user was in the room at any time after it.
    fn joined_after(&self, user: &str) -> Vec<bool> {
        let mut joined = false;
        let mut after = Vec::with_capacity(self.events.len());
        for event in self.events.iter().rev() {
            joined |= event.is_member(user) && event.says("membership") == "join";
            after.push(joined);
        }
        after.reverse();
        after
    }

    /// The last position at which the user was in the room; `None` for one who never was.
    pub(crate) fn in_room_until(&self, user: &str) -> Option<i64> {
        if self.is_joined(user) {
            return Some(i64::MAX);
        }
        let mut until = None;
        let mut joined = false;
        for event in self.events.iter().filter(|event| event.is_member(user)) {
            let joins = event.says("membership") == "join";
            if joined && !joins {
                until = Some(event.pos);
            }
            joined = joins;
        }
        until
    }
}

/// A user.
#[derive(Clone, Debug, Default)]
pub(crate) struct User {
    /// The names that the user has had, in order; none at first.
    pub(crate) names: Vec<Option<String>>,
    /// Account data by room (empty for the account's own).
    pub(crate) data: BTreeMap<String, String>,
    /// Rooms that were forgotten, with the position of the membership event that the user knew of.
    pub(crate) forgotten: BTreeMap<String, i64>,
}

impl User {
    pub(crate) fn new() -> Self {
        Self {
            names: vec![None],
            ..Self::default()
        }
    }

    pub(crate) fn name(&self) -> Option<String> {
        self.names.last().cloned().flatten()
    }
}
