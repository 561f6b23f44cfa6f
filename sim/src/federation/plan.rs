//! What a run does, step by step, drawn from its seed before it begins. Numbers are indices, taken modulo what there is, so
//! that steps can be left out.

use std::ops::Range;

use selvage_event::RoomVersion;
use selvage_protocol::room::MembershipAction;
use serde::{Deserialize, Serialize};

use super::world::World;
use crate::Prng;
use crate::plan::{self, Verdict};

/// The users of each honest server.
pub(crate) const USERS_PER_SERVER: usize = 2;
/// The most servers of a run.
const SERVERS_MAX: u64 = 20;
/// About how many steps a run has.
const STEPS_MIN: u64 = 30;
const STEPS_MORE: u64 = 110;

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
        Draw(Prng::new(seed)).plan(seed)
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

/// Draws a plan.
struct Draw(Prng);

impl Draw {
    fn plan(mut self, seed: u64) -> Plan {
        let version = RoomVersion::ALL[self.index(RoomVersion::ALL.len())];
        let many = self.0.chance(6);
        let honest = 2 + self.0.below(if many { SERVERS_MAX - 3 } else { 4 });
        let hostile = if self.0.chance(40) { 0 } else { 1 + self.0.below(2) };
        let mut plan = Plan {
            seed,
            version: version.as_str().to_owned(),
            honest: usize::try_from(honest).unwrap_or(2),
            hostile: usize::try_from(hostile).unwrap_or(1),
            join_rule: if self.0.chance(80) {
                JoinRule::Public
            } else {
                self.rule()
            },
            history: if self.0.chance(70) {
                History::Shared
            } else {
                self.history()
            },
            forgetful: self.0.chance(25),
            steps: Vec::new(),
        };
        self.opening(&mut plan);
        let length = STEPS_MIN + self.0.below(STEPS_MORE);
        let hostile = plan.hostile > 0;
        plan.steps.extend((0..length).map(|_| self.step(hostile)));
        plan
    }

    /// Most servers join, and some users get power, so that runs meet in the room.
    fn opening(&mut self, plan: &mut Plan) {
        for server in 1..plan.honest {
            if self.0.chance(80) {
                plan.steps.push(Step::Enter {
                    server,
                    user: 0,
                    via: 0,
                    knock: false,
                    allowed: true,
                    stop: None,
                });
                plan.steps.push(Step::Round);
            }
        }
        for villain in 0..plan.hostile {
            plan.steps.push(Step::Villain {
                villain,
                deed: Deed::Join { via: 0 },
                to: u32::MAX,
            });
        }
        for _ in 0..1 + self.0.below(3) {
            let act = Act::Power {
                target: self.any(),
                level: self.pick(&[50, 50, 75, 100]),
            };
            plan.steps.push(self.act(0, 0, act));
        }
        plan.steps.push(Step::Round);
    }

    fn index(&mut self, end: usize) -> usize {
        usize::try_from(self.0.below(end as u64)).unwrap_or_default()
    }

