//! The asking side of federation: what a server does to join a room, to fill gaps and to page back.
//!
//! It speaks to its own room and to other servers through [`Ports`] and keeps nothing: whoever stops it anywhere begins
//! again, as after a crash.

use std::collections::{BTreeMap, BTreeSet};

use selvage_protocol::federation::{
    Backfill, Begin, Edges, EventForServer, EventsById, GetMissingEvents, MakeMembership,
    MakeMembershipReply, Missing, MissingEvent, MissingReply, Outcome, Place, Receive, ReceiveReply,
    SendMembership, ServerKey, StateIds, StateIdsReply, Supply, SupplyState,
};
use selvage_protocol::user::Membership;
use selvage_protocol::{Ask, Json};
use serde_json::Value;

/// How often a gap is asked about in one go.
const ROUNDS_MAX: usize = 40;
/// How many missing events are asked for at once.
const MISSING_AT_ONCE: u32 = 10;
/// How many events a page of the past has.
const PAGE: u32 = 15;
/// How many events or ids go into one command.
const PIECE: usize = 20;
/// How many auth events of an event are fetched one by one.
const AUTH_FETCHED_MAX: usize = 100;
/// What a server says it supports.
const VERSIONS: [&str; 12] = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12"];

/// Why something could not be done.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The one who was asked refuses.
    Refused,
    /// No answer.
    Unreachable,
    /// The asking server died.
    Died,
}

/// What the asking side speaks through.
pub(crate) trait Ports {
    /// The name of the asking server.
    fn me(&self) -> String;
    /// The other servers in the room that may be asked.
    fn peers(&self) -> Vec<String>;
    /// The keys of all servers.
    fn keys(&self) -> Vec<ServerKey>;
    /// Asks the server's own room.
    fn room<A: Ask>(&mut self, ask: A) -> Result<A::Reply, Trouble>;
    /// Asks another server about the room.
    fn peer<A: Ask>(&mut self, peer: &str, ask: A) -> Result<A::Reply, Trouble>;
    /// Hashes and signs what another server made for a local user.
    fn sign(&self, template: &Json) -> Option<Json>;
    /// The id of an event; `None` when it is no event.
    fn event_id(&self, event: &Json) -> Option<String>;
    /// Told of each event that is about to be placed behind a gap.
    fn placed(&mut self, event_id: &str);
}

/// Passes on that the asking server died; any other trouble means that there is no answer.
fn answer<T>(result: Result<T, Trouble>) -> Result<Option<T>, Trouble> {
    match result {
        Ok(answer) => Ok(Some(answer)),
        Err(Trouble::Died) => Err(Trouble::Died),
        Err(Trouble::Refused | Trouble::Unreachable) => Ok(None),
    }
}

/// A user who wants in or asks to be let in.
pub(crate) struct Wish<'w> {
    pub(crate) user: &'w str,
    pub(crate) membership: Membership,
    pub(crate) is_in_allowed_room: bool,
    /// Which server is asked.
    pub(crate) via: &'w str,
}

/// A local user joins, knocks or leaves through another server.
pub(crate) fn enter(ports: &mut impl Ports, wish: &Wish<'_>) -> Result<(), Trouble> {
    let made = ports.peer(
        wish.via,
        MakeMembership {
            server: ports.me(),
            user_id: wish.user.to_owned(),
            membership: wish.membership,
            versions: VERSIONS.map(str::to_owned).to_vec(),
            is_in_allowed_room: wish.is_in_allowed_room,
        },
    )?;
    let MakeMembershipReply { version, event } = made;
    let event = ports.sign(&event).ok_or(Trouble::Refused)?;
    let sent = ports.peer(
        wish.via,
        SendMembership {
            server: ports.me(),
            membership: wish.membership,
            event,
            keys: ports.keys(),
            is_in_allowed_room: wish.is_in_allowed_room,
        },
    )?;
    if wish.membership != Membership::Join {
        return Ok(());
    }
    ports.room(Begin { version })?;
    if place_by_state(ports, wish.via, &sent.event, None)? {
        Ok(())
    } else {
        Err(Trouble::Refused)
    }
}

