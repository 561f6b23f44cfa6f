//! Differential tests: the state before every event of rooms that fork and merge, as the room object has it from tries and
//! citations, must be what ruma resolves from whole states and whole auth chains (room versions 6 to 12).
//!
//! `SELVAGE_ORACLE_ROOMS` sets how many rooms there are (default 56). A failure prints the seed; `SELVAGE_ORACLE_SEED` starts
//! there.

// Helpers of tests fail like tests.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod model;
#[path = "../../../event/tests/oracle/pdu.rs"]
mod pdu;

use selvage_event::{Event, EventId, RoomVersion, UserId};
use selvage_protocol::federation::{Outcome, Receive, StateIds};
use selvage_sim::remote::{RemoteRoom, raw};
use selvage_sim::{Layout, Prng, Server};
use serde_json::{Value, json};

use model::{Ids, Model};

const HOME: &str = "remote.test";
/// The versions whose resolution ruma implements.
const VERSIONS: [RoomVersion; 7] = [
    RoomVersion::V6,
    RoomVersion::V7,
    RoomVersion::V8,
    RoomVersion::V9,
    RoomVersion::V10,
    RoomVersion::V11,
    RoomVersion::V12,
];
const BRANCHES: usize = 3;
const ROUNDS: usize = 4;
/// How many events a branch grows by in a round.
const GROWTH: usize = 6;

/// Seeds that once found something.
const KNOWN: [u64; 2] = [1_166, 1_784];

/// A number from the environment, or the default.
fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

/// A room of another server, this server that follows it, and what should be so.
struct Game {
    server: Server,
    trunk: RemoteRoom,
    users: Vec<UserId>,
    creator: UserId,
    prng: Prng,
    model: Model,
    /// Events that followed several branches with different states.
    merged: usize,
}

impl Game {
    fn new(seed: u64) -> Self {
        let version = VERSIONS[usize::try_from(seed).unwrap() % VERSIONS.len()];
        let mut trunk = RemoteRoom::new(HOME, version);
        let creator = trunk.user("creator");
        let users: Vec<UserId> = ["a", "b", "c", "d", "e"].map(|name| trunk.user(name)).into();
        for user in &users {
            trunk.join(user);
        }
        let levels = levels(
            &trunk,
            &creator,
            &[(&users[0], 100), (&users[1], 50), (&users[2], 50)],
        );
        trunk.state_event(&creator, "m.room.power_levels", "", levels);
        let mut server = Server::new("test", Layout::default(), seed);
        trunk.give_to(&mut server, &mut || {});
        let mut model = Model::new(version);
        model.begin(&trunk.sent);
        Self {
            server,
            trunk,
            users,
            creator,
            prng: Prng::new(seed),
            model,
            merged: 0,
        }
    }

    fn user(&mut self) -> UserId {
        let at = self.below(self.users.len());
        self.users[at].clone()
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.prng.below(bound as u64)).unwrap()
    }

    /// Something that a user does on a branch, allowed or not.
    fn act(&mut self, branch: &mut RemoteRoom) -> Event {
        let sender = match self.below(4) {
            0 => self.creator.clone(),
            _ => self.user(),
        };
        let target = self.user();
        let member = |membership: &str| json!({ "membership": membership });
        let (kind, key, content) = match self.below(8) {
            0 => ("m.room.member", target.as_str(), member("ban")),
            1 => ("m.room.member", target.as_str(), member("leave")),
            2 => ("m.room.member", target.as_str(), member("invite")),
            3 => ("m.room.member", sender.as_str(), member("join")),
            4 => {
                let rule = ["public", "invite", "knock"][self.below(3)];
                ("m.room.join_rules", "", json!({ "join_rule": rule }))
            }
            5 => {
                let level = [0, 50, 100][self.below(3)];
                let levels = levels(branch, &self.creator, &[(&target, level)]);
                ("m.room.power_levels", "", levels)
            }
            _ => ("m.room.topic", "", json!({ "topic": self.below(1_000) })),
        };
        let event = branch.sign(branch.template(&sender, kind, Some(key), content));
        branch.take(&event);
        event
    }

    /// The room takes an event; the state before it must be the one that ruma resolves.
    fn check(&mut self, event: &Event) {
        // Two branches may do the same thing at the same time, which is the same event.
        if self.model.has(event) {
            return;
        }
        let receive = Receive {
            origin: HOME.to_owned(),
            events: vec![raw(event)],
            keys: self.trunk.keys(),
            history_before: None,
        };
        let room = self.trunk.room();
        let verdict = self.server.ask(&room, receive).unwrap().verdicts.remove(0);
        assert!(
            matches!(
                verdict.outcome,
                Outcome::Accepted | Outcome::SoftFailed | Outcome::Rejected
            ),
            "{verdict:?}"
        );
        let (expected, is_merge) = self.model.before(event);
        self.merged += usize::from(is_merge);
        let ask = StateIds {
            server: HOME.to_owned(),
            event_id: event.event_id().as_str().to_owned(),
        };
        let ids = self.server.ask(&room, ask).unwrap().state;
        let ours: Ids = ids.iter().map(|id| EventId::parse(id).unwrap()).collect();
        let theirs: Ids = expected.values().cloned().collect();
        assert_eq!(ours, theirs, "the state before {}", event.json());
        self.model
            .add(event, &expected, verdict.outcome == Outcome::Rejected);
    }

    /// Plays a round; whether another may follow.
    fn round(&mut self) -> bool {
        let mut branches: Vec<RemoteRoom> = (0..BRANCHES).map(|_| self.trunk.fork()).collect();
        for branch in &mut branches {
            for _ in 0..GROWTH {
                let event = self.act(branch);
                self.check(&event);
            }
        }
        let mut trunk = branches.swap_remove(self.below(BRANCHES));
        for branch in &branches {
            trunk.follow(branch);
        }
        let merge = trunk.sign(trunk.template(&self.creator, "m.room.message", None, json!({})));
        trunk.take(&merge);
        self.trunk = trunk;
        self.check(&merge);
        // Who goes on knows what the branches came to.
        let before = self.model.before(&merge).0;
        // Where a reset has lost the join rules, we take the room for one that needs an invite, as Synapse does; ruma
        // refuses every join.
        let goes_on = before.contains_key(&("m.room.join_rules".to_owned(), String::new()));
        self.trunk.set_state(before);
        goes_on
    }
}

fn levels(room: &RemoteRoom, creator: &UserId, of: &[(&UserId, i64)]) -> Value {
    let mut levels = json!({ "users": {} });
    for (user, level) in of {
        levels["users"][user.as_str()] = Value::from(*level);
    }
    if let Some(owner) = room.owner_level() {
        levels["users"][creator.as_str()] = Value::from(owner);
    }
    levels
}

#[test]
fn the_state_before_every_event_is_the_same_as_rumas() {
    let first = setting("SELVAGE_ORACLE_SEED", 0);
    let rooms = setting("SELVAGE_ORACLE_ROOMS", 56);
    let mut merged = 0;
    for seed in KNOWN.into_iter().chain(first..first + rooms) {
        println!("seed {seed}");
        let mut game = Game::new(seed);
        for _ in 0..ROUNDS {
            if !game.round() {
                break;
            }
        }
        merged += game.merged;
    }
    let rounds = usize::try_from(rooms).unwrap() * ROUNDS;
    assert!(
        merged * 2 > rounds,
        "only {merged} of {rounds} merges had anything to resolve"
    );
}
