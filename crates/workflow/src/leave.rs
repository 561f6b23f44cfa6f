//! Rejecting invites to rooms that this server is not in, and taking knocks on them back
//! (spec: server-server-api §leaving-rooms).

use http::Method;
use selvage_event::ServerName;
use selvage_protocol::user::{Membership, OutOfBand, OutOfBandSource};
use selvage_protocol::user_key;

use crate::failed::WorkflowError;
use crate::handshake::{Entrant, Made};
use crate::{Host, Workflows, path};

/// The longest answer to `send_leave` and its like, in bytes: nothing in it matters.
const ANSWER_MAX_BYTES: usize = 512 * 1024;

impl<H: Host> Workflows<H> {
    /// Rejects an invite or takes a knock back. The user is rid of it even when no server takes the leave.
    ///
    /// # Errors
    /// When the user's object cannot be asked.
    pub async fn leave(&self, entrant: &Entrant) -> Result<(), WorkflowError> {
        let (mut event_id, mut version) = (String::new(), String::new());
        for server in self.candidates(entrant).await? {
            match self.leave_through(entrant, &server).await {
                Ok(made) => {
                    event_id = made.event.event_id().as_str().to_owned();
                    version = made.version.as_str().to_owned();
                    break;
                }
                Err(error) => {
                    tracing::info!(room = %entrant.room_id, %server, %error, "no leaving through this server");
                }
            }
        }
        let source = OutOfBandSource {
            sender: entrant.user_id.as_str().to_owned(),
            event_id,
            version,
        };
        let left = OutOfBand {
            room_id: entrant.room_id.as_str().to_owned(),
            membership: Membership::Leave,
            source,
            stripped_state: Vec::new(),
            rate_limited: false,
            ends: None,
        };
        Ok(self.ask(user_key(entrant.user_id.as_str()), left).await?)
    }

    async fn leave_through(&self, entrant: &Entrant, server: &ServerName) -> Result<Made, WorkflowError> {
        let made = self.make(entrant, Membership::Leave, server).await?;
        let at = path(
            "/_matrix/federation/v2/send_leave",
            &[entrant.room_id.as_str(), made.event.event_id().as_str()],
        );
        self.request(server, Method::PUT, &at, Some(&made.json()?), ANSWER_MAX_BYTES)
            .await?;
        Ok(made)
    }
}
