//! An invite of a user here, from its checks to the user.

use selvage_event::{
    CheckedEvent, Event, KeyLookup, Membership, PublicKey, ReceivedEvent, RoomVersion, ServerName, VerifyKeys,
};
use selvage_protocol::federation::{Outcome, Push, Residence, ServerKey};
use selvage_protocol::user::{self, OutOfBand, OutOfBandSource};
use selvage_protocol::{Json, room_key};
use selvage_workflow::stripped;
use serde_json::value::RawValue;

use crate::{ApiError, Gateway, Host};

/// From this version on, what an invite shows of the room must prove itself
/// (spec: server-server-api §put_matrixfederationv2inviteroomideventid).
const PROVEN_FROM: RoomVersion = RoomVersion::V12;

/// The most events that are shown of a room, beside the invite itself.
const SHOWN_MAX: usize = 63;

/// A membership event that invites a user of this server, sent by the server of its sender.
pub(super) struct Invite {
    received: ReceivedEvent,
    shown: Vec<Json>,
    user_id: String,
}

impl Invite {
    /// Takes an event as such.
    ///
    /// # Errors
    /// `M_INVALID_PARAM` when it is something else.
    pub(super) fn new(
        received: ReceivedEvent,
        shown: Vec<Json>,
        origin: &str,
        own: &ServerName,
    ) -> Result<Self, ApiError> {
        let event = received.event();
        if event.kind() != "m.room.member" || event.membership() != Some(Membership::Invite) {
            return Err(ApiError::invalid_param("the event is no invite"));
        }
        if event.sender().domain() != origin {
            return Err(ApiError::invalid_param(
                "the invite's sender is of another server",
            ));
        }
        let user_id = event.state_key().unwrap_or_default().to_owned();
        if user_id
            .split_once(':')
            .is_none_or(|(_, server)| server != own.as_str())
        {
            return Err(ApiError::invalid_param("the invited user is of another server"));
        }
        Ok(Self {
            received,
            shown,
            user_id,
        })
    }

    /// Verifies the invite, tells the user, and returns it with the signature of this server.
    ///
    /// # Errors
    /// `M_INVALID_PARAM` when it is not signed, and what the user or the room refuses.
    pub(super) async fn accept<H: Host>(
        self,
        gateway: &Gateway<H>,
        origin: &ServerName,
    ) -> Result<Json, ApiError> {
        let Self {
            received,
            shown,
            user_id,
        } = self;
        let event = received.event().clone();
        let version = event.room_version();
        let keys = keys_of(gateway, event.json(), version).await?;
        let checked = verified(received, &keys)?;
        check_shown(gateway, &event, &shown).await?;
        let signed = signed(gateway, &checked)?;
        if gateway
            .ask(room_key(event.room_id().as_str()), Residence {})
            .await?
            .is_some()
        {
            let push = Push {
                server: origin.to_string(),
                events: vec![signed.clone()],
                keys,
            };
            take(gateway, &event, push).await?;
        } else {
            tell(gateway, &event, &user_id, shown).await?;
        }
        Ok(signed)
    }
}

async fn keys_of<H: Host>(
    gateway: &Gateway<H>,
    event: &str,
    version: RoomVersion,
) -> Result<Vec<ServerKey>, ApiError> {
    let event = RawValue::from_string(event.to_owned()).map_err(ApiError::internal)?;
    Ok(gateway.workflows().keys_of(&[event], version).await)
}

/// The event, checked with the keys of its servers.
pub(super) fn verified(received: ReceivedEvent, keys: &[ServerKey]) -> Result<CheckedEvent, ApiError> {
    let Ok(verified) = received.verify(&lookup(keys));
    verified.map_err(|error| ApiError::invalid_param(error.to_string()))
}

fn lookup(keys: &[ServerKey]) -> impl KeyLookup<Error = std::convert::Infallible> + use<> {
    let mut verify = VerifyKeys::new();
    for key in keys {
        let public = PublicKey::from_base64(&key.public_key, key.valid_until_ts);
        if let (Ok(server), Ok(public)) = (ServerName::parse(&key.server), public) {
            verify.insert(&server, &key.key_id, public);
        }
    }
    verify
}

fn signed<H: Host>(gateway: &Gateway<H>, checked: &CheckedEvent) -> Result<Json, ApiError> {
    let signed = checked.co_sign(gateway.server_name(), gateway.signing_key())?;
    RawValue::from_string(signed.event().json().to_owned()).map_err(ApiError::internal)
}

/// Checks that what is shown of a room is of that room, where the version asks for that.
async fn check_shown<H: Host>(gateway: &Gateway<H>, invite: &Event, shown: &[Json]) -> Result<(), ApiError> {
    let version = invite.room_version();
    if version < PROVEN_FROM {
        return Ok(());
    }
    // Each may be signed by another server, whose keys would be fetched.
    if shown.len() > SHOWN_MAX {
        return Err(ApiError::invalid_param("invite_room_state shows too much"));
    }
    let keys = gateway.workflows().keys_of(shown, version).await;
    let mut has_create = false;
    for json in shown {
        let wrong = |error: String| ApiError::invalid_param(format!("invite_room_state: {error}"));
        let received = ReceivedEvent::parse(json.get().as_bytes(), version);
        let checked = verified(received.map_err(|error| wrong(error.to_string()))?, &keys)?;
        if checked.event().room_id() != invite.room_id() {
            return Err(wrong("an event of another room".to_owned()));
        }
        has_create |= checked.event().is_state_of("m.room.create", "");
    }
    if !has_create {
        return Err(ApiError::missing_param("invite_room_state has no create event"));
    }
    Ok(())
}

/// Gives the invite to a room that this server is in: it tells the user itself, and knows the invite when it comes again.
async fn take<H: Host>(gateway: &Gateway<H>, event: &Event, push: Push) -> Result<(), ApiError> {
    let reply = gateway.ask(room_key(event.room_id().as_str()), push).await?;
    let outcome = reply.verdicts.first().map(|verdict| verdict.outcome);
    match outcome {
        Some(Outcome::Accepted | Outcome::Waiting | Outcome::Known) => Ok(()),
        _ => Err(ApiError::forbidden("the room's rules forbid this invite")),
    }
}

/// Tells the user of an invite to a room that this server is not in.
async fn tell<H: Host>(
    gateway: &Gateway<H>,
    event: &Event,
    user_id: &str,
    mut shown: Vec<Json>,
) -> Result<(), ApiError> {
    shown.truncate(SHOWN_MAX);
    shown.push(RawValue::from_string(event.json().to_owned()).map_err(ApiError::internal)?);
    let command = OutOfBand {
        room_id: event.room_id().as_str().to_owned(),
        membership: user::Membership::Invite,
        source: OutOfBandSource {
            sender: event.sender().as_str().to_owned(),
            event_id: event.event_id().as_str().to_owned(),
            version: event.room_version().as_str().to_owned(),
        },
        stripped_state: stripped(&shown),
        rate_limited: gateway.settings().rate_limits,
        ends: None,
    };
    Ok(gateway.ask_user(user_id, command).await?)
}
