//! Who has how much power in a state.

use serde_json::Value;

use super::levels::{Levels, LevelsError};
use super::{AuthError, StateLookup};
use crate::event::Event;

/// The level needed to change state, to kick, ban, redact or notify the room, where nothing is said.
const DEFAULT_MODERATION: i64 = 50;

/// The creator's level before the room has power levels (versions 1 to 11).
const DEFAULT_CREATOR: i64 = 100;

/// How much power a user has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum UserPower {
    /// A level.
    Level(i64),
    /// A creator of version 12: more than any level, and not more than another creator.
    Infinite,
}

impl UserPower {
    /// Whether it reaches a required level.
    #[must_use]
    pub fn reaches(self, level: i64) -> bool {
        self >= Self::Level(level)
    }
}

/// The creators of a room. spec: `rooms/v12`: sender and `additional_creators`; `rooms/v11`: sender; before: the
/// `creator` of the content.
#[must_use]
pub fn creators(create: &Event) -> Vec<&str> {
    let rules = &create.rules().auth;
    if rules.creator_field {
        return create.content_str("creator").into_iter().collect();
    }
    let mut creators = vec![create.sender().as_str()];
    if rules.privileged_creators {
        let additional = create
            .content()
            .get("additional_creators")
            .and_then(Value::as_array);
        creators.extend(additional.into_iter().flatten().filter_map(Value::as_str));
    }
    creators
}

/// The power levels of a room's state: those of its `m.room.power_levels`, and the defaults where it says nothing.
/// spec: `client-server-api §m.room.power_levels`, `server-server-api §Definitions`
#[derive(Debug, Clone)]
pub struct PowerLevels {
    create: Event,
    power: Option<Event>,
}

impl PowerLevels {
    /// Of the room's create event and its `m.room.power_levels` event, if it has one.
    ///
    /// # Errors
    /// [`LevelsError`] when the power levels are malformed.
    pub fn new(create: Event, power: Option<Event>) -> Result<Self, LevelsError> {
        if let Some(power) = &power {
            power.levels()?;
        }
        Ok(Self { create, power })
    }

    /// Of a state; `None` when it has no create event or the power levels are malformed.
    ///
    /// # Errors
    /// The lookup's.
    pub fn of_state<S: StateLookup>(state: &S) -> Result<Option<Self>, AuthError<S::Error>> {
        let Some(create) = state.get("m.room.create", "").map_err(AuthError::Lookup)? else {
            return Ok(None);
        };
        let power = state.get("m.room.power_levels", "").map_err(AuthError::Lookup)?;
        Ok(Self::new(create, power).ok())
    }

    /// What the power levels event states, if there is one.
    #[must_use]
    pub fn stated(&self) -> Option<&Levels> {
        self.power.as_ref().and_then(|power| power.levels().ok())
    }

    /// A user's power.
    #[must_use]
    pub fn user(&self, user: &str) -> UserPower {
        if self.create.rules().auth.privileged_creators && self.is_creator(user) {
            return UserPower::Infinite;
        }
        UserPower::Level(match self.stated() {
            Some(levels) => levels
                .users
                .get(user)
                .copied()
                .or_else(|| levels.single("users_default"))
                .unwrap_or(0),
            None if self.is_creator(user) => DEFAULT_CREATOR,
            None => 0,
        })
    }

    /// Whether a user is a creator of the room.
    #[must_use]
    pub fn is_creator(&self, user: &str) -> bool {
        creators(&self.create).contains(&user)
    }

    /// The level required to send an event of that type.
    #[must_use]
    pub fn event(&self, kind: &str, is_state: bool) -> i64 {
        let listed = self.stated().and_then(|levels| levels.events.get(kind).copied());
        listed.unwrap_or_else(|| {
            if is_state {
                self.single("state_default", DEFAULT_MODERATION)
            } else {
                self.single("events_default", 0)
            }
        })
    }

    /// The level required to invite.
    #[must_use]
    pub fn invite(&self) -> i64 {
        self.single("invite", 0)
    }

    /// The level required to kick.
    #[must_use]
    pub fn kick(&self) -> i64 {
        self.single("kick", DEFAULT_MODERATION)
    }

    /// The level required to ban.
    #[must_use]
    pub fn ban(&self) -> i64 {
        self.single("ban", DEFAULT_MODERATION)
    }

    /// The level required to redact events of other servers.
    #[must_use]
    pub fn redact(&self) -> i64 {
        self.single("redact", DEFAULT_MODERATION)
    }

    /// The level required for a notification of that kind (`room`).
    #[must_use]
    pub fn notification(&self, kind: &str) -> i64 {
        let stated = self
            .stated()
            .and_then(|levels| levels.notifications.get(kind).copied());
        stated.unwrap_or(DEFAULT_MODERATION)
    }

    /// A single level, or its default.
    fn single(&self, name: &str, default: i64) -> i64 {
        self.stated()
            .and_then(|levels| levels.single(name))
            .unwrap_or(default)
    }
}
