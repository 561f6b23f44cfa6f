//! What a run does, step by step, drawn from its seed before it begins: so steps can be left out to shrink a failure.

use selvage_object::Placement;
use selvage_protocol::room::{EventFilter, MembershipAction, SliceFilter};

use super::world::World;
use crate::plan::{self, Verdict};
use crate::sync::Options;
use crate::{Fate, Layout, Prng};

/// The users of a run.
pub(crate) const USERS: [&str; 4] = [
    "@alice:sim.test",
    "@bob:sim.test",
    "@carol:sim.test",
    "@dave:sim.test",
];
/// The devices of each user.
pub(crate) const DEVICES_PER_USER: usize = 2;
/// About how many steps a run has.
const STEPS_MIN: u64 = 60;
const STEPS_MORE: u64 = 120;
/// The most rooms of a run.
const ROOMS_MAX: u64 = 3;

/// One thing that happens. Numbers are indices, taken modulo what there is.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// A user makes a room and invites some.
    Create {
        by: usize,
        version: &'static str,
        join_rule: &'static str,
        history: &'static str,
        invite: Vec<usize>,
    },
    /// A user sends a message; `busy` says that the server does not even take it.
    Send { device: usize, room: usize, busy: bool },
    /// A client sends again what it has no answer to.
    Retry { which: usize },
    /// A user wants a membership changed.
    Member {
        by: usize,
        action: MembershipAction,
        target: usize,
        room: usize,
    },
    /// A user sets a state event of one of a few values.
    State {
        by: usize,
        room: usize,
        kind: &'static str,
        key: &'static str,
        value: &'static str,
    },
    /// A user gives power.
    Power {
        by: usize,
        target: usize,
        room: usize,
        level: i64,
    },
    /// A user redacts a message.
    Redact { by: usize, room: usize, message: usize },
    /// A user has read up to an event.
    Receipt {
        by: usize,
        room: usize,
        event: usize,
        private: bool,
    },
    /// A user types.
    Typing { by: usize, room: usize },
    /// A user takes another name.
    Rename { by: usize },
    /// A user sets account data, of a room or of the account.
    AccountData { by: usize, room: Option<usize> },
    /// A user forgets a room.
    Forget { by: usize, room: usize },
    /// A device syncs, from its request to its last answer, or sends the first request only.
    Sync { device: usize, whole: bool },
    /// A device that is in the middle of a sync sends its next request.
    Slice { device: usize },
    /// A device keeps a copy of all that it knows.
    Save { device: usize },
    /// A device goes back to a copy.
    Rewind { device: usize, copy: usize },
    /// A shard commits.
    Commit { shard: usize },
    /// A shard's process dies, after or before its commit.
    Crash { shard: usize, durable: bool },
    /// Something becomes of a letter.
    Carry { letter: usize, fate: Fate },
    /// Everything commits and arrives.
    Settle,
    /// Hints arrive, or are lost.
    Hints { arrive: bool },
    /// Time passes, in milliseconds.
    Tick { ms: u64 },
    /// A day and more passes, in which clients give up what they had no answer to.
    Sleep,
}

/// A whole run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The seed of what is not a step.
    pub(crate) seed: u64,
    /// How the server is laid out.
    pub(crate) layout: Layout,
    /// How each device syncs.
    pub(crate) devices: Vec<Options>,
    /// What happens.
    pub(crate) steps: Vec<Step>,
}

impl plan::Plan for Plan {
    fn of(seed: u64) -> Self {
        let mut prng = Prng::new(seed);
        let placement = match prng.below(3) {
            0 => Placement::ByKind { shards: 2 },
            1 => Placement::Hashed { shards: 1 },
            _ => Placement::Hashed { shards: 4 },
        };
        let loaded_bytes_max = if prng.chance(30) { 1 } else { 64 << 20 };
        let devices = (0..USERS.len() * DEVICES_PER_USER)
            .map(|_| options(&mut prng))
            .collect();
        let length = STEPS_MIN + prng.below(STEPS_MORE);
        // A first room that all may join, so that runs meet in it.
        let mut steps = vec![create(&mut prng, Some("public"))];
        steps.extend((0..length).map(|_| step(&mut prng)));
        Self {
            seed,
            layout: Layout {
                placement,
                loaded_bytes_max,
            },
            devices,
            steps,
        }
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

    fn without(&self, steps: std::ops::Range<usize>) -> Self {
        let mut fewer = self.clone();
        fewer.steps.drain(steps);
        fewer
    }

    fn lines(&self) -> Vec<String> {
        let laid_out = format!("{:?}", self.layout);
        let devices = self.devices.iter().enumerate();
        let devices = devices.map(|(number, device)| format!("device {number}: {device:?}"));
        let steps = self
            .steps
            .iter()
            .enumerate()
            .map(|(number, step)| format!("{number:4} {step:?}"));
        std::iter::once(laid_out).chain(devices).chain(steps).collect()
    }
}

fn options(prng: &mut Prng) -> Options {
    let limits = [1, 3, 20];
    let mut filter = SliceFilter {
        limit: pick(prng, &limits),
        lazy_load_members: prng.chance(30),
        ..SliceFilter::default()
    };
    if prng.chance(20) {
        filter.timeline = EventFilter {
            types: Some(vec!["m.room.mess*".to_owned()]),
            ..EventFilter::default()
        };
    }
    Options {
        filter,
        state_after: prng.chance(30),
        ..Options::default()
    }
}

fn pick<T: Copy>(prng: &mut Prng, from: &[T]) -> T {
    let index = usize::try_from(prng.below(from.len() as u64)).unwrap_or_default();
    *from.get(index).expect("an index below the length")
}

fn index(prng: &mut Prng, end: usize) -> usize {
    usize::try_from(prng.below(end as u64)).unwrap_or_default()
}

fn create(prng: &mut Prng, join_rule: Option<&'static str>) -> Step {
    let drawn = pick(prng, &["public", "invite"]);
    Step::Create {
        by: index(prng, USERS.len()),
        version: pick(prng, &["10", "11", "12"]),
        join_rule: join_rule.unwrap_or(drawn),
        history: history(prng),
        invite: (0..prng.below(3)).map(|_| index(prng, USERS.len())).collect(),
    }
}

fn history(prng: &mut Prng) -> &'static str {
    pick(prng, &["shared", "shared", "joined", "invited", "world_readable"])
}

