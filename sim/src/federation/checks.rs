//! What must hold at the end of a run.

mod shown;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use selvage_event::{Event, EventId, Membership, UserId};
use selvage_object::{Param, Row};
use selvage_room::trie::{NodeId, State};
use serde_json::Value;

use super::host::Host;
use super::reference::{Nodes, Reference, StateMap, root_of};
use super::world::World;
use crate::plan::Checked;

/// What a host says became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Timeline,
    Outlier,
    SoftFailed,
    Rejected,
}

/// An event as a host keeps it.
struct Kept {
    id: EventId,
    pos: Option<i64>,
    status: Status,
    /// The root of the state before it.
    before: Option<Vec<u8>>,
    json: String,
    why: Option<String>,
}

/// The end of the graph, as a host keeps it.
struct Head {
    extremities: BTreeMap<String, Vec<u8>>,
    state: Vec<u8>,
    joined: i64,
    invited: i64,
}

/// An id as it is stored, as text.
pub(crate) fn id(stored: Vec<u8>) -> String {
    if stored.len() == 32 {
        format!("${}", URL_SAFE_NO_PAD.encode(stored))
    } else {
        String::from_utf8(stored).expect("an id")
    }
}

/// The beginning of an id.
fn short(id: &EventId) -> &str {
    id.as_str().get(..8).unwrap_or_default()
}

fn event_id(row: &mut Row, column: usize) -> EventId {
    EventId::parse(id(row.blob(column).expect("an id"))).expect("an id")
}

impl World {
    /// Everything.
    pub(crate) fn check(&mut self) -> Checked {
        let mut heads: Vec<(usize, Head)> = Vec::new();
        let mut truthful = BTreeSet::new();
        for host in 0..self.hosts.len() {
            if self.hosts[host].newest(&self.room).is_none() {
                continue;
            }
            let checked = self.check_host(host);
            let checked = checked.and_then(|truthful| self.check_shown(host).map(|()| truthful));
            match checked {
                Ok(true) => {
                    truthful.insert(host);
                }
                Ok(false) => {}
                Err(wrong) => {
                    let name = self.hosts[host].name();
                    return Err(format!("{name}: {wrong}\n{}", self.graph(host)));
                }
            }
            heads.push((host, head(&self.hosts[host], self)));
        }
        self.check_agreement(&heads, &truthful)?;
        self.at_rest()?;
        self.restart_changes_nothing()
    }

    /// Servers with the same events have the same state: at once, if they took the same events in; else as soon as each has
    /// said something, which follows all that it took in. Which events fail softly depends on what came first.
    fn check_agreement(&self, heads: &[(usize, Head)], truthful: &BTreeSet<usize>) -> Checked {
        let mut agree = heads.iter().filter(|(host, _)| truthful.contains(host));
        let Some((first, head)) = agree.next() else {
            return Ok(());
        };
        for (host, other) in agree {
            let excused = self.took_in_differently(*first, *host)?
                && !(self.spoke.contains(first) && self.spoke.contains(host));
            if head.state != other.state && !excused {
                let (a, b) = (self.hosts[*first].name(), self.hosts[*host].name());
                return Err(format!(
                    "{a} and {b} have the same events and other states; extremities {:?} and {:?}\n{}\n\n{}",
                    head.extremities.keys(),
                    other.extremities.keys(),
                    self.graph(*first),
                    self.graph(*host)
                ));
            }
        }
        Ok(())
    }

