//! Inviting users of other servers: their server signs the invite, and only then it comes into the room
//! (spec: server-server-api §inviting-to-a-room).

use http::Method;
use selvage_event::{RoomId, ServerName, UserId};
use selvage_protocol::elsewhere::{MakeInvite, MakeInviteReply, SendInvite};
use selvage_protocol::{Json, room_key};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use crate::failed::WorkflowError;
use crate::handshake::with_signature_of;
use crate::{Host, Workflows, path};

/// The longest answer to an invite, in bytes.
const ANSWER_MAX_BYTES: usize = 512 * 1024;

#[derive(Serialize)]
struct Body<'a> {
    room_version: &'a str,
    event: &'a RawValue,
    invite_room_state: &'a [Json],
}

#[derive(Deserialize)]
struct Answer {
    event: Json,
}

/// The ids of the keys that each server signed with.
#[derive(Deserialize)]
struct Signatures {
    signatures: std::collections::BTreeMap<String, std::collections::BTreeMap<String, serde::de::IgnoredAny>>,
}

impl<H: Host> Workflows<H> {
    /// Invites a user of another server.
    ///
    /// # Errors
    /// [`WorkflowError`]; nothing has come into the room then.
    pub async fn invite(&self, room_id: &RoomId, invite: MakeInvite) -> Result<(), WorkflowError> {
        let target = UserId::parse(&invite.target)
            .map_err(|error| WorkflowError::refused("M_INVALID_PARAM", error.to_string()))?;
        let server = target.server_name();
        let room = room_key(room_id.as_str());
        let made = self.ask(room.clone(), invite).await?;
        let event = self.signed_by(room_id, &server, &made).await?;
        let send = SendInvite {
            keys: self.keys_of_signer(&server, &event).await,
            event,
            server: server.to_string(),
        };
        self.ask(room, send).await?;
        Ok(())
    }

    async fn signed_by(
        &self,
        room_id: &RoomId,
        server: &ServerName,
        made: &MakeInviteReply,
    ) -> Result<Json, WorkflowError> {
        let at = path(
            "/_matrix/federation/v2/invite",
            &[room_id.as_str(), &made.event_id],
        );
        let body = Body {
            room_version: &made.version,
            event: &made.event,
            invite_room_state: &made.room_state,
        };
        let body = to_raw_value(&body).map_err(|error| WorkflowError::misbehaved(server, error))?;
        let answer = self
            .request(server, Method::PUT, &at, Some(&body), ANSWER_MAX_BYTES)
            .await?;
        let answer: Answer =
            serde_json::from_slice(&answer).map_err(|error| WorkflowError::misbehaved(server, error))?;
        with_signature_of(made.event.get(), answer.event.get(), server)
            .ok_or_else(|| WorkflowError::misbehaved(server, "it did not sign the invite, or changed it"))
    }

    /// The keys of a server with which it signed an event.
    async fn keys_of_signer(
        &self,
        server: &ServerName,
        event: &RawValue,
    ) -> Vec<selvage_protocol::federation::ServerKey> {
        let signed: Option<Signatures> = serde_json::from_str(event.get()).ok();
        let ids = signed.and_then(|mut signed| signed.signatures.remove(server.as_str()));
        let ids = ids.unwrap_or_default();
        let ids: Vec<&str> = ids.keys().map(String::as_str).collect();
        let now = i64::try_from(self.now().0).unwrap_or(i64::MAX);
        self.keys_of_server(server, &ids, now).await
    }
}
