//! What the asking side of federation speaks through, in this simulator.

use selvage_event::{EventId, Map, ReceivedEvent, RoomVersion, Template};
use selvage_protocol::federation::ServerKey;
use selvage_protocol::room::RoomCommand;
use selvage_protocol::user::Membership;
use selvage_protocol::{Ask, Json};
use serde_json::Value;
use serde_json::value::RawValue;

use super::driver::{self, Ports, Trouble, Wish};
use super::plan::Stop;
use super::world::{Then, World};
use crate::plan::Checked;
use crate::server::command;

/// How many questions in a hundred get lost, and how many answers.
const LOST_QUESTIONS: u64 = 6;
const LOST_ANSWERS: u64 = 4;

/// One procedure of one host.
struct Port<'w> {
    world: &'w mut World,
    host: usize,
    stop: Option<Stop>,
    /// What was found wrong meanwhile.
    wrong: Option<String>,
}

impl Port<'_> {
    fn note<T>(&mut self, asked: Checked<Result<T, Trouble>>) -> Result<T, Trouble> {
        asked.unwrap_or_else(|wrong| {
            self.wrong.get_or_insert(wrong);
            Err(Trouble::Died)
        })
    }

    /// What happens after the next turn of the own room.
    fn then(&mut self) -> Then {
        let Some(stop) = &mut self.stop else {
            return Then::Settle;
        };
        stop.turns = stop.turns.saturating_sub(1);
        if stop.turns == 0 {
            Then::crash(stop.durable)
        } else {
            Then::Settle
        }
    }

    fn is_lost(&mut self, percent: u64) -> bool {
        self.world.faults && self.world.prng.chance(percent)
    }
}

impl Ports for Port<'_> {
    fn me(&self) -> String {
        self.world.name_of(self.host)
    }

    fn peers(&self) -> Vec<String> {
        let host = &self.world.hosts[self.host];
        let servers = self.world.hosts.len() + self.world.villains.len();
        let names = (0..servers).map(|server| self.world.name_of(server));
        names
            .filter(|name| host.has_in_room(&self.world.room, name))
            .collect()
    }

    fn keys(&self) -> Vec<ServerKey> {
        self.world.keys.clone()
    }

    fn room<A: Ask>(&mut self, ask: A) -> Result<A::Reply, Trouble> {
        let then = self.then();
        let asked = self.world.ask(self.host, ask, then);
        self.note(asked)
    }

    fn peer<A: Ask>(&mut self, peer: &str, ask: A) -> Result<A::Reply, Trouble> {
        let servers = self.world.hosts.len() + self.world.villains.len();
        let number = (0..servers).find(|server| self.world.name_of(*server) == peer);
        let number = number.filter(|number| *number != self.host && self.world.reach(self.host, *number));
        let Some(number) = number else {
            return Err(Trouble::Unreachable);
        };
        if self.is_lost(LOST_QUESTIONS) {
            return Err(Trouble::Unreachable);
        }
        let reply = if number < self.world.hosts.len() {
            let asked = self.world.ask(number, ask, Then::Settle);
            self.note(asked)
        } else {
            let asked: RoomCommand = serde_json::from_slice(&command(ask)).expect("a command of rooms");
            let reply = self.world.answer_of(number, &asked).ok_or(Trouble::Refused);
            reply.map(|reply| serde_json::from_value(reply).expect("a reply of the protocol"))
        };
        if self.is_lost(LOST_ANSWERS) {
            Err(Trouble::Unreachable)
        } else {
            reply
        }
    }

    fn sign(&self, template: &Json) -> Option<Json> {
        let server = &self.world.hosts[self.host].server;
        sign(
            template,
            self.world.reference.version(),
            (server.name(), server.key()),
        )
    }

    fn event_id(&self, event: &Json) -> Option<String> {
        let received = ReceivedEvent::parse(event.get().as_bytes(), self.world.reference.version()).ok()?;
        Some(received.event().event_id().as_str().to_owned())
    }

    fn placed(&mut self, event_id: &str) {
        self.world.hosts[self.host].told.insert(event_id.to_owned());
    }
}

/// Hashes and signs an event that another server made.
pub(crate) fn sign(
    template: &Json,
    version: RoomVersion,
    (server, key): (&selvage_event::ServerName, &selvage_event::SigningKey),
) -> Option<Json> {
    let event: Value = serde_json::from_str(template.get()).ok()?;
    let text = |key: &str| event.get(key).and_then(Value::as_str).map(str::to_owned);
    let id = |cited: &Value| {
        let id = cited.as_str().or_else(|| cited.get(0)?.as_str())?;
        EventId::parse(id).ok()
    };
    let ids = |key: &str| -> Vec<EventId> {
        let cited = event.get(key).and_then(Value::as_array);
        cited.into_iter().flatten().filter_map(id).collect()
    };
    let content: Map = event.get("content")?.as_object()?.clone();
    let template = Template {
        room_id: Some(text("room_id")?.parse().ok()?),
        sender: text("sender")?.parse().ok()?,
        kind: text("type")?,
        state_key: text("state_key"),
        content,
        prev_events: ids("prev_events"),
        auth_events: ids("auth_events"),
        depth: event.get("depth")?.as_i64()?,
        origin_server_ts: event.get("origin_server_ts")?.as_i64()?,
        redacts: None,
    };
    let built = template.build(version, server, key).ok()?;
    RawValue::from_string(built.event().json().to_owned()).ok()
}

impl World {
    fn run(
        &mut self,
        host: usize,
        stop: Option<Stop>,
        procedure: impl FnOnce(&mut Port<'_>) -> Result<(), Trouble>,
    ) -> Checked {
        let mut port = Port {
            world: self,
            host,
            stop,
            wrong: None,
        };
        // What could not be done is tried again at some other time, or never.
        procedure(&mut port).ok();
        let wrong = port.wrong.take();
        self.learn(host);
        wrong.map_or(Ok(()), Err)
    }

    pub(crate) fn fill(&mut self, host: usize, trust: bool, stop: Option<Stop>) -> Checked {
        self.run(host, stop, |port| driver::fill(port, trust))
    }

    pub(crate) fn page(&mut self, host: usize, from: usize, by_state: bool, stop: Option<Stop>) -> Checked {
        let from = self.name_of(from);
        self.run(host, stop, |port| {
            driver::page_back(port, &from, by_state).map(|_| ())
        })
    }

    pub(crate) fn enter(
        &mut self,
        (host, user): (usize, usize),
        via: usize,
        (knock, is_in_allowed_room): (bool, bool),
        stop: Option<Stop>,
    ) -> Checked {
        let user = self.hosts[host].users[user % self.hosts[host].users.len()].clone();
        // Who is in the room needs nobody else to enter it.
        if host == via || !self.hosts[host].joined(&self.room).is_empty() {
            return Ok(());
        }
        let via = self.name_of(via);
        let wish = Wish {
            user: &user,
            membership: if knock {
                Membership::Knock
            } else {
                Membership::Join
            },
            is_in_allowed_room,
            via: &via,
        };
        self.run(host, stop, |port| driver::enter(port, &wish))
    }
}
