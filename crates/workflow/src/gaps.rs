//! Asking other servers for events that a room waits for (spec: server-server-api
//! §backfilling-and-retrieving-missing-events): first for what lies between, and where nobody has all of that, for the state before
//! what waits, behind which it is then placed.
//!
//! One run does so much and no more. What it did not get the room leaves for later, longer each time, so a gap that nobody can
//! fill holds up what follows it and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use http::Method;
use selvage_event::{EventId, RoomId, RoomVersion, ServerName};
use selvage_protocol::elsewhere::{PlaceWaiting, Sought};
use selvage_protocol::federation::{Missing, MissingEvent, MissingReply, Outcome, Receive};
use selvage_protocol::{Json, room_key};
use serde::{Deserialize, Serialize};
use serde_json::value::to_raw_value;

use crate::failed::WorkflowError;
use crate::supply::Target;
use crate::{AskError, Host, Workflows, path};

/// How often one run asks the room what is missing.
const ROUNDS_MAX: usize = 12;
/// In how many of these rounds it asks for what lies between, before it asks for states.
const WALKS_MAX: usize = 5;
/// The most states that one run fetches.
const STATES_MAX: usize = 5;
/// The most servers that are asked for the same: the one that sent what waits, and others.
const SERVERS_MAX: usize = 3;
/// The most events of one answer (what servers give at the most).
const EVENTS_MAX: usize = 20;
/// The longest answer with events, in bytes.
const ANSWER_MAX_BYTES: usize = 8 * 1024 * 1024;
/// The most forward extremities that are named as what is here.
const EARLIEST_MAX: usize = 20;

/// Without `min_depth`: what others did while they were not reached lies as deep as what was done here meanwhile.
#[derive(Serialize)]
struct Between<'a> {
    earliest_events: &'a [String],
    latest_events: &'a [&'a str],
    limit: usize,
}

#[derive(Deserialize)]
struct Events {
    events: Vec<Json>,
}

/// One run.
struct Run<'a> {
    room_id: &'a RoomId,
    version: RoomVersion,
    missing: MissingReply,
    /// What was asked for.
    sought: BTreeSet<String>,
    /// For which waiting events states were fetched.
    placed: BTreeSet<String>,
    walks: usize,
}

impl<H: Host> Workflows<H> {
    /// Asks other servers for what a room waits for.
    pub(crate) async fn fill_gaps(&self, room_id: &str) {
        let Ok(room_id) = RoomId::parse(room_id) else {
            return;
        };
        let sought = self.fill(&room_id).await.unwrap_or_else(|error| {
            tracing::warn!(room = %room_id, %error, "gaps are left to the room's timer");
            None
        });
        if let Some(sought) = sought {
            let event_ids = sought.into_iter().collect();
            let noted = self.ask(room_key(room_id.as_str()), Sought { event_ids }).await;
            if let Err(error) = noted {
                tracing::warn!(room = %room_id, %error, "gaps are left to the room's timer");
            }
        }
    }

    /// What was asked for; `None` when it makes no sense to say so.
    async fn fill(&self, room_id: &RoomId) -> Result<Option<BTreeSet<String>>, AskError> {
        let missing = self.ask(room_key(room_id.as_str()), Missing {}).await?;
        let Ok(version) = missing.version.parse() else {
            return Ok(None);
        };
        let mut run = Run {
            room_id,
            version,
            missing,
            sought: BTreeSet::new(),
            placed: BTreeSet::new(),
            walks: 0,
        };
        for _ in 0..ROUNDS_MAX {
            if !self.round(&mut run).await? {
                break;
            }
            run.missing = self.ask(room_key(room_id.as_str()), Missing {}).await?;
        }
        Ok(Some(run.sought))
    }

    /// Asks for one thing; whether there was something to ask for.
    async fn round(&self, run: &mut Run<'_>) -> Result<bool, AskError> {
        if let Some(wanted) = run.next(true) {
            self.seek_auth_event(run, &wanted).await?;
            return Ok(true);
        }
        let Some(wanted) = run.next(false) else {
            return Ok(false);
        };
        run.walks += 1;
        if run.walks <= WALKS_MAX && self.walk_back(run, &wanted).await? {
            return Ok(true);
        }
        run.sought.insert(wanted.event_id.clone());
        if run.placed.len() < STATES_MAX && run.placed.insert(wanted.needed_by.clone()) {
            self.place_behind_gap(run, &wanted).await?;
        }
        Ok(true)
    }

