//! Table tests of the rules, allowed and refused for each, named by their place in `rooms §Authorisation rules`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::RoomVersion;

mod cited;
mod create;
mod invites;
mod joins;
mod leaves;
mod levels;
mod others;
mod power;
mod third_party;

pub(super) const CREATOR: &str = "@creator:a";
/// Level 50.
pub(super) const MOD: &str = "@mod:a";
/// Level 50, of another server.
pub(super) const PEER: &str = "@peer:b";
/// Level 0, joined.
pub(super) const USER: &str = "@user:b";
pub(super) const INVITED: &str = "@invited:b";
pub(super) const BANNED: &str = "@banned:b";
pub(super) const LEFT: &str = "@left:b";
/// Has never been in the room.
pub(super) const STRANGER: &str = "@stranger:b";

/// A room to try events against.
pub(super) struct World {
    pub(super) version: RoomVersion,
    pub(super) state: BTreeMap<(String, String), Event>,
    made: std::cell::Cell<usize>,
}

/// What somebody tries to send.
#[derive(Clone)]
pub(super) struct Try<'a> {
    pub(super) sender: &'a str,
    pub(super) kind: &'a str,
    pub(super) state_key: Option<&'a str>,
    pub(super) content: Value,
    pub(super) prev: Vec<&'a str>,
    pub(super) auth: Vec<&'a str>,
}

pub(super) fn message<'a>(sender: &'a str, kind: &'a str) -> Try<'a> {
    Try {
        sender,
        kind,
        state_key: None,
        content: json!({}),
        prev: vec!["$prev:a"],
        auth: vec![],
    }
}

pub(super) fn state<'a>(sender: &'a str, kind: &'a str, state_key: &'a str, content: Value) -> Try<'a> {
    Try {
        state_key: Some(state_key),
        content,
        ..message(sender, kind)
    }
}

pub(super) fn member<'a>(sender: &'a str, target: &'a str, membership: &str) -> Try<'a> {
    state(sender, "m.room.member", target, json!({"membership": membership}))
}

/// The content of the power levels that rooms here begin with.
pub(super) fn usual_levels(version: RoomVersion) -> Value {
    let mut users = json!({MOD: 50, PEER: 50});
    if version < RoomVersion::V12 {
        users[CREATOR] = json!(100);
    }
    json!({"users": users, "invite": 0, "events": {"m.room.name": 25}})
}

impl World {
    /// A room with its create event only.
    pub(super) fn founded(version: RoomVersion) -> Self {
        let mut world = Self {
            version,
            state: BTreeMap::new(),
            made: 0.into(),
        };
        let mut content = json!({"room_version": version.as_str()});
        if version <= RoomVersion::V10 {
            content["creator"] = json!(CREATOR);
        }
        world.set(Try {
            prev: vec![],
            ..state(CREATOR, "m.room.create", "", content)
        });
        world
    }

    /// A public room with members of every kind.
    pub(super) fn new(version: RoomVersion) -> Self {
        let mut world = Self::founded(version);
        for (user, membership) in [
            (CREATOR, "join"),
            (MOD, "join"),
            (PEER, "join"),
            (USER, "join"),
            (INVITED, "invite"),
            (BANNED, "ban"),
            (LEFT, "leave"),
        ] {
            world.set(member(user, user, membership));
        }
        world.set(state(CREATOR, "m.room.power_levels", "", usual_levels(version)));
        world.join_rule("public")
    }

    pub(super) fn join_rule(mut self, rule: &str) -> Self {
        self.set(state(
            CREATOR,
            "m.room.join_rules",
            "",
            json!({"join_rule": rule}),
        ));
        self
    }

    pub(super) fn levels(mut self, content: Value) -> Self {
        self.set(state(CREATOR, "m.room.power_levels", "", content));
        self
    }

    /// Puts an event into the state without asking.
    pub(super) fn set(&mut self, what: Try<'_>) -> Event {
        let event = self.event(what);
        let key = (event.kind().to_owned(), event.state_key().unwrap().to_owned());
        self.state.insert(key, event.clone());
        event
    }

    pub(super) fn event(&self, what: Try<'_>) -> Event {
        self.event_with(what, &json!({}))
    }

    /// An event with other fields set or, by null, taken away.
    pub(super) fn event_with(&self, what: Try<'_>, fields: &Value) -> Event {
        self.made.set(self.made.get() + 1);
        let is_create = what.kind == "m.room.create";
        let id = if is_create {
            "$create:a".to_owned()
        } else {
            format!("$e{}:a", self.made.get())
        };
        let pairs = self.version.rules().references_are_pairs();
        let refs = |ids: &[&str]| {
            ids.iter()
                .map(|id| if pairs { json!([id, {}]) } else { json!(id) })
                .collect::<Value>()
        };
        let mut json = json!({
            "type": what.kind, "sender": what.sender, "content": what.content, "depth": 1, "origin_server_ts": 1,
            "prev_events": refs(&what.prev), "auth_events": refs(&what.auth),
            "hashes": {"sha256": ""}, "signatures": {}, "event_id": id, "room_id": "!create:a",
        });
        if let Some(state_key) = what.state_key {
            json["state_key"] = json!(state_key);
        }
        if is_create && self.version == RoomVersion::V12 {
            json.as_object_mut().unwrap().remove("room_id");
        }
        for (field, value) in fields.as_object().unwrap() {
            json[field.as_str()] = value.clone();
        }
        Event::from_stored(&json.to_string(), EventId::parse(id).unwrap(), self.version).unwrap()
    }

