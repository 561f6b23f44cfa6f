//! Paging back beyond what is held (spec: server-server-api §get_matrixfederationv1backfillroomid).

use std::collections::BTreeSet;

use http::Method;
use selvage_event::{EventId, RoomId, RoomVersion, ServerName};
use selvage_protocol::elsewhere::StandingReply;
use selvage_protocol::federation::{Edge, Edges, Outcome, Receive, ReceiveReply};
use selvage_protocol::{Json, room_key};
use serde::Deserialize;

use crate::failed::WorkflowError;
use crate::supply::Target;
use crate::{Host, Workflows, path, with_query};

/// How many events are asked for at once.
const PAGE_EVENTS: usize = 100;
/// The longest answer, in bytes.
const ANSWER_MAX_BYTES: usize = 16 * 1024 * 1024;
/// The most servers that are asked.
const SERVERS_MAX: usize = 3;
/// The most events at which the page begins, for each of which a state is fetched.
const BEGINNINGS_MAX: usize = 5;

#[derive(Deserialize)]
struct Page {
    pdus: Vec<Json>,
}

/// What of an event says what comes before it.
#[derive(Deserialize)]
struct Cites {
    prev_events: Vec<serde_json::Value>,
}

impl<H: Host> Workflows<H> {
    /// Fetches a page of what lies before a position and is not held; whether anything new came.
    ///
    /// # Errors
    /// When the room's object cannot be asked.
    pub async fn backfill(&self, room_id: &RoomId, before: i64) -> Result<bool, WorkflowError> {
        let before = Some(before);
        let edges = self.ask(room_key(room_id.as_str()), Edges { before }).await?;
        let Some(edge) = edges.into_iter().find(|edge| edge.pos.is_some()) else {
            return Ok(false);
        };
        let standing = self.standing(room_id).await?;
        let StandingReply { version, servers, .. } = standing;
        let Some(Ok(version)) = version.map(|version| version.parse()) else {
            return Ok(false);
        };
        for server in self.distinct_servers(servers.into_iter(), SERVERS_MAX) {
            match self.backfill_from(room_id, version, &edge, &server).await {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                Err(error @ WorkflowError::Ask(_)) => return Err(error),
                Err(error) => tracing::info!(room = %room_id, %server, %error, "no page of the past"),
            }
        }
        Ok(false)
    }

    async fn backfill_from(
        &self,
        room_id: &RoomId,
        version: RoomVersion,
        edge: &Edge,
        server: &ServerName,
    ) -> Result<bool, WorkflowError> {
        let limit = PAGE_EVENTS.to_string();
        let mut query: Vec<(&str, &str)> = edge.missing.iter().map(|id| ("v", id.as_str())).collect();
        query.push(("limit", &limit));
        let at = with_query(
            path("/_matrix/federation/v1/backfill", &[room_id.as_str()]),
            &query,
        );
        let answer = self
            .request(server, Method::GET, &at, None, ANSWER_MAX_BYTES)
            .await?;
        let page: Page =
            serde_json::from_slice(&answer).map_err(|error| WorkflowError::misbehaved(server, error))?;
        let mut events = page.pdus;
        events.truncate(PAGE_EVENTS);
        // Newest first they came.
        events.reverse();
        let receive = Receive {
            origin: server.to_string(),
            keys: self.keys_of(&events, version).await,
            events: events.clone(),
            history_before: edge.pos,
        };
        let reply = self.ask(room_key(room_id.as_str()), receive).await?;
        for beginning in beginnings(&events, &reply) {
            let target = Target {
                room_id,
                version,
                event: &beginning,
                server,
            };
            self.fetch_state_before(target).await?;
            self.place_waiting(room_id, &beginning).await?;
        }
        let new = |outcome: Outcome| !matches!(outcome, Outcome::Known | Outcome::Dropped);
        Ok(reply.verdicts.iter().any(|verdict| new(verdict.outcome)))
    }
}

/// The events of a page that wait for what is not in it.
fn beginnings(events: &[Json], reply: &ReceiveReply) -> Vec<EventId> {
    let ids: BTreeSet<&str> = reply
        .verdicts
        .iter()
        .filter_map(|verdict| verdict.event_id.as_deref())
        .collect();
    let mut found = Vec::new();
    for (event, verdict) in events.iter().zip(&reply.verdicts) {
        let cites: Option<Cites> = serde_json::from_str(event.get()).ok();
        let cited = cites.map(|cites| cites.prev_events).unwrap_or_default();
        let in_page = |reference: &serde_json::Value| {
            let id = reference
                .as_str()
                .or_else(|| reference.as_array()?.first()?.as_str());
            id.is_some_and(|id| ids.contains(id))
        };
        let waits = verdict.outcome == Outcome::Waiting && !cited.iter().all(in_page);
        if let Some(id) = verdict.event_id.as_ref().filter(|_| waits)
            && let Ok(id) = EventId::parse(id)
        {
            found.push(id);
        }
    }
    found.truncate(BEGINNINGS_MAX);
    found
}
