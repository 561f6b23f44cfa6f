//! Joining rooms that this server is not in (spec: server-server-api §joining-rooms).
//!
//! Until the room places the join, nobody here sees anything of it, so a join that stops anywhere is none, and can be begun again.

use http::Method;
use selvage_event::{RoomId, ServerName};
use selvage_protocol::federation::{Begin, Outcome, Place};
use selvage_protocol::room_key;
use selvage_protocol::user::Membership;

use crate::failed::WorkflowError;
use crate::handshake::{Entrant, Made, with_signature_of};
use crate::supply::{Form, Members, Target};
use crate::{AskError, Host, RemoteError, Workflows, path, with_query};

/// How the answer to `send_join` looks.
const SEND_JOIN: Form = Form {
    state: Some("state"),
    lists: &["state", "auth_chain"],
    members: &["event", "members_omitted"],
};
/// The key of a join's content that names who lets in.
const AUTHORISED_VIA: &str = "join_authorised_via_users_server";

impl<H: Host> Workflows<H> {
    /// Joins a room through one of the servers that are in it, tried in turn.
    ///
    /// # Errors
    /// [`WorkflowError`]: of what the servers said, that which tells most.
    pub async fn join(&self, entrant: &Entrant) -> Result<(), WorkflowError> {
        let mut told = WorkflowError::nobody();
        let mut weight = 0;
        for server in self.candidates(entrant).await? {
            match self.join_through(entrant, &server).await {
                Ok(()) => return Ok(()),
                Err(error @ WorkflowError::Ask(_)) => return Err(error),
                Err(error) => {
                    tracing::info!(room = %entrant.room_id, %server, %error, "no join through this server");
                    if weight <= error.weight() {
                        weight = error.weight() + 1;
                        told = error;
                    }
                }
            }
        }
        Err(told)
    }

    async fn join_through(&self, entrant: &Entrant, server: &ServerName) -> Result<(), WorkflowError> {
        let made = self.make(entrant, Membership::Join, server).await?;
        let begin = Begin {
            version: made.version.as_str().to_owned(),
        };
        // A room that was here once has its version.
        match self.ask(room_key(entrant.room_id.as_str()), begin).await {
            Err(AskError::Refused(refusal)) => return Err(WorkflowError::misbehaved(server, refusal)),
            begun => begun?,
        }
        let target = Target {
            room_id: &entrant.room_id,
            version: made.version,
            event: made.event.event_id(),
            server,
        };
        let at = path(
            "/_matrix/federation/v2/send_join",
            &[entrant.room_id.as_str(), made.event.event_id().as_str()],
        );
        let at = with_query(at, &[("omit_members", "false")]);
        let event = made.json()?;
        let answer = self.stream(server, Method::PUT, &at, Some(&event)).await?;
        let members = self.supply_answer(target, answer, &SEND_JOIN).await?;
        if members
            .get("members_omitted")
            .is_some_and(|omitted| omitted == "true")
        {
            return Err(WorkflowError::misbehaved(server, "it left out members"));
        }
        self.enter(&entrant.room_id, &made, server, &members).await
    }

    /// Gives the join its place in the room, which then is here.
    async fn enter(
        &self,
        room_id: &RoomId,
        made: &Made,
        server: &ServerName,
        members: &Members,
    ) -> Result<(), WorkflowError> {
        let mut event = made.json()?;
        if let Some(authoriser) = made.event.content_str(AUTHORISED_VIA) {
            let (_, signer) = authoriser.split_once(':').unwrap_or_default();
            let signed = ServerName::parse(signer).ok().and_then(|signer| {
                let copy = members.get("event")?;
                with_signature_of(made.event.json(), copy, &signer)
            });
            let missing = "it did not sign the join that it lets in";
            event = signed.ok_or_else(|| WorkflowError::misbehaved(server, missing))?;
        }
        let place = Place {
            origin: server.to_string(),
            keys: self.keys_of(std::slice::from_ref(&event), made.version).await,
            event,
            history_before: None,
        };
        let reply = self.ask(room_key(room_id.as_str()), place).await?;
        match reply.verdicts.into_iter().next() {
            Some(verdict) if matches!(verdict.outcome, Outcome::Accepted | Outcome::Known) => Ok(()),
            verdict => {
                let why = verdict.and_then(|verdict| verdict.why).unwrap_or_default();
                let why = format!("by the state that it tells, the join is not allowed: {why}");
                Err(WorkflowError::Remote(RemoteError::Misbehaved(why)))
            }
        }
    }
}
