//! What a run does, step by step, drawn from its seed before it begins. Numbers are indices, taken modulo what there is, so
//! that steps can be left out.

mod draw;

use std::ops::Range;

use selvage_protocol::room::MembershipAction;
use serde::{Deserialize, Serialize};

use super::world::World;
use crate::plan::{self, Verdict};

/// The users of each honest server.
pub(crate) const USERS_PER_SERVER: usize = 2;

/// A whole run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// The seed of what is not a step: keys, and which questions get lost.
    pub(crate) seed: u64,
    /// The room version.
    pub(crate) version: String,
    /// How many servers are honest.
    pub(crate) honest: usize,
    /// How many are not.
    pub(crate) hostile: usize,
    /// Who may join in the beginning.
    pub(crate) join_rule: JoinRule,
    /// What is shown to whom in the beginning.
    pub(crate) history: History,
    /// Whether rooms leave memory after each turn.
    pub(crate) forgetful: bool,
    /// What happens.
    pub(crate) steps: Vec<Step>,
}

/// One thing that happens.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Step {
    /// A user of an honest server does something; then the server may die, after or before its commit.
    Act {
        server: usize,
        user: usize,
        act: Act,
        crash: Option<bool>,
    },
    /// A user whose server is not in the room wants in, or asks to be let in.
    Enter {
        server: usize,
        user: usize,
        via: usize,
        knock: bool,
        allowed: bool,
        stop: Option<Stop>,
    },
    /// What a server has to send to another goes into the post.
    Post { from: usize, to: usize },
    /// Something becomes of a parcel.
    Carry { parcel: usize, fate: Fate },
    /// Everybody sends what there is, and all of it arrives where the network reaches.
    Round,
    /// A server asks for what it lacks.
    Fill {
        server: usize,
        trust: bool,
        stop: Option<Stop>,
    },
    /// A server fetches a page of the past.
    Page {
        server: usize,
        from: usize,
        by_state: bool,
        stop: Option<Stop>,
    },
    /// The network parts: servers with a bit here reach each other and not the rest.
    Split { side: u32 },
    /// The network is whole again.
    Heal,
    /// A server dies and starts anew.
    Crash { server: usize },
    /// Time passes, in milliseconds.
    Tick { ms: u64 },
    /// A server goes on with what was too much for a turn.
    Ring { server: usize },
    /// A hostile server does something, and sends it to those with a bit in `to`.
    Villain { villain: usize, deed: Deed, to: u32 },
}

/// When a server dies while it asks others: after so many turns of its own, and whether the last one was durable.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Stop {
    pub(crate) turns: u32,
    pub(crate) durable: bool,
}

/// What a user does.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Act {
    /// Says something.
    Say,
    /// Sets the topic or the name.
    State { name: bool, value: u64 },
    /// Changes a membership.
    Member {
        action: MembershipAction,
        target: usize,
        allowed: bool,
    },
    /// Gives or takes power.
    Power { target: usize, level: i64 },
    /// Says how much power something needs.
    Level { of: Power, level: i64 },
    /// Says who may join.
    Rule { rule: JoinRule },
    /// Says what is shown to whom.
    History { history: History },
    /// Redacts an event.
    Redact { which: usize },
}

/// What needs power.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum Power {
    Ban,
    Kick,
    Invite,
    Redact,
    State,
    Events,
}

/// Who may join.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum JoinRule {
    Public,
    Invite,
    Knock,
    Restricted,
    KnockRestricted,
}

/// What is shown to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum History {
    Shared,
    Joined,
    Invited,
    WorldReadable,
}

/// What becomes of a parcel.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum Fate {
    /// It arrives.
    Arrive,
    /// It arrives, and will arrive again.
    Repeat,
    /// It is lost, and sent again later.
    Lost,
    /// It is lost, and its sender does not know or care.
    Forgotten,
    /// It arrives, and the receiver dies, after or before its commit; its sender sends it again.
    Crash { durable: bool },
}

/// What a hostile server does. Its events have valid hashes and signatures where nothing else is said.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Deed {
    /// Its user joins by the rules, through an honest server.
    Join { via: usize },
    /// Its user does something that may be allowed, after the newest events or after old ones.
    Act { act: Act, after: After, odd: Odd },
    /// Something in another user's name.
    Forge { victim: usize, how: Forgery, act: Act },
    /// Two events that exclude each other, one for each half of the servers.
    Equivocate { act: Act, other: Act },
    /// A line of events of which all but the last are kept back.
    Withhold { length: u64, act: Act },
    /// Something that cites whatever events as those that authorise it.
    WrongAuth { act: Act, cited: Vec<usize> },
    /// A second beginning of the room.
    SecondCreate,
    /// Somebody else's event without its content.
    Strip { which: usize },
    /// Sends everything that it kept back.
    Reveal,
    /// From now on it answers questions with lies, or with the truth.
    Lie { lies: bool },
}

/// What an event follows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum After {
    /// The newest events that are known.
    Newest,
    /// Any events, by index.
    These(Vec<usize>),
    /// Nothing at all.
    Nothing,
    /// An event that nobody has.
    Unknown,
}

/// What is odd about an event.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum Odd {
    Nothing,
    /// The depth is the greatest that there is.
    Deep,
    /// The depth is zero.
    Shallow,
    /// The time is zero.
    Old,
    /// The time is far in the future.
    Future,
}

/// What is wrong with a forged event.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum Forgery {
    /// The signature is of another key.
    Key,
    /// There is none of the sender's server.
    Unsigned,
    /// The content was changed after it was hashed.
    Hash,
}

impl plan::Plan for Plan {
    fn of(seed: u64) -> Self {
        draw::plan(seed)
    }

    fn run(&self) -> Verdict {
        let mut world = World::new(self);
        let failure = plan::play(&mut world, &self.steps, World::step, World::finish);
        Verdict {
            trace: world.trace.value(),
            failure,
        }
    }

    fn len(&self) -> usize {
        self.steps.len()
    }

    fn without(&self, steps: Range<usize>) -> Self {
        let mut fewer = self.clone();
        fewer.steps.drain(steps);
        fewer
    }

    fn simpler(&self) -> Vec<Self> {
        let mut simpler = Vec::new();
        if self.honest > 2 {
            simpler.push(Self {
                honest: self.honest - 1,
                ..self.clone()
            });
        }
        if self.hostile > 0 {
            simpler.push(Self {
                hostile: self.hostile - 1,
                ..self.clone()
            });
        }
        simpler
    }

    /// The last line is the plan as JSON, which [`Plan::read`] reads.
    fn lines(&self) -> Vec<String> {
        let (honest, hostile) = (self.honest, self.hostile);
        let mut lines = vec![format!(
            "version {}, {honest} honest servers, {hostile} hostile, {:?}, {:?}",
            self.version, self.join_rule, self.history
        )];
        let steps = self.steps.iter().enumerate();
        lines.extend(steps.map(|(number, step)| format!("{number:4} {step:?}")));
        lines.push(serde_json::to_string(self).expect("plans have a JSON form"));
        lines
    }
}

impl Plan {
    /// A plan that was kept.
    ///
    /// # Errors
    /// When the text is none.
    pub fn read(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }
}
