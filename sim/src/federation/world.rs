//! The servers, the network between them, and the reference, moved step by step.

use std::collections::BTreeSet;

use selvage_event::{PublicKey, RoomVersion};
use selvage_object::{Failure, ObjectKey};
use selvage_protocol::Ask;
use selvage_protocol::federation::ServerKey;
use selvage_protocol::room::NewState;
use serde_json::json;

use super::acts;
use super::driver::Trouble;
use super::host::Host;
use super::network::Parcel;
use super::plan::{Plan, Step};
use super::reference::Reference;
use super::villain::Villain;
use crate::Prng;
use crate::asks;
use crate::plan::Checked;
use crate::server::command;
use crate::trace::Trace;

/// What happens after a turn.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// It becomes durable, and all that it causes is done.
    Settle,
    /// The server dies after its commit.
    CrashDurable,
    /// The server dies before its commit.
    CrashLost,
}

impl Then {
    pub(crate) const fn crash(durable: bool) -> Self {
        if durable {
            Self::CrashDurable
        } else {
            Self::CrashLost
        }
    }
}

/// The whole of a run.
pub(crate) struct World {
    pub(crate) hosts: Vec<Host>,
    pub(crate) villains: Vec<Villain>,
    pub(crate) room: ObjectKey,
    pub(crate) keys: Vec<ServerKey>,
    pub(crate) reference: Reference,
    pub(crate) parcels: Vec<Parcel>,
    /// While the network is parted: the servers of one side.
    pub(crate) side: Option<u32>,
    /// Whether questions and answers get lost.
    pub(crate) faults: bool,
    /// Whether all that is in the room is shown to all who are.
    pub(crate) all_shown: bool,
    /// The hosts that could say something in the end.
    pub(crate) spoke: BTreeSet<usize>,
    pub(crate) clock: u64,
    pub(crate) prng: Prng,
    pub(crate) txns: u64,
    pub(crate) trace: Trace,
}

impl World {
    pub(crate) fn new(plan: &Plan) -> Self {
        let version: RoomVersion = plan.version.parse().expect("a room version");
        let mut hosts: Vec<Host> = (0..plan.honest.max(1))
            .map(|number| Host::new(plan, number))
            .collect();
        let villains: Vec<Villain> = (0..plan.hostile)
            .map(|number| Villain::new(plan.seed, number))
            .collect();
        let mut keys: Vec<ServerKey> = hosts
            .iter()
            .map(|host| key(host.name(), host.server.key()))
            .collect();
        keys.extend(
            villains
                .iter()
                .map(|villain| key(villain.name.as_str(), &villain.key)),
        );
        let founder = hosts[0].users[0].clone();
        let state = first_state(plan, version, &founder);
        let (room, create) = asks::create(&hosts[0].server, &founder, version.as_str(), "room", state);
        hosts[0].server.ask(&room, create).expect("a room");
        let reference = Reference::new(version, room.name(), &keys);
        let mut world = Self {
            hosts,
            villains,
            reference,
            room,
            keys,
            parcels: Vec::new(),
            side: None,
            faults: true,
            all_shown: matches!(plan.history, super::plan::History::Shared),
            spoke: BTreeSet::new(),
            clock: 0,
            prng: Prng::new(plan.seed ^ 0x5eed),
            txns: 0,
            trace: Trace::default(),
        };
        world.learn(0);
        world
    }

    /// Does one step.
    pub(crate) fn step(&mut self, step: &Step) -> Checked {
        self.trace.note(format!("{step:?}").as_bytes());
        self.clock += 1 + self.prng.below(3);
        match step {
            Step::Act {
                server,
                user,
                act,
                crash,
            } => self.act(
                self.host(*server),
                *user,
                act,
                crash.map_or(Then::Settle, Then::crash),
            )?,
            Step::Enter {
                server,
                user,
                via,
                knock,
                allowed,
                stop,
            } => {
                let (host, via) = (self.host(*server), self.host(*via));
                self.enter((host, *user), via, (*knock, *allowed), *stop)?;
            }
            Step::Fill { server, trust, stop } => self.fill(self.host(*server), *trust, *stop)?,
            Step::Page {
                server,
                from,
                by_state,
                stop,
            } => {
                let (host, from) = (self.host(*server), self.host(*from));
                self.page(host, from, *by_state, *stop)?;
            }
            Step::Villain { villain, deed, to } => self.villain(*villain, deed, *to)?,
            _ => self.circumstance(step)?,
        }
        Ok(())
    }