    /// Whether two servers took other events in, which may only be because some failed softly.
    fn took_in_differently(&self, a: usize, b: usize) -> Checked<bool> {
        let of = |host| -> BTreeMap<EventId, Status> {
            self.kept(host)
                .into_iter()
                .map(|kept| (kept.id, kept.status))
                .collect()
        };
        let (of_a, of_b) = (of(a), of(b));
        let mut differ = false;
        for (id, status) in &of_a {
            match (status, of_b.get(id)) {
                (Status::Timeline, Some(Status::SoftFailed))
                | (Status::SoftFailed, Some(Status::Timeline)) => {
                    differ = true;
                }
                (status, Some(other)) if status == other => {}
                (Status::Outlier, _) | (_, Some(Status::Outlier)) => {}
                // It waits for what nobody has, or has been refused for what is kept without place elsewhere.
                (Status::Rejected, None) if !self.reference.is_whole(id) => {}
                (status, other) => {
                    return Err(format!(
                        "{id} is {status:?} at one server and {other:?} at another"
                    ));
                }
            }
        }
        Ok(differ)
    }

    /// Compares a host with a naive server that has its events. Whether nothing that it was told of states was a lie.
    fn check_host(&self, host: usize) -> Checked<bool> {
        let kept = self.kept(host);
        let told = &self.hosts[host].told;
        let is_lie = |kept: &&Kept| {
            let place = self.reference.place(&kept.id);
            let Some(before) = kept.before.as_ref().filter(|_| told.contains(kept.id.as_str())) else {
                return false;
            };
            place.is_none_or(|place| root_of(&place.before) != *before)
        };
        let lies: Vec<&Kept> = kept.iter().filter(is_lie).collect();
        if lies.is_empty() {
            self.check_places(host, &self.reference, &kept)?;
            return Ok(true);
        }
        let mut reference = self.reference.emptied();
        for kept in &kept {
            reference.add(&kept.json);
        }
        for kept in kept.iter().filter(|kept| told.contains(kept.id.as_str())) {
            if let Some(before) = &kept.before {
                reference.tell(kept.id.clone(), self.state_of(host, before));
            }
        }
        self.check_places(host, &reference, &kept)?;
        Ok(false)
    }

    fn check_places(&self, host: usize, reference: &Reference, kept: &[Kept]) -> Checked {
        for kept in kept {
            self.check_place(host, reference, kept)?;
        }
        self.check_head(host, reference, kept)?;
        self.check_waiting(host, reference)
    }

    fn check_place(&self, host: usize, reference: &Reference, kept: &Kept) -> Checked {
        let Some(before) = &kept.before else {
            return Ok(());
        };
        let place = reference.place(&kept.id);
        let place = place.ok_or_else(|| format!("{} has a place whose past is not here", kept.id))?;
        if root_of(&place.before) != *before {
            let is = self.state_of(host, before);
            return Err(format!(
                "the state before {} differs: {}",
                kept.json,
                differences(&place.before, &is)
            ));
        }
        let whole = reference.event(&kept.id).map(Event::content);
        let content: Value = serde_json::from_str(&kept.json).unwrap_or_default();
        if kept.before.is_some() && content["content"].as_object() != whole {
            return Err(format!("only a redacted copy of {} is kept", kept.id));
        }
        let is_refused = kept.status == Status::Rejected;
        if is_refused != place.refused.is_some() {
            return Err(format!(
                "{:?} is {} where {:?}",
                kept.status, kept.json, place.refused
            ));
        }
        Ok(())
    }

    fn check_head(&self, host: usize, reference: &Reference, kept: &[Kept]) -> Checked {
        let head = head(&self.hosts[host], self);
        let expected = extremities(reference, kept);
        let is: BTreeSet<&str> = head.extremities.keys().map(String::as_str).collect();
        if is != expected {
            return Err(format!("the extremities are {is:?} and not {expected:?}"));
        }
        let mut forks = Vec::new();
        for (id, after) in &head.extremities {
            let id = EventId::parse(id).expect("an id");
            let place = reference.place(&id).ok_or("an extremity without a place")?;
            if root_of(&place.after) != *after {
                return Err(format!("the state after {id} differs"));
            }
            forks.push(place.after);
        }
        let state = reference.resolved(&forks);
        if root_of(&state) != head.state {
            let is = self.state_of(host, &head.state);
            return Err(format!("the current state differs: {}", differences(&state, &is)));
        }
        self.check_members(host, reference, &head, &state)
    }