/// Fetches what the room waits for, as far as anybody has it. The word of another server for a state is taken only when
/// nobody has the events.
pub(crate) fn fill(ports: &mut impl Ports, trust: bool) -> Result<(), Trouble> {
    let mut before = BTreeSet::new();
    for _ in 0..ROUNDS_MAX {
        let Some(missing) = answer(ports.room(Missing {}))? else {
            return Ok(());
        };
        let names: BTreeSet<String> = missing
            .events
            .iter()
            .map(|event| event.event_id.clone())
            .collect();
        if names.is_empty() {
            return Ok(());
        }
        let stuck = names == before;
        before = names;
        if stuck {
            fetch_auth(ports, &missing)?;
            if !trust || !place_gaps(ports, &missing)? {
                return Ok(());
            }
            before.clear();
        } else {
            ask_between(ports, &missing)?;
        }
    }
    Ok(())
}

/// Asks for what lies between the waiting events and those that are here.
fn ask_between(ports: &mut impl Ports, missing: &MissingReply) -> Result<(), Trouble> {
    let mut by_origin: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for event in missing.events.iter().filter(|event| !event.is_auth) {
        by_origin
            .entry(&event.origin)
            .or_default()
            .insert(&event.needed_by);
    }
    for (origin, waiting) in by_origin {
        for peer in first(origin, ports.peers()) {
            let ask = GetMissingEvents {
                server: ports.me(),
                earliest: missing.extremities.clone(),
                latest: waiting.iter().map(|id| (*id).to_owned()).collect(),
                limit: MISSING_AT_ONCE,
                min_depth: 0,
            };
            let events = answer(ports.peer(&peer, ask))?.unwrap_or_default();
            if !events.is_empty() && receive(ports, &peer, events, None)?.is_some() {
                break;
            }
        }
    }
    Ok(())
}

/// The peers, one of them first.
fn first(origin: &str, peers: Vec<String>) -> Vec<String> {
    let others = peers.into_iter().filter(|peer| peer != origin);
    std::iter::once(origin.to_owned()).chain(others).collect()
}

fn receive(
    ports: &mut impl Ports,
    origin: &str,
    events: Vec<Json>,
    history_before: Option<i64>,
) -> Result<Option<ReceiveReply>, Trouble> {
    let keys = ports.keys();
    let receive = Receive {
        origin: origin.to_owned(),
        events,
        keys,
        history_before,
    };
    answer(ports.room(receive))
}

/// Fetches auth events that the room waits for, each after those that it cites.
fn fetch_auth(ports: &mut impl Ports, missing: &MissingReply) -> Result<(), Trouble> {
    for event in missing.events.iter().filter(|event| event.is_auth) {
        let mut open = vec![event.event_id.clone()];
        let mut tried = BTreeSet::new();
        while let Some(id) = open.last().cloned() {
            let Some(json) = fetch(ports, &event.origin, &id)? else {
                break;
            };
            let supplied = supply(ports, vec![json.clone()])?;
            let dropped = supplied.is_none_or(|reply| {
                reply
                    .verdicts
                    .iter()
                    .any(|verdict| verdict.outcome == Outcome::Dropped)
            });
            if !dropped {
                open.pop();
                continue;
            }
            if !tried.insert(id) || tried.len() > AUTH_FETCHED_MAX {
                break;
            }
            open.extend(auth_events(&json));
        }
    }
    Ok(())
}

fn fetch(ports: &mut impl Ports, origin: &str, id: &str) -> Result<Option<Json>, Trouble> {
    for peer in first(origin, ports.peers()) {
        let ask = EventForServer {
            server: ports.me(),
            event_id: id.to_owned(),
        };
        if let Some(event) = answer(ports.peer(&peer, ask))? {
            return Ok(Some(event));
        }
    }
    Ok(None)
}

/// The ids that an event cites as auth events, in either form.
fn auth_events(json: &Json) -> Vec<String> {
    let event: Value = serde_json::from_str(json.get()).unwrap_or_default();
    let cited = event.get("auth_events").and_then(Value::as_array);
    let id = |cited: &Value| {
        cited
            .as_str()
            .or_else(|| cited.get(0)?.as_str())
            .map(str::to_owned)
    };
    cited.into_iter().flatten().filter_map(id).collect()
}

fn supply(ports: &mut impl Ports, events: Vec<Json>) -> Result<Option<ReceiveReply>, Trouble> {
    let keys = ports.keys();
    let supply = Supply {
        events,
        keys,
        place: None,
        is_state: false,
    };
    answer(ports.room(supply))
}

