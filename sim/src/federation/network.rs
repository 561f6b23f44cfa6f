//! What is under way between servers.

use selvage_protocol::Json;
use selvage_protocol::federation::{Outgoing, Receive};

use super::driver::Trouble;
use super::plan::Fate;
use super::world::{Then, World};
use crate::plan::Checked;

/// The most events of one transaction (spec: server-server-api §transactions).
pub(crate) const EVENTS_MAX: u32 = 50;

/// Events on their way from one server to another.
#[derive(Clone)]
pub(crate) struct Parcel {
    /// Who sends them, by number; hostile servers come after the honest ones.
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) events: Vec<Json>,
    /// The sender's position before them; `None` when nobody sends them again.
    pub(crate) after: Option<i64>,
}

impl World {
    /// Whether two servers reach each other.
    pub(crate) fn reach(&self, a: usize, b: usize) -> bool {
        let bit = |side: u32, server: usize| side >> (server % 32) & 1;
        self.side.is_none_or(|side| bit(side, a) == bit(side, b))
    }

    /// The name of a server by its number.
    pub(crate) fn name_of(&self, server: usize) -> String {
        match self.hosts.get(server) {
            Some(host) => host.name().to_owned(),
            None => self.villains[server - self.hosts.len()].name.as_str().to_owned(),
        }
    }

    /// Puts what one honest server has to send to another into the post.
    pub(crate) fn post(&mut self, from: usize, to: usize) {
        let Some(newest) = self.hosts[from].newest(&self.room).filter(|_| from != to) else {
            return;
        };
        let name = self.name_of(to);
        let host = &mut self.hosts[from];
        let is_in = host.has_in_room(&self.room, &name);
        let was_in = host.sent_to.contains(&to);
        if !is_in && !was_in {
            host.marks.insert(to, newest);
            return;
        }
        let after = host.marks.get(&to).copied().unwrap_or(0);
        let ask = Outgoing {
            server: name,
            after,
            up_to: None,
            limit: EVENTS_MAX,
        };
        let reply = host
            .server
            .ask(&self.room, ask)
            .expect("a room says what was sent");
        host.marks.insert(to, reply.up_to.max(after));
        if is_in {
            host.sent_to.insert(to);
        } else if reply.up_to >= newest {
            host.sent_to.remove(&to);
        }
        for event in &reply.events {
            self.reference.add(event.get());
        }
        if !reply.events.is_empty() {
            self.parcels.push(Parcel {
                from,
                to,
                events: reply.events,
                after: Some(after),
            });
        }
    }

    /// Something becomes of a parcel. One that cannot get through stays where it is.
    pub(crate) fn carry(&mut self, index: usize, fate: Fate) -> Checked {
        let Some(index) = index.checked_rem(self.parcels.len()) else {
            return Ok(());
        };
        let Parcel { from, to, .. } = self.parcels[index];
        if !self.reach(from, to) {
            return Ok(());
        }
        if matches!(fate, Fate::Repeat) {
            let parcel = self.parcels[index].clone();
            return self.deliver(&parcel, Then::Settle).map(|_| ());
        }
        let parcel = self.parcels.remove(index);
        match fate {
            Fate::Arrive | Fate::Repeat => self.deliver(&parcel, Then::Settle).map(|_| ()),
            Fate::Forgotten => Ok(()),
            Fate::Lost => {
                self.send_again(&parcel);
                Ok(())
            }
            Fate::Crash { durable } => {
                // Whatever its answer was, it is lost.
                self.deliver(&parcel, Then::crash(durable))?.ok();
                self.send_again(&parcel);
                Ok(())
            }
        }
    }

    fn send_again(&mut self, parcel: &Parcel) {
        if let (Some(after), Some(host)) = (parcel.after, self.hosts.get_mut(parcel.from)) {
            let mark = host.marks.entry(parcel.to).or_insert(after);
            *mark = (*mark).min(after);
        }
    }

    /// A parcel arrives.
    pub(crate) fn deliver(&mut self, parcel: &Parcel, then: Then) -> Checked<Result<(), Trouble>> {
        let receive = Receive {
            origin: self.name_of(parcel.from),
            events: parcel.events.clone(),
            keys: self.keys.clone(),
            history_before: None,
        };
        Ok(self.ask(parcel.to, receive, then)?.map(|_| ()))
    }

    /// Everybody sends what there is, and all of it arrives where the network reaches.
    pub(crate) fn round(&mut self) -> Checked {
        for from in 0..self.hosts.len() {
            for to in 0..self.hosts.len() {
                self.post(from, to);
            }
        }
        let parcels = std::mem::take(&mut self.parcels);
        for parcel in parcels {
            if self.reach(parcel.from, parcel.to) {
                self.deliver(&parcel, Then::Settle)?.ok();
            } else {
                self.parcels.push(parcel);
            }
        }
        Ok(())
    }
}