    fn circumstance(&mut self, step: &Step) -> Checked {
        match step {
            Step::Post { from, to } => {
                let (from, to) = (self.host(*from), self.host(*to));
                self.post(from, to);
            }
            Step::Carry { parcel, fate } => self.carry(*parcel, *fate)?,
            Step::Round => self.round()?,
            Step::Split { side } => self.side = Some(*side),
            Step::Heal => self.side = None,
            Step::Crash { server } => {
                let host = self.host(*server);
                self.hosts[host].server.restart();
            }
            Step::Tick { ms } => self.clock += ms,
            Step::Ring { server } => self.ring(self.host(*server))?,
            _ => {}
        }
        Ok(())
    }

    pub(crate) const fn host(&self, index: usize) -> usize {
        index % self.hosts.len()
    }

    /// Gives a host's room a command. A room that is broken ends the run.
    pub(crate) fn ask<A: Ask>(
        &mut self,
        host: usize,
        ask: A,
        then: Then,
    ) -> Checked<Result<A::Reply, Trouble>> {
        let clock = self.clock;
        let room = self.room.clone();
        let bytes = command(ask);
        let host_number = host;
        let host = &mut self.hosts[host];
        host.at(clock);
        let reply = host.server.turn(&room, &bytes);
        self.trace.note(&bytes);
        self.trace.note(format!("{reply:?}").as_bytes());
        let reply = match reply {
            Ok(reply) => Ok(serde_json::from_slice(&reply).map_err(|error| error.to_string())?),
            Err(Failure::Refusal(_)) => Err(Trouble::Refused),
            Err(Failure::Fault(fault)) => {
                return Err(format!("{} is broken: {fault} at {}", host.name(), text(&bytes)));
            }
        };
        let shard = host.server.shard_of(&room);
        match then {
            Then::Settle => host.server.settle(),
            Then::CrashDurable => host.server.crash(&shard, true),
            Then::CrashLost => host.server.crash(&shard, false),
        }
        host.server.settle();
        self.watch(host_number)?;
        if then == Then::Settle {
            Ok(reply)
        } else {
            Ok(Err(Trouble::Died))
        }
    }

    pub(crate) fn ring(&mut self, host: usize) -> Checked {
        let clock = self.clock;
        let room = self.room.clone();
        let host_number = host;
        let host = &mut self.hosts[host];
        host.at(clock);
        let shard = host.server.shard_of(&room);
        host.server.ring(&shard);
        host.server.settle();
        self.watch(host_number)
    }

    /// The reference learns what a host has.
    pub(crate) fn learn(&mut self, host: usize) {
        let sql = "SELECT json FROM room_events UNION ALL SELECT json FROM room_others";
        for mut row in self.hosts[host].rows(&self.room, sql, &[]) {
            self.reference.add(&row.text(0).expect("an event"));
        }
    }

    /// All users, of the hostile servers too.
    pub(crate) fn users(&self) -> Vec<String> {
        let honest = self.hosts.iter().flat_map(|host| host.users.iter().cloned());
        honest
            .chain(
                self.villains
                    .iter()
                    .map(|villain| villain.user.as_str().to_owned()),
            )
            .collect()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn key(server: &str, key: &selvage_event::SigningKey) -> ServerKey {
    let public: PublicKey = key.public_key(i64::MAX);
    ServerKey {
        server: server.to_owned(),
        key_id: key.key_id().to_owned(),
        public_key: public.to_base64(),
        valid_until_ts: i64::MAX,
    }
}

fn first_state(plan: &Plan, version: RoomVersion, founder: &str) -> Vec<NewState> {
    // Creators stand above all levels and may not be listed, where they do.
    let users = if version.rules().auth.privileged_creators {
        json!({})
    } else {
        json!({ founder: 100 })
    };
    vec![
        asks::state("m.room.power_levels", "", &json!({ "users": users })),
        asks::state("m.room.join_rules", "", &acts::join_rule(plan.join_rule)),
        asks::state("m.room.history_visibility", "", &acts::history(plan.history)),
    ]
}
