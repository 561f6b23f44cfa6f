//! What the reference model lets users do: the authorisation rules, written down once more and simply
//! (spec: rooms/v11 §authorization-rules, rooms/v12).

use selvage_protocol::room::MembershipAction;
use serde_json::{Map, Value};

use super::model::Room;

/// The power that state events, kicks, bans and redactions need where the power levels do not say.
const MODERATOR: i64 = 50;

/// What must come of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expect {
    /// The room refuses it and stays as it is.
    Refused,
    /// The room has one more event.
    New,
    /// The room stays as it is and answers with an event that it has.
    Same(String),
}

impl Expect {
    pub(crate) const fn new_if(allowed: bool) -> Self {
        if allowed { Self::New } else { Self::Refused }
    }
}

impl Room {
    pub(crate) fn power(&self, user: &str) -> i64 {
        if self.version == "12" && user == self.creator {
            return i64::MAX;
        }
        self.listed(user).unwrap_or(0)
    }

    fn listed(&self, user: &str) -> Option<i64> {
        self.levels().get(user)?.as_i64()
    }

    fn levels(&self) -> Map<String, Value> {
        let levels = self.state("m.room.power_levels", "");
        let users = levels.and_then(|event| event.content.get("users")?.as_object());
        users.cloned().unwrap_or_default()
    }

    fn moderates(&self, user: &str) -> bool {
        self.is_joined(user) && self.power(user) >= MODERATOR
    }

    pub(crate) fn expect_message(&self, sender: &str) -> Expect {
        Expect::new_if(self.is_joined(sender))
    }

    pub(crate) fn expect_redaction(&self, sender: &str, target: usize) -> Expect {
        let own = self
            .events
            .get(target)
            .is_some_and(|event| event.sender == sender);
        Expect::new_if(self.is_joined(sender) && (own || self.power(sender) >= MODERATOR))
    }

    pub(crate) fn expect_state(&self, sender: &str, kind: &str, content: &Map<String, Value>) -> Expect {
        match self.state(kind, "") {
            Some(same) if self.is_joined(sender) && same.sender == sender && same.content == *content => {
                Expect::Same(same.id.clone())
            }
            _ => Expect::new_if(self.moderates(sender)),
        }
    }

    /// The power levels after a change of one user's.
    pub(crate) fn levels_with(&self, target: &str, level: i64) -> Map<String, Value> {
        let mut users = self.levels();
        users.insert(target.to_owned(), Value::from(level));
        let mut content = Map::new();
        content.insert("users".to_owned(), Value::Object(users));
        content
    }

    pub(crate) fn expect_power(&self, sender: &str, target: &str, level: i64) -> Expect {
        let content = self.levels_with(target, level);
        let same = self.expect_state(sender, "m.room.power_levels", &content);
        if same != Expect::New {
            return same;
        }
        let power = self.power(sender);
        let old = self.listed(target);
        let unchanged = old == Some(level);
        let creator = self.version == "12" && target == self.creator;
        let above = old.is_some_and(|old| old > power || (old >= power && target != sender));
        Expect::new_if(!creator && (unchanged || (level <= power && !above)))
    }

    pub(crate) fn expect_membership(&self, by: &str, action: MembershipAction, target: &str) -> Expect {
        let current = self.membership(target);
        let present = matches!(current, "join" | "invite" | "knock");
        let above = self.moderates(by) && self.power(by) > self.power(target);
        let same = |membership: &str| {
            let member = self.member(target).filter(|member| member.sender == by)?;
            (current == membership).then(|| Expect::Same(member.id.clone()))
        };
        let allowed = match action {
            MembershipAction::Join => {
                if let Some(same) = same("join") {
                    return same;
                }
                let public = self
                    .state("m.room.join_rules", "")
                    .is_some_and(|rule| rule.says("join_rule") == "public");
                current != "ban" && (public || matches!(current, "join" | "invite"))
            }
            MembershipAction::Leave => {
                if let Some(same) = same("leave") {
                    return same;
                }
                present
            }
            MembershipAction::Invite => self.is_joined(by) && !matches!(current, "join" | "ban"),
            MembershipAction::Kick => present && (by == target || above),
            MembershipAction::Ban => above,
            MembershipAction::Unban => current == "ban" && above,
            MembershipAction::Knock => false,
        };
        Expect::new_if(allowed)
    }
}
