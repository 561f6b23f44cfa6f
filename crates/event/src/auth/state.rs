//! The rules that look at a state.

use serde_json::Value;

use super::levels::{Levels, SINGLE};
use super::power::{PowerLevels, UserPower, creators};
use super::{AuthError, Refusal, Rule, StateLookup, member};
use crate::event::{Event, Membership};
use crate::version::AuthRules;

/// The state-dependent rules: all but those that [`super::check_auth_events`] covers.
/// spec: `rooms §Authorisation rules`
///
/// # Errors
/// [`AuthError::Refused`] names the rule; [`AuthError::Lookup`] is the lookup's.
pub fn check_state<S: StateLookup>(event: &Event, state: &S) -> Result<(), AuthError<S::Error>> {
    if event.kind() == "m.room.create" {
        return Ok(());
    }
    let version = event.room_version();
    let refused = |rule| AuthError::Refused(Refusal { rule, version });
    let Some(create) = state.get("m.room.create", "").map_err(AuthError::Lookup)? else {
        return Err(refused(Rule::NoCreate));
    };
    let check = Check {
        event,
        state,
        create,
        rules: &version.rules().auth,
    };
    check.run().map_err(|stop| match stop {
        Stop::Refuse(rule) => refused(rule),
        Stop::Lookup(error) => AuthError::Lookup(error),
    })
}

/// Why a check stops.
pub(super) enum Stop<E> {
    Refuse(Rule),
    Lookup(E),
}

/// What a check comes to.
pub(super) type Checked<E> = Result<(), Stop<E>>;

/// Refuses unless the condition holds.
pub(super) fn demand<E>(holds: bool, rule: Rule) -> Checked<E> {
    if holds { Ok(()) } else { Err(Stop::Refuse(rule)) }
}

/// One event against one state.
pub(super) struct Check<'a, S> {
    pub(super) event: &'a Event,
    pub(super) state: &'a S,
    pub(super) create: Event,
    pub(super) rules: &'a AuthRules,
}

impl<S: StateLookup> Check<'_, S> {
    fn run(&self) -> Checked<S::Error> {
        self.check_federates(self.event.sender().domain())?;
        match self.event.kind() {
            "m.room.aliases" if self.rules.special_aliases => return self.check_aliases(),
            "m.room.member" => return member::check(self),
            _ => {}
        }
        let sender = self.event.sender().as_str();
        demand(
            self.membership(sender)? == Some(Membership::Join),
            Rule::SenderNotJoined,
        )?;
        let power = self.power()?;
        let level = power.user(sender);
        if self.event.kind() == "m.room.third_party_invite" {
            return demand(level.reaches(power.invite()), Rule::TokenPower);
        }
        let required = power.event(self.event.kind(), self.event.is_state());
        demand(level.reaches(required), Rule::RequiredPower)?;
        let state_key = self.event.state_key().unwrap_or("");
        demand(
            !state_key.starts_with('@') || state_key == sender,
            Rule::StateKeyUser,
        )?;
        match self.event.kind() {
            "m.room.power_levels" => self.check_levels(&power, level),
            "m.room.redaction" if self.rules.redaction_rule => self.check_redaction(&power, level),
            _ => Ok(()),
        }
    }

    /// The rule about `m.federate`, for the domain of the sender and, as Synapse does, of a membership's target.
    ///
    /// Anything but `true` counts as "does not federate", as in Synapse; ruma refuses every event of such rooms.
    pub(super) fn check_federates(&self, domain: &str) -> Checked<S::Error> {
        let federates = self
            .create
            .content()
            .get("m.federate")
            .is_none_or(|value| *value == Value::Bool(true));
        demand(
            federates || domain == self.create.sender().domain(),
            Rule::NotFederated,
        )
    }

    /// The membership of a user in the state; `None` when there is none, or one that this room version has not.
    pub(super) fn membership(&self, user: &str) -> Result<Option<Membership>, Stop<S::Error>> {
        let event = self.state.get("m.room.member", user).map_err(Stop::Lookup)?;
        Ok(event.and_then(|event| event.membership()))
    }

    /// The power levels in the state.
    pub(super) fn power(&self) -> Result<PowerLevels, Stop<S::Error>> {
        let power = self.state.get("m.room.power_levels", "").map_err(Stop::Lookup)?;
        PowerLevels::new(self.create.clone(), power).map_err(|_| Stop::Refuse(Rule::StateLevels))
    }

    /// Rule 4 of versions 1 to 5.
    fn check_aliases(&self) -> Checked<S::Error> {
        let Some(state_key) = self.event.state_key() else {
            return Err(Stop::Refuse(Rule::AliasesStateKey));
        };
        demand(state_key == self.event.sender().domain(), Rule::AliasesDomain)
    }

    /// Rule 11 of versions 1 and 2.
    fn check_redaction(&self, power: &PowerLevels, level: UserPower) -> Checked<S::Error> {
        let target = self.event.redacts().and_then(|id| id.domain());
        let same_server = target.is_some() && target == self.event.event_id().domain();
        demand(level.reaches(power.redact()) || same_server, Rule::Redaction)
    }

    /// The rule about `m.room.power_levels`.
    fn check_levels(&self, power: &PowerLevels, level: UserPower) -> Checked<S::Error> {
        let new = self.event.levels().map_err(|error| Stop::Refuse(error.rule()))?;
        if self.rules.privileged_creators {
            let names_creator = creators(&self.create)
                .iter()
                .any(|user| new.users.contains_key(*user));
            demand(!names_creator, Rule::LevelCreators)?;
        }
        let Some(old) = power.stated() else { return Ok(()) };
        let own = self.event.sender().as_str();
        check_changes(self.rules, old, new, level, own).map_err(Stop::Refuse)
    }
}

