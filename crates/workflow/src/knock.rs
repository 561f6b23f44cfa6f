//! Knocking on rooms that this server is not in (spec: server-server-api §knocking-upon-a-room).

use http::Method;
use selvage_event::ServerName;
use selvage_protocol::user::{Membership, OutOfBand, OutOfBandSource};
use selvage_protocol::{Json, user_key};
use serde::Deserialize;

use crate::failed::WorkflowError;
use crate::handshake::Entrant;
use crate::{Host, Workflows, path, stripped};

/// The longest answer to `send_knock`, in bytes.
const ANSWER_MAX_BYTES: usize = 1024 * 1024;

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    knock_room_state: Vec<Json>,
}

impl<H: Host> Workflows<H> {
    /// Knocks on a room through one of the servers that are in it, tried in turn.
    ///
    /// # Errors
    /// [`WorkflowError`]: of what the servers said, that which tells most.
    pub async fn knock(&self, entrant: &Entrant) -> Result<(), WorkflowError> {
        let mut told = WorkflowError::nobody();
        let mut weight = 0;
        for server in self.candidates(entrant).await? {
            match self.knock_through(entrant, &server).await {
                Ok(()) => return Ok(()),
                Err(error @ WorkflowError::Ask(_)) => return Err(error),
                Err(error) if weight <= error.weight() => {
                    weight = error.weight() + 1;
                    told = error;
                }
                Err(_) => {}
            }
        }
        Err(told)
    }

    async fn knock_through(&self, entrant: &Entrant, server: &ServerName) -> Result<(), WorkflowError> {
        let made = self.make(entrant, Membership::Knock, server).await?;
        let at = path(
            "/_matrix/federation/v1/send_knock",
            &[entrant.room_id.as_str(), made.event.event_id().as_str()],
        );
        let event = made.json()?;
        let answer = self
            .request(server, Method::PUT, &at, Some(&event), ANSWER_MAX_BYTES)
            .await?;
        let answer: Answer =
            serde_json::from_slice(&answer).map_err(|error| WorkflowError::misbehaved(server, error))?;
        let mut stripped_state = stripped(&answer.knock_room_state);
        stripped_state.extend(stripped(std::slice::from_ref(&event)));
        let knocked = OutOfBand {
            room_id: entrant.room_id.as_str().to_owned(),
            membership: Membership::Knock,
            source: OutOfBandSource {
                sender: entrant.user_id.as_str().to_owned(),
                event_id: made.event.event_id().as_str().to_owned(),
                version: made.version.as_str().to_owned(),
            },
            stripped_state,
            rate_limited: false,
            ends: None,
        };
        Ok(self.ask(user_key(entrant.user_id.as_str()), knocked).await?)
    }
}