    /// Asks for what lies between what is here and what waits; whether anything new came.
    async fn walk_back(&self, run: &Run<'_>, wanted: &MissingEvent) -> Result<bool, AskError> {
        for server in self.servers_to_ask(run, wanted) {
            match self.events_between(run, wanted, &server).await {
                Ok(events) if !events.is_empty() => {
                    let receive = Receive {
                        origin: server.to_string(),
                        keys: self.keys_of(&events, run.version).await,
                        events,
                        history_before: None,
                    };
                    let reply = self.ask(room_key(run.room_id.as_str()), receive).await?;
                    let new = |outcome: Outcome| !matches!(outcome, Outcome::Known | Outcome::Dropped);
                    if reply.verdicts.iter().any(|verdict| new(verdict.outcome)) {
                        return Ok(true);
                    }
                }
                Ok(_) => {}
                Err(error) => tracing::info!(%server, %error, "no missing events from this server"),
            }
        }
        Ok(false)
    }

    async fn events_between(
        &self,
        run: &Run<'_>,
        wanted: &MissingEvent,
        server: &ServerName,
    ) -> Result<Vec<Json>, WorkflowError> {
        let earliest = run.missing.extremities.iter().take(EARLIEST_MAX).cloned();
        let between = Between {
            earliest_events: &earliest.collect::<Vec<_>>(),
            latest_events: &run.latest(wanted),
            limit: EVENTS_MAX,
        };
        let body = to_raw_value(&between).map_err(|error| WorkflowError::misbehaved(server, error))?;
        let at = path(
            "/_matrix/federation/v1/get_missing_events",
            &[run.room_id.as_str()],
        );
        let answer = self
            .request(server, Method::POST, &at, Some(&body), ANSWER_MAX_BYTES)
            .await?;
        let mut answer: Events =
            serde_json::from_slice(&answer).map_err(|error| WorkflowError::misbehaved(server, error))?;
        answer.events.truncate(EVENTS_MAX);
        Ok(answer.events)
    }

    /// Gives what waits its place behind the gap.
    async fn place_behind_gap(&self, run: &Run<'_>, wanted: &MissingEvent) -> Result<(), AskError> {
        let Ok(event) = EventId::parse(&wanted.needed_by) else {
            return Ok(());
        };
        for server in self.servers_to_ask(run, wanted) {
            let target = run.target(&event, &server);
            match self.fetch_state_before(target).await {
                Ok(()) => {
                    self.place_waiting(run.room_id, &event).await?;
                    return Ok(());
                }
                Err(WorkflowError::Ask(error)) => return Err(error),
                Err(error) => tracing::info!(%server, %error, "no state from this server"),
            }
        }
        Ok(())
    }

    /// Places an event that waits, when the state before it was supplied.
    pub(crate) async fn place_waiting(&self, room_id: &RoomId, event: &EventId) -> Result<(), AskError> {
        let place = PlaceWaiting {
            event_id: event.as_str().to_owned(),
        };
        match self.ask(room_key(room_id.as_str()), place).await {
            // It does not wait any more.
            Err(AskError::Refused(_)) => Ok(()),
            placed => placed.map(|_| ()),
        }
    }

    /// Asks for what authorises an event that waits.
    async fn seek_auth_event(&self, run: &mut Run<'_>, wanted: &MissingEvent) -> Result<(), AskError> {
        run.sought.insert(wanted.event_id.clone());
        let Ok(event) = EventId::parse(&wanted.needed_by) else {
            return Ok(());
        };
        for server in self.servers_to_ask(run, wanted) {
            let target = run.target(&event, &server);
            let mut sought = self.fetch_auth_chain(target).await;
            if sought.is_err() {
                sought = self
                    .fetch_events(target, std::slice::from_ref(&wanted.event_id))
                    .await;
            }
            match sought {
                Ok(()) => return Ok(()),
                Err(WorkflowError::Ask(error)) => return Err(error),
                Err(error) => tracing::info!(%server, %error, "no auth events from this server"),
            }
        }
        Ok(())
    }

    fn servers_to_ask(&self, run: &Run<'_>, wanted: &MissingEvent) -> Vec<ServerName> {
        let names = std::iter::once(wanted.origin.clone()).chain(run.missing.servers.iter().cloned());
        self.distinct_servers(names, SERVERS_MAX)
    }
}

impl<'a> Run<'a> {
    /// What to ask for next: auth events first, since nothing can be placed without them.
    fn next(&self, is_auth: bool) -> Option<MissingEvent> {
        let mut events = self.missing.events.iter();
        events
            .find(|event| event.is_auth == is_auth && !self.sought.contains(&event.event_id))
            .cloned()
    }

    /// What waits, of the same server: the events at which a walk back begins.
    fn latest(&'a self, wanted: &MissingEvent) -> Vec<&'a str> {
        let same = self
            .missing
            .events
            .iter()
            .filter(|event| event.origin == wanted.origin);
        let mut latest: BTreeMap<&str, ()> = same.map(|event| (event.needed_by.as_str(), ())).collect();
        while latest.len() > EVENTS_MAX {
            latest.pop_last();
        }
        latest.into_keys().collect()
    }

    const fn target<'t>(&'t self, event: &'t EventId, server: &'t ServerName) -> Target<'t> {
        Target {
            room_id: self.room_id,
            version: self.version,
            event,
            server,
        }
    }
}