    /// The counts of members are those of the state.
    fn check_members(&self, host: usize, reference: &Reference, head: &Head, state: &StateMap) -> Checked {
        let host = &self.hosts[host];
        let (mut joined, mut invited) = (0, 0);
        let mut servers: BTreeMap<String, i64> = BTreeMap::new();
        for ((kind, user), id) in state {
            if kind != "m.room.member" {
                continue;
            }
            match reference.event(id).and_then(Event::membership) {
                Some(Membership::Join) => {
                    joined += 1;
                    if let Ok(user) = UserId::parse(user) {
                        *servers.entry(user.domain().to_owned()).or_default() += 1;
                    }
                }
                Some(Membership::Invite) => invited += 1,
                _ => {}
            }
        }
        let locals = servers.remove(host.name()).unwrap_or(0);
        let counted = host.rows(
            &self.room,
            "SELECT server, joined FROM room_servers WHERE joined <> 0",
            &[],
        );
        let counted: BTreeMap<String, i64> = counted
            .into_iter()
            .map(|mut row| (row.text(0).expect("a name"), row.integer(1).expect("a count")))
            .collect();
        let is_right = (head.joined, head.invited) == (joined, invited)
            && counted == servers
            && host.joined(&self.room).len() as i64 == locals;
        if is_right {
            Ok(())
        } else {
            Err(format!(
                "{joined} joined, {invited} invited, {servers:?}, {locals} here; counted {} {} {counted:?} {:?}",
                head.joined,
                head.invited,
                host.joined(&self.room)
            ))
        }
    }

    /// Nothing waits for what is here.
    fn check_waiting(&self, host: usize, reference: &Reference) -> Checked {
        let sql = "SELECT event_id FROM room_staged";
        for mut row in self.hosts[host].rows(&self.room, sql, &[]) {
            let id = event_id(&mut row, 0);
            if reference.is_whole(&id) {
                return Err(format!("{id} waits though all that it needs is here"));
            }
        }
        Ok(())
    }

    /// The graph as a host keeps it, a line for each event.
    fn graph(&self, host: usize) -> String {
        let mut lines = Vec::new();
        for kept in self.kept(host) {
            let event = self.reference.event(&kept.id);
            let line = event.map(|event| {
                let ids = |ids: &[EventId]| ids.iter().map(short).collect::<Vec<_>>().join(" ");
                format!(
                    "{} {} {:?} by {} {} after [{}] by [{}]",
                    event.kind(),
                    event.state_key().unwrap_or("-"),
                    kept.status,
                    event.sender(),
                    Value::Object(event.content().clone()),
                    ids(event.prev_events()),
                    ids(event.auth_events()),
                )
            });
            let pos = kept.pos.map_or_else(String::new, |pos| pos.to_string());
            let told = self.hosts[host].told.contains(kept.id.as_str());
            let told = if told { " (told)" } else { "" };
            let why = kept.why.as_deref().unwrap_or_default();
            lines.push(format!(
                "  {pos:>10} {} {}{told} {why}",
                short(&kept.id),
                line.unwrap_or_default()
            ));
        }
        lines.join("\n")
    }

    fn kept(&self, host: usize) -> Vec<Kept> {
        let host = &self.hosts[host];
        let sql = "SELECT event_id, pos, 0, state, json, NULL FROM room_events UNION ALL \
                   SELECT event_id, NULL, status, state, json, why FROM room_others ORDER BY 2";
        let kept = |mut row: Row| Kept {
            id: event_id(&mut row, 0),
            pos: row.optional_integer(1).expect("a position"),
            status: match row.integer(2).expect("a status") {
                0 => Status::Timeline,
                1 => Status::Outlier,
                2 => Status::SoftFailed,
                _ => Status::Rejected,
            },
            before: row.optional_blob(3).expect("a root"),
            json: row.text(4).expect("an event"),
            why: row.optional_text(5).expect("a reason"),
        };
        host.rows(&self.room, sql, &[]).into_iter().map(kept).collect()
    }