fn step(prng: &mut Prng) -> Step {
    match prng.below(100) {
        0..2 => create(prng, None),
        2..22 => Step::Send {
            device: device(prng),
            room: room(prng),
            busy: prng.chance(5),
        },
        22..26 => Step::Retry {
            which: index(prng, 8),
        },
        26..42 => member(prng),
        42..46 => state(prng),
        46..49 => Step::Power {
            by: user(prng),
            target: user(prng),
            room: room(prng),
            level: pick(prng, &[0, 25, 50, 100]),
        },
        49..51 => Step::Redact {
            by: user(prng),
            room: room(prng),
            message: index(prng, 50),
        },
        51..54 => Step::Receipt {
            by: user(prng),
            room: room(prng),
            event: index(prng, 50),
            private: prng.chance(30),
        },
        54..56 => Step::Rename { by: user(prng) },
        _ => other(prng),
    }
}

fn other(prng: &mut Prng) -> Step {
    match prng.below(44) {
        0 => Step::Typing {
            by: user(prng),
            room: room(prng),
        },
        1 => Step::AccountData {
            by: user(prng),
            room: prng.chance(50).then(|| room(prng)),
        },
        2 => Step::Forget {
            by: user(prng),
            room: room(prng),
        },
        3..11 => Step::Sync {
            device: device(prng),
            whole: prng.chance(70),
        },
        11..14 => Step::Slice { device: device(prng) },
        14 => Step::Save { device: device(prng) },
        15 => Step::Rewind {
            device: device(prng),
            copy: index(prng, 4),
        },
        16..22 => Step::Commit {
            shard: index(prng, 8),
        },
        22..24 => Step::Crash {
            shard: index(prng, 8),
            durable: prng.chance(50),
        },
        24..36 => Step::Carry {
            letter: index(prng, 16),
            fate: pick(
                prng,
                &[
                    Fate::Arrive,
                    Fate::Arrive,
                    Fate::Arrive,
                    Fate::Arrive,
                    Fate::Lost,
                    Fate::Busy,
                ],
            ),
        },
        36..38 => Step::Settle,
        38 => Step::Hints {
            arrive: prng.chance(70),
        },
        39 => match prng.below(6) {
            0 => Step::Sleep,
            _ => Step::Tick { ms: 200_000 },
        },
        _ => Step::Tick { ms: prng.below(600) },
    }
}

fn user(prng: &mut Prng) -> usize {
    index(prng, USERS.len())
}

fn device(prng: &mut Prng) -> usize {
    index(prng, USERS.len() * DEVICES_PER_USER)
}

/// The first room more often than others.
fn room(prng: &mut Prng) -> usize {
    if prng.chance(60) {
        return 0;
    }
    usize::try_from(prng.below(ROOMS_MAX)).unwrap_or_default()
}

fn member(prng: &mut Prng) -> Step {
    use MembershipAction::{Ban, Invite, Join, Kick, Leave, Unban};
    let action = pick(
        prng,
        &[
            Join, Join, Join, Join, Join, Invite, Invite, Leave, Leave, Kick, Ban, Unban,
        ],
    );
    let by = user(prng);
    let own = matches!(action, Join | Leave);
    Step::Member {
        by,
        action,
        target: if own { by } else { user(prng) },
        room: room(prng),
    }
}

fn state(prng: &mut Prng) -> Step {
    let (kind, key, value) = match prng.below(4) {
        0 => ("m.room.history_visibility", "history_visibility", history(prng)),
        1 => (
            "m.room.join_rules",
            "join_rule",
            pick(prng, &["public", "invite"]),
        ),
        2 => ("m.room.topic", "topic", pick(prng, &["tea", "cake"])),
        _ => ("m.room.name", "name", pick(prng, &["den", "lounge", "attic"])),
    };
    Step::State {
        by: user(prng),
        room: room(prng),
        kind,
        key,
        value,
    }
}
