//! What users do, as commands and as contents of events.

use selvage_protocol::room::{GetStateEvent, MembershipAction};
use serde_json::{Map, Value, json};

use super::plan::{Act, History, JoinRule, Power};
use super::world::{Then, World};
use crate::asks::{self, parsed, viewer};
use crate::plan::Checked;

/// The room whose members a restricted room lets in. Nobody asks what it is.
const ALLOWED_ROOM: &str = "!allowed:s0.test";
const LEVELS: &str = "m.room.power_levels";

/// An event that somebody would like to send.
pub(crate) struct Wish {
    pub(crate) kind: &'static str,
    pub(crate) state_key: Option<String>,
    pub(crate) content: Value,
    /// The index of the event to redact.
    pub(crate) redacts: Option<usize>,
}

impl Wish {
    fn state(kind: &'static str, content: Value) -> Self {
        Self {
            kind,
            state_key: Some(String::new()),
            content,
            redacts: None,
        }
    }

    /// What somebody's act amounts to; `levels` are the power levels of the moment.
    pub(crate) fn of(act: &Act, users: &[String], by: &str, levels: &Value) -> Self {
        let target = |index: &usize| users[index % users.len()].clone();
        match act {
            Act::Say => Self {
                kind: "m.room.message",
                state_key: None,
                content: json!({ "msgtype": "m.text", "body": "hello" }),
                redacts: None,
            },
            Act::State { name: true, value } => {
                Self::state("m.room.name", json!({ "name": value.to_string() }))
            }
            Act::State { name: false, value } => {
                Self::state("m.room.topic", json!({ "topic": value.to_string() }))
            }
            Act::Member {
                action, target: at, ..
            } => {
                let own = matches!(
                    action,
                    MembershipAction::Join | MembershipAction::Leave | MembershipAction::Knock
                );
                Self {
                    kind: "m.room.member",
                    state_key: Some(if own { by.to_owned() } else { target(at) }),
                    content: json!({ "membership": membership(*action) }),
                    redacts: None,
                }
            }
            Act::Power { target: at, level } => Self::state(LEVELS, with_user(levels, &target(at), *level)),
            Act::Level { of, level } => Self::state(LEVELS, with_level(levels, *of, *level)),
            Act::Rule { rule } => Self::state("m.room.join_rules", join_rule(*rule)),
            Act::History { history: shown } => Self::state("m.room.history_visibility", history(*shown)),
            Act::Redact { which } => Self {
                kind: "m.room.redaction",
                state_key: None,
                content: json!({}),
                redacts: Some(*which),
            },
        }
    }
}

const fn membership(action: MembershipAction) -> &'static str {
    match action {
        MembershipAction::Join => "join",
        MembershipAction::Invite => "invite",
        MembershipAction::Leave | MembershipAction::Kick | MembershipAction::Unban => "leave",
        MembershipAction::Ban => "ban",
        MembershipAction::Knock => "knock",
    }
}

fn with_user(levels: &Value, user: &str, level: i64) -> Value {
    let mut levels = levels.clone();
    if levels.get("users").and_then(Value::as_object).is_none() {
        levels["users"] = Value::Object(Map::new());
    }
    levels["users"][user] = json!(level);
    levels
}

fn with_level(levels: &Value, of: Power, level: i64) -> Value {
    let mut levels = levels.clone();
    let key = match of {
        Power::Ban => "ban",
        Power::Kick => "kick",
        Power::Invite => "invite",
        Power::Redact => "redact",
        Power::State => "state_default",
        Power::Events => "events_default",
    };
    levels[key] = json!(level);
    levels
}

/// The content of `m.room.join_rules`.
pub(crate) fn join_rule(rule: JoinRule) -> Value {
    let name = match rule {
        JoinRule::Public => "public",
        JoinRule::Invite => "invite",
        JoinRule::Knock => "knock",
        JoinRule::Restricted => "restricted",
        JoinRule::KnockRestricted => "knock_restricted",
    };
    match rule {
        JoinRule::Restricted | JoinRule::KnockRestricted => {
            let allow = json!([{ "type": "m.room_membership", "room_id": ALLOWED_ROOM }]);
            json!({ "join_rule": name, "allow": allow })
        }
        _ => json!({ "join_rule": name }),
    }
}

/// The content of `m.room.history_visibility`.
pub(crate) fn history(history: History) -> Value {
    let name = match history {
        History::Shared => "shared",
        History::Joined => "joined",
        History::Invited => "invited",
        History::WorldReadable => "world_readable",
    };
    json!({ "history_visibility": name })
}

impl World {
    /// A local user does something. What the room refuses, it refuses.
    pub(crate) fn act(&mut self, host: usize, user: usize, act: &Act, then: Then) -> Checked {
        let by = self.hosts[host].users[user % self.hosts[host].users.len()].clone();
        let users = self.users();
        if let Act::Member {
            action,
            target,
            allowed,
        } = act
        {
            let own = matches!(
                action,
                MembershipAction::Join | MembershipAction::Leave | MembershipAction::Knock
            );
            let target = if own { &by } else { &users[target % users.len()] };
            let mut ask = asks::membership(&by, *action, target);
            ask.is_in_allowed_room = *allowed;
            return self.ask(host, ask, then).map(|_| ());
        }
        let levels = self.levels(host, &by)?;
        let wish = Wish::of(act, &users, &by, &levels);
        self.all_shown &= wish.kind != "m.room.history_visibility";
        self.txns += 1;
        let txn = wish.state_key.is_none().then(|| self.txns.to_string());
        let mut content = wish.content;
        if let Some(which) = wish.redacts {
            let Some(target) = self.redactable(host, which) else {
                return Ok(());
            };
            content["redacts"] = Value::from(target);
        }
        let ask = asks::event(
            &by,
            txn.as_deref(),
            wish.kind,
            wish.state_key.as_deref(),
            &content,
        );
        self.ask(host, ask, then).map(|_| ())
    }

    fn levels(&mut self, host: usize, by: &str) -> Checked<Value> {
        let ask = GetStateEvent {
            viewer: viewer(by),
            kind: LEVELS.to_owned(),
            state_key: String::new(),
        };
        let reply = self.ask(host, ask, Then::Settle)?;
        let levels = reply.ok().map(|event| parsed(&event)["content"].clone());
        Ok(levels.unwrap_or_else(|| json!({})))
    }

    /// An event of the timeline that may be redacted without taking from anybody what decides over power.
    fn redactable(&self, host: usize, which: usize) -> Option<String> {
        const KINDS: [&str; 3] = ["m.room.message", "m.room.topic", "m.room.name"];
        let mut rows = self.hosts[host].rows(
            &self.room,
            "SELECT event_id, json FROM room_events ORDER BY pos",
            &[],
        );
        rows.retain_mut(|row| {
            let event: Value = serde_json::from_str(&row.text(1).expect("an event")).unwrap_or_default();
            KINDS.contains(&event["type"].as_str().unwrap_or_default())
        });
        let index = which.checked_rem(rows.len())?;
        Some(super::checks::id(rows[index].blob(0).expect("an id")))
    }
}
