//! The content of `m.room.power_levels`, parsed by the room version's rules.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Rule;
use crate::Map;
use crate::version::AuthRules;

/// The single levels, in the order of the rules.
pub(super) const SINGLE: [&str; 7] = [
    "users_default",
    "events_default",
    "state_default",
    "ban",
    "redact",
    "kick",
    "invite",
];

/// What is malformed in power levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LevelsError {
    /// One of the single levels.
    #[error("{0} is no level")]
    Single(&'static str),
    /// `events` or `notifications`.
    #[error("{0} is no object of levels")]
    Entries(&'static str),
    /// `users`.
    #[error("users is no object of user ids and levels")]
    Users,
}

impl LevelsError {
    /// The rule that refuses it.
    #[must_use]
    pub fn rule(self) -> Rule {
        match self {
            Self::Single(_) => Rule::LevelType,
            Self::Entries(_) => Rule::LevelMap,
            Self::Users => Rule::LevelUsers,
        }
    }
}

/// Power levels as an event states them; what it does not state is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Levels {
    single: [Option<i64>; SINGLE.len()],
    /// Levels of users.
    pub users: BTreeMap<String, i64>,
    /// Levels required for event types.
    pub events: BTreeMap<String, i64>,
    /// Levels required to notify.
    pub notifications: BTreeMap<String, i64>,
}

impl Levels {
    /// Parses the content.
    ///
    /// Before version 10 only `users` is spoken of by the rules, but Synapse fails on any level it cannot read when
    /// it next compares two power level events, so anything unreadable refuses the event in every version.
    ///
    /// # Errors
    /// [`LevelsError`].
    pub fn parse(rules: &AuthRules, content: &Map) -> Result<Self, LevelsError> {
        let mut levels = Self::default();
        for (slot, name) in levels.single.iter_mut().zip(SINGLE) {
            if let Some(value) = content.get(name) {
                *slot = Some(level(rules, value).ok_or(LevelsError::Single(name))?);
            }
        }
        levels.events = entries(rules, content.get("events")).ok_or(LevelsError::Entries("events"))?;
        levels.notifications = notifications(rules, content)?;
        levels.users = entries(rules, content.get("users")).ok_or(LevelsError::Users)?;
        if levels.users.keys().all(|user| is_user(user)) {
            Ok(levels)
        } else {
            Err(LevelsError::Users)
        }
    }

    /// One of the single levels (`ban`, `users_default`, …), if it is stated.
    #[must_use]
    pub fn single(&self, name: &str) -> Option<i64> {
        SINGLE
            .iter()
            .zip(self.single)
            .find(|(known, _)| **known == name)
            .and_then(|(_, level)| level)
    }
}

/// `notifications` is bound by the rules from version 6 on; before, it can be anything and counts only where it
/// can be read.
fn notifications(rules: &AuthRules, content: &Map) -> Result<BTreeMap<String, i64>, LevelsError> {
    match entries(rules, content.get("notifications")) {
        Some(levels) => Ok(levels),
        None if rules.notification_levels => Err(LevelsError::Entries("notifications")),
        None => Ok(BTreeMap::new()),
    }
}

fn entries(rules: &AuthRules, value: Option<&Value>) -> Option<BTreeMap<String, i64>> {
    let Some(value) = value else {
        return Some(BTreeMap::new());
    };
    value
        .as_object()?
        .iter()
        .map(|(key, value)| Some((key.clone(), level(rules, value)?)))
        .collect()
}

/// Whether a key of `users` names a user: `@` first and a `:` somewhere, as Synapse checks it.
///
/// The grammar of server names is not applied, though ruma does: most of the network accepts such power levels, and
/// who refused them would keep other levels than the rest.
fn is_user(key: &str) -> bool {
    key.starts_with('@') && key.contains(':')
}

/// A level: an integer; before version 10 a string of one; before version 6 a float, cut off.
/// spec: `rooms/v1 §Deprecated event content schemas`
fn level(rules: &AuthRules, value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| {
            // Saturates: no level that matters lies beyond the range of i64.
            #[allow(clippy::cast_possible_truncation)]
            number
                .as_f64()
                .filter(|_| rules.float_levels)
                .map(|float| float as i64)
        }),
        Value::String(text) if !rules.integer_levels => stringy_level(text),
        _ => None,
    }
}

/// Whitespace, a sign, and digits with any number of leading zeros.
fn stringy_level(text: &str) -> Option<i64> {
    let text = text.trim();
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let limit = if text.starts_with('-') { i64::MIN } else { i64::MAX };
    Some(text.parse().unwrap_or(limit))
}
