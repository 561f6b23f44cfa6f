//! Drawing a plan from a seed.

use selvage_event::RoomVersion;
use selvage_protocol::room::MembershipAction;

use super::{Act, After, Deed, Fate, Forgery, History, JoinRule, Odd, Plan, Power, Step, Stop};
use crate::Prng;

/// The most servers of a run.
const SERVERS_MAX: u64 = 20;
/// About how many steps a run has.
const STEPS_MIN: u64 = 30;
const STEPS_MORE: u64 = 110;

/// The plan that a seed determines.
pub(super) fn plan(seed: u64) -> Plan {
    Draw(Prng::new(seed)).plan(seed)
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