/// Places the events of which nobody has the predecessors, with the states that others tell. Returns whether any was.
fn place_gaps(ports: &mut impl Ports, missing: &MissingReply) -> Result<bool, Trouble> {
    let waiting: BTreeMap<&str, &MissingEvent> = missing
        .events
        .iter()
        .filter(|event| !event.is_auth)
        .map(|event| (event.needed_by.as_str(), event))
        .collect();
    let mut any = false;
    for (id, event) in waiting {
        let Some(json) = fetch(ports, &event.origin, id)? else {
            continue;
        };
        for peer in first(&event.origin, ports.peers()) {
            if place_by_state(ports, &peer, &json, None)? {
                any = true;
                break;
            }
        }
    }
    Ok(any)
}

/// Places an event with the state before it that a peer tells.
fn place_by_state(
    ports: &mut impl Ports,
    peer: &str,
    event: &Json,
    history_before: Option<i64>,
) -> Result<bool, Trouble> {
    let Some(event_id) = ports.event_id(event) else {
        return Ok(false);
    };
    let ask = StateIds {
        server: ports.me(),
        event_id: event_id.clone(),
    };
    let Some(told) = answer(ports.peer(peer, ask))? else {
        return Ok(false);
    };
    if !supply_state(ports, peer, &event_id, &told)? {
        return Ok(false);
    }
    let place = Place {
        origin: peer.to_owned(),
        event: event.clone(),
        keys: ports.keys(),
        history_before,
    };
    // Noted first: the server may die when it has placed the event.
    ports.placed(&event_id);
    let placed = answer(ports.room(place))?;
    let outcome = placed.and_then(|reply| reply.verdicts.first().map(|verdict| verdict.outcome));
    Ok(outcome.is_some_and(|outcome| outcome != Outcome::Dropped))
}

/// Supplies a state: its auth chain, its events, and then which they are, in pieces.
fn supply_state(
    ports: &mut impl Ports,
    peer: &str,
    event_id: &str,
    told: &StateIdsReply,
) -> Result<bool, Trouble> {
    let mut ids = told.auth_chain.clone();
    ids.extend(
        told.state
            .iter()
            .filter(|id| !told.auth_chain.contains(id))
            .cloned(),
    );
    for piece in ids.chunks(PIECE) {
        let Some(events) = answer(ports.peer(peer, EventsById { ids: piece.to_vec() }))? else {
            return Ok(false);
        };
        supply(ports, events)?;
    }
    let pieces = told.state.chunks(PIECE);
    for (number, piece) in pieces.enumerate() {
        let ask = SupplyState {
            event_id: event_id.to_owned(),
            first: number == 0,
            state: piece.to_vec(),
        };
        let taken = answer(ports.room(ask))?;
        if taken.is_none_or(|reply| !reply.missing.is_empty()) {
            return Ok(false);
        }
    }
    Ok(!told.state.is_empty())
}

/// Fetches one page of what lies before the newest gap in the past. With `by_state` the oldest event of the page is placed
/// with the state that the peer tells; else the page waits until all of the past is here.
pub(crate) fn page_back(ports: &mut impl Ports, peer: &str, by_state: bool) -> Result<bool, Trouble> {
    let edges = answer(ports.room(Edges { before: None }))?.unwrap_or_default();
    let missing = answer(ports.room(Missing {}))?;
    let waits = missing.map(|missing| missing.events).unwrap_or_default();
    let Some((edge, pos)) = edges.iter().find_map(|edge| Some((edge, edge.pos?))) else {
        return Ok(false);
    };
    // Where earlier pages ended.
    let mut from: Vec<String> = edge.missing.clone();
    from.extend(waits.iter().map(|waits| waits.event_id.clone()));
    let ask = Backfill {
        server: ports.me(),
        from,
        limit: PAGE,
    };
    let mut events = answer(ports.peer(peer, ask))?.unwrap_or_default();
    events.reverse();
    if events.is_empty() {
        return Ok(false);
    }
    receive(ports, peer, events.clone(), Some(pos))?;
    if by_state {
        for event in &events {
            if let Some(reply) = receive(ports, peer, vec![event.clone()], Some(pos))?
                && reply
                    .verdicts
                    .iter()
                    .any(|verdict| verdict.outcome == Outcome::Waiting)
            {
                place_by_state(ports, peer, event, Some(pos))?;
            }
        }
    }
    Ok(true)
}