    pub(super) fn check(&self, what: Try<'_>) -> Result<(), Rule> {
        self.check_event(&self.event(what))
    }

    pub(super) fn check_event(&self, event: &Event) -> Result<(), Rule> {
        check_state(event, &self.state).map_err(|error| match error {
            AuthError::Refused(refusal) => {
                assert_eq!(refusal.version, self.version);
                refusal.rule
            }
            AuthError::Lookup(never) => match never {},
        })
    }

    #[track_caller]
    pub(super) fn allows(&self, what: Try<'_>) {
        let shown = format!(
            "v{}: {} {:?} by {}",
            self.version, what.kind, what.content, what.sender
        );
        assert_eq!(self.check(what), Ok(()), "{shown}");
    }

    #[track_caller]
    pub(super) fn refuses(&self, what: Try<'_>, rule: Rule) {
        let shown = format!(
            "v{}: {} {:?} by {}",
            self.version, what.kind, what.content, what.sender
        );
        assert_eq!(self.check(what), Err(rule), "{shown}");
    }
}

/// The versions from one on.
pub(super) fn from(first: RoomVersion) -> impl Iterator<Item = RoomVersion> {
    RoomVersion::ALL
        .into_iter()
        .filter(move |version| *version >= first)
}

/// The versions before one.
pub(super) fn before(end: RoomVersion) -> impl Iterator<Item = RoomVersion> {
    RoomVersion::ALL.into_iter().filter(move |version| *version < end)
}

/// The places of some rules, read off the rendered pages of `rooms/v1` to `rooms/v12`.
#[test]
fn rules_name_their_place() {
    use RoomVersion::{V1, V6, V7, V8, V10, V11, V12};
    for (rule, version, section) in [
        (Rule::CreatePrevEvents, V1, "1.1"),
        (Rule::CreateAdditionalCreators, V12, "1.4"),
        (Rule::RoomIdUnknown, V12, "2"),
        (Rule::AuthDuplicate, V11, "2.1"),
        (Rule::AuthRejected, V12, "3.3"),
        (Rule::AuthOtherRoom, V11, "2.5"),
        (Rule::AuthOtherRoom, V12, "3.4"),
        (Rule::NoCreate, V1, "2.4"),
        (Rule::NotFederated, V6, "3"),
        (Rule::NotFederated, V12, "4"),
        (Rule::AliasesDomain, V1, "4.2"),
        (Rule::MemberStateKey, V1, "5.1"),
        (Rule::MemberStateKey, V6, "4.1"),
        (Rule::JoinBanned, V1, "5.2.3"),
        (Rule::JoinBanned, V7, "4.2.3"),
        (Rule::JoinBanned, V8, "4.3.3"),
        (Rule::JoinBanned, V12, "5.3.3"),
        (Rule::JoinRule, V7, "4.2.6"),
        (Rule::JoinRule, V12, "5.3.7"),
        (Rule::JoinAuthoriser, V10, "4.3.5.2"),
        (Rule::ThirdPartySigned, V1, "5.3.1.2"),
        (Rule::InvitePower, V12, "5.4.5"),
        (Rule::KickPower, V6, "4.4.5"),
        (Rule::BanPower, V11, "4.6.3"),
        (Rule::KnockJoinRule, V7, "4.6.1"),
        (Rule::KnockJoinRule, V10, "4.7.1"),
        (Rule::MembershipUnknown, V1, "5.6"),
        (Rule::MembershipUnknown, V6, "4.6"),
        (Rule::MembershipUnknown, V7, "4.7"),
        (Rule::MembershipUnknown, V12, "5.8"),
        (Rule::SenderNotJoined, V1, "6"),
        (Rule::SenderNotJoined, V11, "5"),
        (Rule::TokenPower, V12, "7.1"),
        (Rule::RequiredPower, V6, "7"),
        (Rule::StateKeyUser, V12, "9"),
        (Rule::LevelUsers, V1, "10.1"),
        (Rule::LevelType, V10, "9.1"),
        (Rule::LevelMap, V12, "10.2"),
        (Rule::LevelUsers, V11, "9.3"),
        (Rule::LevelCreators, V12, "10.4"),
        (Rule::LevelChange, V1, "10.3"),
        (Rule::LevelChange, V10, "9.5"),
        (Rule::LevelChange, V12, "10.6"),
        (Rule::LevelEntryOld, V6, "9.4.1"),
        (Rule::LevelUserOld, V11, "9.8.1"),
        (Rule::LevelUserNew, V12, "10.10.1"),
        (Rule::Redaction, V1, "11.3"),
    ] {
        assert_eq!(rule.section(version), section, "{rule:?} of {version}");
    }
    let refusal = Refusal {
        rule: Rule::JoinBanned,
        version: V12,
    };
    assert_eq!(
        refusal.to_string(),
        "JoinBanned (rooms/v12 §Authorisation rules 5.3.3)"
    );
}