    /// An index to be taken modulo something small.
    fn any(&mut self) -> usize {
        self.index(1 << 12)
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.index(from.len())]
    }

    fn mask(&mut self) -> u32 {
        u32::try_from(self.0.below(1 << 32)).unwrap_or_default()
    }

    fn stop(&mut self) -> Option<Stop> {
        self.0.chance(20).then(|| Stop {
            turns: u32::try_from(1 + self.0.below(12)).unwrap_or(1),
            durable: self.0.chance(50),
        })
    }

    fn act(&mut self, server: usize, user: usize, act: Act) -> Step {
        Step::Act {
            server,
            user,
            act,
            crash: self.0.chance(5).then(|| self.0.chance(50)),
        }
    }

    fn step(&mut self, hostile: bool) -> Step {
        if hostile && self.0.chance(25) {
            return Step::Villain {
                villain: self.any(),
                deed: self.deed(),
                to: if self.0.chance(30) { u32::MAX } else { self.mask() },
            };
        }
        match self.0.below(100) {
            0..44 => {
                let (server, user) = (self.any(), self.any());
                let act = self.deed_of_a_user();
                self.act(server, user, act)
            }
            44..50 => Step::Enter {
                server: self.any(),
                user: self.any(),
                via: self.any(),
                knock: self.0.chance(15),
                allowed: self.0.chance(80),
                stop: self.stop(),
            },
            50..60 => Step::Post {
                from: self.any(),
                to: self.any(),
            },
            60..72 => Step::Carry {
                parcel: self.any(),
                fate: self.fate(),
            },
            72..78 => Step::Round,
            78..86 => Step::Fill {
                server: self.any(),
                trust: self.0.chance(20),
                stop: self.stop(),
            },
            86..89 => Step::Page {
                server: self.any(),
                from: self.any(),
                by_state: self.0.chance(50),
                stop: self.stop(),
            },
            _ => self.circumstance(),
        }
    }

    fn circumstance(&mut self) -> Step {
        match self.0.below(11) {
            0..2 => Step::Split { side: self.mask() },
            2..4 => Step::Heal,
            4 => Step::Crash { server: self.any() },
            5 => Step::Ring { server: self.any() },
            _ => Step::Tick {
                ms: self.0.below(5_000),
            },
        }
    }

    fn fate(&mut self) -> Fate {
        match self.0.below(10) {
            0 => Fate::Lost,
            1 => Fate::Forgotten,
            2 => Fate::Repeat,
            3 => Fate::Crash {
                durable: self.0.chance(50),
            },
            _ => Fate::Arrive,
        }
    }

    fn rule(&mut self) -> JoinRule {
        use JoinRule::{Invite, Knock, KnockRestricted, Public, Restricted};
        self.pick(&[Public, Public, Invite, Knock, Restricted, KnockRestricted])
    }

    fn history(&mut self) -> History {
        use History::{Invited, Joined, Shared, WorldReadable};
        self.pick(&[Shared, Joined, Invited, WorldReadable])
    }

    fn deed_of_a_user(&mut self) -> Act {
        match self.0.below(20) {
            0..4 => Act::Say,
            4..7 => self.state(),
            7..13 => self.member(),
            13..16 => Act::Power {
                target: self.any(),
                level: self.pick(&[0, 25, 50, 75, 100]),
            },
            16 => self.level(),
            17 => Act::Rule { rule: self.rule() },
            18 => Act::Redact { which: self.any() },
            _ if self.0.chance(40) => Act::History {
                history: self.history(),
            },
            _ => self.state(),
        }
    }

    fn state(&mut self) -> Act {
        Act::State {
            name: self.0.chance(30),
            value: self.0.below(1_000),
        }
    }

    fn level(&mut self) -> Act {
        use Power::{Ban, Events, Invite, Kick, Redact, State};
        Act::Level {
            of: self.pick(&[Ban, Kick, Invite, Redact, State, Events]),
            level: self.pick(&[0, 0, 25, 50, 75]),
        }
    }

    fn member(&mut self) -> Act {
        use MembershipAction::{Ban, Invite, Join, Kick, Knock, Leave, Unban};
        Act::Member {
            action: self.pick(&[
                Join, Join, Join, Invite, Invite, Leave, Kick, Kick, Ban, Ban, Unban, Knock,
            ]),
            target: self.any(),
            allowed: self.0.chance(80),
        }
    }

    fn deed(&mut self) -> Deed {
        match self.0.below(24) {
            0 => Deed::Join { via: self.any() },
            1..12 => Deed::Act {
                act: self.deed_of_a_user(),
                after: self.after(),
                odd: self.odd(),
            },
            12..14 => Deed::Forge {
                victim: self.any(),
                how: self.pick(&[Forgery::Key, Forgery::Unsigned, Forgery::Hash]),
                act: self.deed_of_a_user(),
            },
            14..17 => Deed::Equivocate {
                act: self.deed_of_a_user(),
                other: self.deed_of_a_user(),
            },
            17..19 => Deed::Withhold {
                length: 1 + self.0.below(14),
                act: self.deed_of_a_user(),
            },
            19..21 => Deed::WrongAuth {
                act: self.deed_of_a_user(),
                cited: (0..self.0.below(6)).map(|_| self.any()).collect(),
            },
            21 if self.0.chance(40) => Deed::SecondCreate,
            21 => Deed::Strip { which: self.any() },
            22 => Deed::Reveal,
            _ => Deed::Lie {
                lies: self.0.chance(50),
            },
        }
    }

    fn after(&mut self) -> After {
        match self.0.below(20) {
            0 => After::Nothing,
            1 => After::Unknown,
            2..9 => After::Newest,
            _ => After::These((0..1 + self.0.below(3)).map(|_| self.any()).collect()),
        }
    }

    fn odd(&mut self) -> Odd {
        match self.0.below(10) {
            0 => Odd::Deep,
            1 => Odd::Shallow,
            2 => Odd::Old,
            3 => Odd::Future,
            _ => Odd::Nothing,
        }
    }
}
