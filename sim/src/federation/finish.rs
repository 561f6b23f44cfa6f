//! The end of a run: the network is whole, everything is delivered, and then everything is checked.

use std::collections::{BTreeMap, BTreeSet};

use selvage_event::{Event, EventId};
use selvage_object::Row;
use selvage_protocol::federation::{Edge, Edges, Receive};
use serde_json::value::RawValue;

use super::checks::id;
use super::world::{Then, World};
use crate::asks;
use crate::plan::Checked;

/// How often the servers exchange what they have before they must have the same.
const EXCHANGES_MAX: usize = 30;
/// How many pages of the past are fetched at most.
const PAGES_MAX: usize = 200;
/// How many events a server is given at once.
const EVENTS_AT_ONCE: usize = 25;
/// How often each server says something, so that all follow the same events.
const LAST_WORDS: usize = 2;
/// More than a timer waits, in milliseconds.
const PAUSE_MS: u64 = 10_000;

impl World {
    /// Brings everything to rest and checks it.
    pub(crate) fn finish(&mut self) -> Checked {
        self.faults = false;
        self.side = None;
        self.clock += PAUSE_MS;
        self.catch_up()?;
        self.complete()?;
        self.exchange()?;
        for _ in 0..LAST_WORDS {
            self.spoke.clear();
            for host in 0..self.hosts.len() {
                self.last_word(host)?;
                self.exchange()?;
            }
        }
        self.check()
    }

    /// As servers do it by themselves: what was sent arrives, what is missing is asked for.
    fn catch_up(&mut self) -> Checked {
        for villain in 0..self.villains.len() {
            self.reveal(villain, u32::MAX);
        }
        for _ in 0..2 {
            self.round()?;
            for host in 0..self.hosts.len() {
                self.fill(host, false, None)?;
            }
        }
        Ok(())
    }

    /// Every server gets its past, as paging back to the beginning would bring it.
    fn complete(&mut self) -> Checked {
        for host in 0..self.hosts.len() {
            self.learn(host);
        }
        for host in 0..self.hosts.len() {
            for _ in 0..PAGES_MAX {
                let edges = self.edges(host)?;
                let Some((pos, missing)) = edges.into_iter().next() else {
                    break;
                };
                let past = self.past_of(&missing);
                self.give(host, &past, pos)?;
            }
        }
        Ok(())
    }

    /// Where the past of a host ends and some of what is missing there is known, the newest first.
    fn edges(&mut self, host: usize) -> Checked<Vec<(Option<i64>, Vec<EventId>)>> {
        if self.hosts[host].newest(&self.room).is_none() {
            return Ok(Vec::new());
        }
        let edges = self.ask(host, Edges { before: None }, Then::Settle)?;
        let edges = edges.map_err(|trouble| format!("{trouble:?} about edges"))?;
        let known = |id: String| {
            let id = EventId::parse(id).ok()?;
            self.reference.place(&id).map(|_| id)
        };
        let known = |edge: Edge| {
            (
                edge.pos,
                edge.missing.into_iter().filter_map(known).collect::<Vec<_>>(),
            )
        };
        Ok(edges
            .into_iter()
            .map(known)
            .filter(|(_, missing)| !missing.is_empty())
            .collect())
    }

    /// Events and all that comes before them, the oldest first.
    fn past_of(&self, events: &[EventId]) -> Vec<EventId> {
        let mut past = Vec::new();
        let mut seen = BTreeSet::new();
        let mut open: Vec<(EventId, bool)> = events.iter().map(|id| (id.clone(), false)).collect();
        while let Some((id, is_done)) = open.pop() {
            if is_done {
                past.push(id);
            } else if seen.insert(id.clone())
                && let Some(event) = self.reference.event(&id)
            {
                open.push((id, true));
                let before = event.prev_events().iter().chain(event.auth_events());
                open.extend(before.map(|id| (id.clone(), false)));
            }
        }
        past
    }

    /// Gives a host those of some events that it has not placed, or has only a redacted copy of.
    fn give(&mut self, host: usize, events: &[EventId], history_before: Option<i64>) -> Checked {
        let placed = self.placed(host);
        let lacks = |id: &&EventId| !self.is_whole(&placed, id);
        let lacking: Vec<EventId> = events.iter().filter(lacks).cloned().collect();
        for piece in lacking.chunks(EVENTS_AT_ONCE) {
            let json = |id: &EventId| {
                let event = self.reference.event(id)?;
                RawValue::from_string(event.json().to_owned()).ok()
            };
            let receive = Receive {
                origin: "post.test".to_owned(),
                events: piece.iter().filter_map(json).collect(),
                keys: self.keys.clone(),
                history_before,
            };
            self.ask(host, receive, Then::Settle)?.ok();
        }
        Ok(())
    }

    fn is_whole(&self, placed: &BTreeMap<String, String>, id: &EventId) -> bool {
        let event = self.reference.event(id).map(Event::json);
        placed.get(id.as_str()).map(String::as_str) == event
    }

    /// The events that have their place at a host.
    fn placed(&self, host: usize) -> BTreeMap<String, String> {
        let sql = "SELECT event_id, json FROM room_events UNION ALL \
                   SELECT event_id, json FROM room_others WHERE state IS NOT NULL";
        let rows = self.hosts[host].rows(&self.room, sql, &[]);
        let placed = |mut row: Row| {
            let json = row.text(1).expect("an event");
            (id(row.blob(0).expect("an id")), json)
        };
        rows.into_iter().map(placed).collect()
    }

    /// Every server gets every event, until nobody makes new ones.
    fn exchange(&mut self) -> Checked {
        for _ in 0..EXCHANGES_MAX {
            let known = self.reference.order().len();
            for host in 0..self.hosts.len() {
                self.learn(host);
            }
            let all = self.past_of(self.reference.order());
            for host in 0..self.hosts.len() {
                if self.hosts[host].newest(&self.room).is_some() {
                    self.give(host, &all, None)?;
                    self.ring(host)?;
                }
                self.learn(host);
            }
            if self.reference.order().len() == known {
                return Ok(());
            }
        }
        Err("the servers do not come to rest".to_owned())
    }

    /// Some user of a host says something, if one may.
    fn last_word(&mut self, host: usize) -> Checked {
        for user in self.hosts[host].joined(&self.room) {
            self.txns += 1;
            let say = asks::message(&user, &self.txns.to_string(), "amen");
            if self.ask(host, say, Then::Settle)?.is_ok() {
                self.spoke.insert(host);
                break;
            }
        }
        self.learn(host);
        Ok(())
    }
}
