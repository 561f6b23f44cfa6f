//! The state before an event behind a gap, as another server tells it. Each event of it is checked here; that it is the state
//! there, nobody but that server says (spec: server-server-api §get_matrixfederationv1state_idsroomid).

use std::collections::BTreeSet;

use futures_util::{StreamExt as _, stream};
use http::Method;
use selvage_protocol::federation::SupplyState;
use selvage_protocol::{Json, room_key};
use serde::Deserialize;

use crate::failed::WorkflowError;
use crate::pieces::{Piece, Pieces};
use crate::supply::{Form, Target};
use crate::{Host, RemoteError, Workflows, path, with_query};

/// How the answer to `state` looks.
const STATE: Form = Form {
    state: Some("pdus"),
    lists: &["pdus", "auth_chain"],
    members: &[],
};
/// How the answer to `event_auth` looks.
const EVENT_AUTH: Form = Form {
    state: None,
    lists: &["auth_chain"],
    members: &[],
};
/// The most ids of one answer.
const IDS_MAX: usize = 300_000;
/// The most bytes of an answer of ids.
const IDS_MAX_BYTES: usize = 32 * 1024 * 1024;
/// How many ids go to the room at once.
const IDS_AT_ONCE: usize = 500;
/// Up to so many missing events are fetched one by one, more as a whole state.
const SINGLE_EVENTS_MAX: usize = 100;
/// How many events are fetched at once.
const EVENTS_AT_ONCE: usize = 8;
/// The longest answer with one event, in bytes.
const EVENT_ANSWER_MAX_BYTES: usize = 1024 * 1024;

/// A state and its auth chain, as ids.
#[derive(Default)]
struct Ids {
    state: Vec<String>,
    auth_chain: Vec<String>,
}

#[derive(Deserialize)]
struct OneEvent {
    pdus: Vec<Json>,
}

impl<H: Host> Workflows<H> {
    /// Supplies the room with the state before the target, so that the target can be placed.
    pub(crate) async fn fetch_state_before(&self, target: Target<'_>) -> Result<(), WorkflowError> {
        let ids = self.state_ids(target).await?;
        let mut missing = BTreeSet::new();
        // What the room lacks of both is found out in the draft of the state, which is begun anew below.
        for piece in ids
            .auth_chain
            .chunks(IDS_AT_ONCE)
            .chain(ids.state.chunks(IDS_AT_ONCE))
        {
            missing.extend(self.draft(target, true, piece).await?);
        }
        if missing.len() > SINGLE_EVENTS_MAX {
            self.draft(target, true, &[]).await?;
            let at = room_path("state", target);
            let answer = self.stream(target.server, Method::GET, &at, None).await?;
            self.supply_answer(target, answer, &STATE).await?;
            return Ok(());
        }
        let missing: Vec<String> = missing.into_iter().collect();
        self.fetch_events(target, &missing).await?;
        self.draft(target, true, &[]).await?;
        for piece in ids.state.chunks(IDS_AT_ONCE) {
            let unusable = self.draft(target, false, piece).await?;
            if !unusable.is_empty() {
                // Those that did not pass the checks are no part of the state here.
                let usable: Vec<String> = piece
                    .iter()
                    .filter(|id| !unusable.contains(id))
                    .cloned()
                    .collect();
                self.draft(target, false, &usable).await?;
            }
        }
        Ok(())
    }

    /// Supplies the room with the auth chain of the target.
    pub(crate) async fn fetch_auth_chain(&self, target: Target<'_>) -> Result<(), WorkflowError> {
        let event_id = target.event.as_str();
        let at = path(
            "/_matrix/federation/v1/event_auth",
            &[target.room_id.as_str(), event_id],
        );
        let answer = self.stream(target.server, Method::GET, &at, None).await?;
        self.supply_answer(target, answer, &EVENT_AUTH).await?;
        Ok(())
    }

    /// Fetches events by their ids and supplies them. Each must be had, though what is had may not pass the room's checks.
    pub(crate) async fn fetch_events(&self, target: Target<'_>, ids: &[String]) -> Result<(), WorkflowError> {
        let fetches = ids.iter().cloned().map(|id| self.fetch_event(target, id));
        let mut events = stream::iter(fetches).buffered(EVENTS_AT_ONCE);
        while let Some(event) = events.next().await {
            self.supply(target, event?, false).await?;
        }
        Ok(self.settle(target).await?)
    }

    async fn fetch_event(&self, target: Target<'_>, id: String) -> Result<Vec<Json>, WorkflowError> {
        let at = path("/_matrix/federation/v1/event", &[&id]);
        let answer = self
            .request(target.server, Method::GET, &at, None, EVENT_ANSWER_MAX_BYTES)
            .await?;
        let answer: OneEvent = serde_json::from_slice(&answer)
            .map_err(|error| WorkflowError::misbehaved(target.server, error))?;
        Ok(answer.pdus.into_iter().take(1).collect())
    }

    /// Writes a piece of the state before the target; the ids of what is not here, in which case nothing was written.
    async fn draft(
        &self,
        target: Target<'_>,
        first: bool,
        ids: &[String],
    ) -> Result<Vec<String>, WorkflowError> {
        let supply = SupplyState {
            event_id: target.event.as_str().to_owned(),
            first,
            state: ids.to_vec(),
        };
        Ok(self.ask(room_key(target.room_id.as_str()), supply).await?.missing)
    }

    async fn state_ids(&self, target: Target<'_>) -> Result<Ids, WorkflowError> {
        let at = room_path("state_ids", target);
        let answer = self.stream(target.server, Method::GET, &at, None).await?;
        let mut pieces = Pieces::new(&["pdu_ids", "auth_chain_ids"], &[]);
        let (mut body, mut bytes, mut ids) = (answer.body, 0, Ids::default());
        while let Some(chunk) = body.next().await {
            let chunk = chunk?;
            bytes += chunk.len();
            pieces.push(&chunk);
            while let Some(piece) = pieces
                .next()
                .map_err(|error| WorkflowError::misbehaved(target.server, error))?
            {
                ids.take(&piece);
            }
            if bytes > IDS_MAX_BYTES || ids.state.len() + ids.auth_chain.len() > IDS_MAX {
                return Err(RemoteError::Misbehaved("a state of too many events".to_owned()).into());
            }
        }
        if pieces.is_whole() {
            return Ok(ids);
        }
        Err(WorkflowError::misbehaved(target.server, "its answer was cut off"))
    }
}

impl Ids {
    fn take(&mut self, piece: &Piece) {
        if let Piece::Element(list, text) = piece
            && let Ok(id) = serde_json::from_str(text)
        {
            let ids = if *list == "pdu_ids" {
                &mut self.state
            } else {
                &mut self.auth_chain
            };
            ids.push(id);
        }
    }
}

fn room_path(endpoint: &str, target: Target<'_>) -> String {
    let at = path(
        &format!("/_matrix/federation/v1/{endpoint}"),
        &[target.room_id.as_str()],
    );
    with_query(at, &[("event_id", target.event.as_str())])
}