/// What may be changed from one set of levels to the next by a sender with `level`.
///
/// A level that is not stated counts as nothing when it is added or removed, as in Synapse, and not as its default,
/// as in ruma: a user of level 25 may add `ban: 20` though the default was 50.
fn check_changes(
    rules: &AuthRules,
    old: &Levels,
    new: &Levels,
    level: UserPower,
    own: &str,
) -> Result<(), Rule> {
    let above = |value: Option<i64>| value.is_some_and(|value| !level.reaches(value));
    for name in SINGLE {
        let (before, after) = (old.single(name), new.single(name));
        if before != after && (above(before) || above(after)) {
            return Err(Rule::LevelChange);
        }
    }
    let no_limits = Default::default();
    let limited = if rules.notification_levels {
        (&old.notifications, &new.notifications)
    } else {
        (&no_limits, &no_limits)
    };
    for (old, new) in [(&old.events, &new.events), limited] {
        for (before, after) in changes(old, new).map(|(_, before, after)| (before, after)) {
            if above(before) {
                return Err(Rule::LevelEntryOld);
            }
            if above(after) {
                return Err(Rule::LevelEntryNew);
            }
        }
    }
    for (user, before, after) in changes(&old.users, &new.users) {
        if user != own && before.is_some_and(|before| UserPower::Level(before) >= level) {
            return Err(Rule::LevelUserOld);
        }
        if above(after) {
            return Err(Rule::LevelUserNew);
        }
    }
    Ok(())
}

type Entries = std::collections::BTreeMap<String, i64>;

/// The entries that were added, changed or removed: key, level before, level after.
fn changes<'a>(
    old: &'a Entries,
    new: &'a Entries,
) -> impl Iterator<Item = (&'a str, Option<i64>, Option<i64>)> {
    let added = new
        .iter()
        .filter(|(key, _)| !old.contains_key(*key))
        .map(|(key, after)| (key, None, Some(*after)));
    let rest = old
        .iter()
        .map(|(key, before)| (key, Some(*before), new.get(key).copied()));
    rest.chain(added)
        .filter(|(_, before, after)| before != after)
        .map(|(key, before, after)| (key.as_str(), before, after))
}
