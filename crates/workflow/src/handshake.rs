//! Membership events of local users that other servers make the template of and this one signs
//! (spec: server-server-api §joining-rooms, §leaving-rooms, §knocking-upon-a-room).

use http::Method;
use selvage_event::{Event, EventId, Map, RoomId, RoomVersion, ServerName, Template, UserId};
use selvage_protocol::elsewhere::{Standing, StandingReply};
use selvage_protocol::user::{Membership, OutOfBandOf, OutOfBandReply, Profile};
use selvage_protocol::{Json, room_key, user_key};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use crate::failed::WorkflowError;
use crate::{Host, Workflows, path, with_query};

/// The most servers that are tried.
const CANDIDATES_MAX: usize = 10;
/// The longest template, in bytes.
const TEMPLATE_MAX_BYTES: usize = 512 * 1024;
/// What of a template's content goes into the event beside what this server knows itself.
const AUTHORISED_VIA: &str = "join_authorised_via_users_server";

/// A local user who enters or leaves a room that this server is not in.
#[derive(Clone, Debug)]
pub struct Entrant {
    /// The room.
    pub room_id: RoomId,
    /// The user.
    pub user_id: UserId,
    /// The user's profile, for the membership event.
    pub profile: Profile,
    /// Why, as the user put it.
    pub reason: Option<String>,
    /// Servers that the user says are in the room.
    pub via: Vec<String>,
}

/// A membership event that was made and signed.
pub(crate) struct Made {
    pub(crate) version: RoomVersion,
    pub(crate) event: Event,
}

impl Made {
    /// The event in the form that servers exchange.
    pub(crate) fn json(&self) -> Result<Json, WorkflowError> {
        raw(self.event.json().to_owned())
    }
}

#[derive(Deserialize)]
struct Answer {
    room_version: Option<String>,
    event: Map,
}

/// A JSON text.
pub(crate) fn raw(text: String) -> Result<Json, WorkflowError> {
    RawValue::from_string(text).map_err(|error| WorkflowError::refused("M_UNKNOWN", error.to_string()))
}

impl<H: Host> Workflows<H> {
    /// The servers to try, in order: those that the user names, the inviter's, those that are known to be in the room, and the
    /// one that made it where its id says which.
    pub(crate) async fn candidates(&self, entrant: &Entrant) -> Result<Vec<ServerName>, WorkflowError> {
        let standing = self.standing(&entrant.room_id).await?;
        let inviter = self.out_of_band(entrant).await?;
        let inviter = inviter.and_then(|membership| UserId::parse(membership.source.sender).ok());
        let inviter = inviter.map(|inviter| inviter.domain().to_owned());
        let maker = entrant.room_id.domain().map(str::to_owned);
        let named = entrant.via.iter().cloned();
        let all = named.chain(inviter).chain(standing.servers).chain(maker);
        Ok(self.distinct_servers(all, CANDIDATES_MAX))
    }

    /// Server names among texts, without this one's, each once.
    pub(crate) fn distinct_servers(
        &self,
        names: impl Iterator<Item = String>,
        max: usize,
    ) -> Vec<ServerName> {
        let mut servers: Vec<ServerName> = Vec::new();
        for name in names {
            if let Ok(server) = ServerName::parse(name)
                && server != *self.server_name()
                && !servers.contains(&server)
                && servers.len() < max
            {
                servers.push(server);
            }
        }
        servers
    }

    /// How this server stands to a room.
    pub(crate) async fn standing(&self, room_id: &RoomId) -> Result<StandingReply, WorkflowError> {
        Ok(self.ask(room_key(room_id.as_str()), Standing {}).await?)
    }

    /// The user's invite or knock that no room here knows of.
    async fn out_of_band(&self, entrant: &Entrant) -> Result<Option<OutOfBandReply>, WorkflowError> {
        let ask = OutOfBandOf {
            room_id: entrant.room_id.as_str().to_owned(),
        };
        Ok(self.ask(user_key(entrant.user_id.as_str()), ask).await?)
    }

    /// Has a server make the template of a membership event, checks that it is what was asked for, and signs it.
    pub(crate) async fn make(
        &self,
        entrant: &Entrant,
        membership: Membership,
        server: &ServerName,
    ) -> Result<Made, WorkflowError> {
        let endpoint = format!("/_matrix/federation/v1/make_{}", verb(membership));
        let mut at = path(&endpoint, &[entrant.room_id.as_str(), entrant.user_id.as_str()]);
        if membership != Membership::Leave {
            let versions: Vec<(&str, &str)> = RoomVersion::ALL
                .iter()
                .map(|version| ("ver", version.as_str()))
                .collect();
            at = with_query(at, &versions);
        }
        let answer = self
            .request(server, Method::GET, &at, None, TEMPLATE_MAX_BYTES)
            .await?;
        let answer: Answer =
            serde_json::from_slice(&answer).map_err(|error| WorkflowError::misbehaved(server, error))?;
        // A server that names none has a room of the first version.
        let version: RoomVersion = answer
            .room_version
            .as_deref()
            .unwrap_or("1")
            .parse()
            .map_err(|_| {
                WorkflowError::misbehaved(server, "its room is of a version that was not asked for")
            })?;
        let event = self.signed(entrant, membership, version, &answer.event);
        let event = event
            .ok_or_else(|| WorkflowError::misbehaved(server, "the template is not what was asked for"))?;
        Ok(Made { version, event })
    }