    /// The whole state of a root that a host has.
    fn state_of(&self, host: usize, root: &[u8]) -> StateMap {
        let mut nodes = Nodes::default();
        for mut row in self.hosts[host].rows(&self.room, "SELECT node, bytes FROM room_nodes", &[]) {
            let id = NodeId::try_from(row.blob(0).expect("an id").as_slice()).expect("an id");
            nodes.0.insert(id, row.blob(1).expect("a node"));
        }
        let state = State::from_root(NodeId::try_from(root).expect("a root"));
        let entry = |entry: Result<selvage_room::trie::Entry, _>| {
            let entry = entry.unwrap_or_else(|error: selvage_room::trie::TrieError| panic!("{error}"));
            let id = EventId::parse(entry.event_id()).expect("an id");
            ((entry.event_type().to_owned(), entry.state_key().to_owned()), id)
        };
        state
            .entries(&nodes)
            .expect("the root is there")
            .map(entry)
            .collect()
    }

    fn at_rest(&self) -> Checked {
        for host in &self.hosts {
            let damage = host.server.damage();
            if host.server.undelivered() > 0 || !damage.is_empty() {
                return Err(format!(
                    "{}: tells undelivered, or damage: {damage:?}",
                    host.name()
                ));
            }
        }
        Ok(())
    }
}

fn head(host: &Host, world: &World) -> Head {
    let sql = "SELECT extremities, state, joined, invited FROM room_head";
    let mut rows = host.rows(&world.room, sql, &[] as &[Param<'_>]);
    let row = rows.first_mut().expect("the room has a head");
    let extremities: Value = serde_json::from_str(&row.text(0).expect("extremities")).expect("JSON");
    let extremity = |entry: &Value| {
        let id = entry[0].as_str().unwrap_or_default().to_owned();
        let digits = entry[1].as_str().unwrap_or_default().to_owned();
        let bytes = (0..digits.len() / 2).map(|at| u8::from_str_radix(&digits[at * 2..at * 2 + 2], 16));
        (
            id,
            bytes.collect::<Result<Vec<u8>, _>>().expect("hexadecimal digits"),
        )
    };
    Head {
        extremities: extremities
            .as_array()
            .into_iter()
            .flatten()
            .map(extremity)
            .collect(),
        state: row.blob(1).expect("a root"),
        joined: row.integer(2).expect("a count"),
        invited: row.integer(3).expect("a count"),
    }
}

/// The events of the timeline that no other event of it follows, not even through events that are not in it.
fn extremities<'k>(reference: &Reference, kept: &'k [Kept]) -> BTreeSet<&'k str> {
    let mut followed: BTreeSet<EventId> = BTreeSet::new();
    let mut open: Vec<EventId> = kept
        .iter()
        .filter(|kept| kept.status == Status::Timeline)
        .filter_map(|kept| reference.event(&kept.id))
        .flat_map(|event| event.prev_events().to_vec())
        .collect();
    while let Some(id) = open.pop() {
        if followed.insert(id.clone()) {
            open.extend(
                reference
                    .event(&id)
                    .map(|event| event.prev_events().to_vec())
                    .unwrap_or_default(),
            );
        }
    }
    let timeline = kept.iter().filter(|kept| kept.status == Status::Timeline);
    timeline
        .filter(|kept| !followed.contains(&kept.id))
        .map(|kept| kept.id.as_str())
        .collect()
}

fn differences(expected: &Rc<StateMap>, is: &StateMap) -> String {
    let keys: BTreeSet<_> = expected.keys().chain(is.keys()).collect();
    let differ = keys.into_iter().filter(|key| expected.get(*key) != is.get(*key));
    let line = |key| format!("{key:?} is {:?} and not {:?}", is.get(key), expected.get(key));
    differ.map(line).collect::<Vec<_>>().join(", ")
}
