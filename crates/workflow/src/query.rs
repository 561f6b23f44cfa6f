//! Small questions to other servers: whose room an alias is, and what a user is called.

use http::Method;
use selvage_event::{RoomAlias, RoomId, UserId};
use selvage_protocol::user::Profile;
use serde::Deserialize;

use crate::failed::WorkflowError;
use crate::{Host, Workflows, path, with_query};

/// The longest answer, in bytes.
const ANSWER_MAX_BYTES: usize = 256 * 1024;
/// The most servers of an alias's answer that count.
const SERVERS_MAX: usize = 20;

/// Where an alias leads.
#[derive(Clone, Debug, Deserialize)]
pub struct AliasTarget {
    /// The room.
    pub room_id: RoomId,
    /// Servers that are in it.
    #[serde(default)]
    pub servers: Vec<String>,
}

impl<H: Host> Workflows<H> {
    /// Asks the server of an alias where it leads (spec: server-server-api §get_matrixfederationv1querydirectory).
    ///
    /// # Errors
    /// [`WorkflowError`].
    pub async fn resolve_alias(&self, alias: &RoomAlias) -> Result<AliasTarget, WorkflowError> {
        let server = alias.server_name();
        let at = with_query(
            path("/_matrix/federation/v1/query/directory", &[]),
            &[("room_alias", alias.as_str())],
        );
        let answer = self
            .request(&server, Method::GET, &at, None, ANSWER_MAX_BYTES)
            .await?;
        let mut target: AliasTarget =
            serde_json::from_slice(&answer).map_err(|error| WorkflowError::misbehaved(&server, error))?;
        target.servers.truncate(SERVERS_MAX);
        // The server that answers for the alias knows somebody in the room, if it is not there itself.
        target.servers.push(server.to_string());
        Ok(target)
    }

    /// Asks a user's server for the profile (spec: server-server-api §get_matrixfederationv1queryprofile).
    ///
    /// # Errors
    /// [`WorkflowError`].
    pub async fn remote_profile(&self, user: &UserId) -> Result<Profile, WorkflowError> {
        let server = user.server_name();
        let at = with_query(
            path("/_matrix/federation/v1/query/profile", &[]),
            &[("user_id", user.as_str())],
        );
        let answer = self
            .request(&server, Method::GET, &at, None, ANSWER_MAX_BYTES)
            .await?;
        serde_json::from_slice(&answer).map_err(|error| WorkflowError::misbehaved(&server, error))
    }
}