    /// The signed event, if the template is what was asked for. Of the template count the events that it cites, its depth, and who
    /// lets the user in; all else is made here.
    fn signed(
        &self,
        entrant: &Entrant,
        membership: Membership,
        version: RoomVersion,
        template: &Map,
    ) -> Option<Event> {
        let text = |key: &str| template.get(key).and_then(Value::as_str);
        let user_id = entrant.user_id.as_str();
        let offered = template.get("content").and_then(Value::as_object)?;
        let is_as_asked = text("type") == Some("m.room.member")
            && text("room_id") == Some(entrant.room_id.as_str())
            && text("sender") == Some(user_id)
            && text("state_key") == Some(user_id)
            && offered.get("membership").and_then(Value::as_str) == Some(membership.as_str());
        if !is_as_asked {
            return None;
        }
        let mut content = content(entrant, membership);
        if let Some(authoriser) = offered.get(AUTHORISED_VIA)
            && membership == Membership::Join
        {
            content.insert(AUTHORISED_VIA.to_owned(), authoriser.clone());
        }
        let template = Template {
            room_id: Some(entrant.room_id.clone()),
            sender: entrant.user_id.clone(),
            kind: "m.room.member".to_owned(),
            state_key: Some(user_id.to_owned()),
            content,
            prev_events: cited(template.get("prev_events")?)?,
            auth_events: cited(template.get("auth_events")?)?,
            depth: template.get("depth")?.as_i64()?,
            origin_server_ts: i64::try_from(self.now().0).unwrap_or(i64::MAX),
            redacts: None,
        };
        let built = template.build(version, self.server_name(), self.signing_key());
        Some(built.ok()?.event().clone())
    }
}

const fn verb(membership: Membership) -> &'static str {
    match membership {
        Membership::Join => "join",
        Membership::Knock => "knock",
        Membership::Invite | Membership::Leave | Membership::Ban => "leave",
    }
}

fn content(entrant: &Entrant, membership: Membership) -> Map {
    let mut content = Map::new();
    let mut put = |key: &str, value: Option<&str>| {
        if let Some(value) = value {
            content.insert(key.to_owned(), Value::from(value));
        }
    };
    put("membership", Some(membership.as_str()));
    put("reason", entrant.reason.as_deref());
    if membership != Membership::Leave {
        put("displayname", entrant.profile.displayname.as_deref());
        put("avatar_url", entrant.profile.avatar_url.as_deref());
    }
    content
}

/// The ids in a list of references, in either form.
fn cited(list: &Value) -> Option<Vec<EventId>> {
    let id = |reference: &Value| {
        let id = reference
            .as_str()
            .or_else(|| reference.as_array()?.first()?.as_str())?;
        EventId::parse(id).ok()
    };
    list.as_array()?.iter().map(id).collect()
}

/// An event of ours with another server's signature, which is in the copy that the server sent back. `None` when it is not, or
/// when the copy differs in anything else.
pub(crate) fn with_signature_of(ours: &str, copy: &str, server: &ServerName) -> Option<Json> {
    let mut event: Map = serde_json::from_str(ours).ok()?;
    let mut copy: Map = serde_json::from_str(copy).ok()?;
    let mut signatures = event.remove("signatures")?;
    let theirs = copy.remove("signatures")?.get(server.as_str())?.clone();
    copy.remove("unsigned");
    if event != copy {
        return None;
    }
    signatures
        .as_object_mut()?
        .insert(server.as_str().to_owned(), theirs);
    event.insert("signatures".to_owned(), signatures);
    to_raw_value(&event).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nothing of the copy counts but the signature. spec: `server-server-api §put_matrixfederationv2inviteroomideventid`
    #[test]
    fn a_copy_may_differ_in_nothing_but_signatures() {
        let server = ServerName::parse("b.org").unwrap();
        let ours = r#"{"a":1,"signatures":{"a.org":{"k":"x"}}}"#;
        let check = |copy: &str| with_signature_of(ours, copy, &server).map(|json| json.get().to_owned());
        let signed = r#"{"a":1,"signatures":{"a.org":{"k":"x"},"b.org":{"k":"y"}}}"#;
        assert_eq!(
            check(r#"{"signatures":{"b.org":{"k":"y"},"a.org":{"k":"z"}},"a":1,"unsigned":{"b":2}}"#)
                .as_deref(),
            Some(signed)
        );
        assert_eq!(check(r#"{"a":2,"signatures":{"b.org":{"k":"y"}}}"#), None);
        assert_eq!(check(r#"{"a":1,"b":1,"signatures":{"b.org":{"k":"y"}}}"#), None);
        assert_eq!(check(ours), None);
        assert_eq!(check("[]"), None);
    }

    #[test]
    fn references_have_two_forms() {
        let ids = |json: &str| cited(&serde_json::from_str(json).unwrap()).map(|ids| ids.len());
        assert_eq!(ids(r#"["$a","$b"]"#), Some(2));
        assert_eq!(ids(r#"[["$a:x",{"sha256":""}]]"#), Some(1));
        assert_eq!(ids(r#"["a"]"#), None);
        assert_eq!(ids("[1]"), None);
    }
}
