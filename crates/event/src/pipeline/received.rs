//! From bytes to a well-formed event, and to a verified one: checks 1 to 3.

use serde_json::Value;

use super::CheckedEvent;
use crate::Map;
use crate::build::co_signed;
use crate::canonical::members::without;
use crate::canonical::{CanonicalError, Mode, lenient_from_bytes, object_to_canonical, parse_object};
use crate::event::{Event, Fields, FormatError, Membership};
use crate::hash::{claimed_content_hash, content_hash_of_text, event_id, reference_hash_of_redacted};
use crate::id::{EventId, ServerName, UserId};
use crate::key::{KeyLookup, SignatureError, SigningKey, signatures_of, verify_text};
use crate::limits::{MAX_EVENT_BYTES, MAX_NESTING_RECEIVED};
use crate::redact::redact_text;
use crate::version::RoomVersion;

/// The keys of `unsigned` that a remote server may set on every event.
/// spec: `server-server-api` PDU format; anything else could pose as ours (`transaction_id`, relations).
const UNSIGNED_KEPT: [&str; 1] = ["age"];

/// Those it may also set on `m.room.member`.
const UNSIGNED_KEPT_ON_MEMBERS: [&str; 2] = ["invite_room_state", "knock_room_state"];

/// A well-formed event whose hash has been looked at and whose signatures have not.
#[derive(Debug, Clone)]
pub struct ReceivedEvent {
    event: Event,
    unsigned: Map,
    /// What its signatures cover.
    signed: String,
    signatures: Map,
    was_redacted: bool,
}

impl ReceivedEvent {
    /// Reads an event as another server sent it.
    ///
    /// When its content hash is wrong, the redacted form is what is kept from here on: the sender's server
    /// may have redacted the event before sending it, and a forger gains nothing.
    /// spec: `server-server-api §Validating hashes and signatures on received events`
    ///
    /// # Errors
    /// [`FormatError`]: the event is to be dropped.
    pub fn parse(bytes: &[u8], version: RoomVersion) -> Result<Self, FormatError> {
        let mut object = parse_object(bytes)?;
        let unsigned = object.remove("unsigned");
        let text = canonical_text(bytes, &object, version)?;
        if text.len() > MAX_EVENT_BYTES {
            return Err(FormatError::TooLarge { bytes: text.len() });
        }
        let rules = version.rules();
        let signatures = object
            .get("signatures")
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default();
        let fields = Fields::parse(object, rules)?;
        let redacted = redact_text(rules, &text);
        let id = id_of(&fields, &redacted, version)?;
        let was_redacted = !content_hash_matches(&text)?;
        let event = if was_redacted {
            Event::from_stored(&redacted, id, version)?
        } else {
            Event::assemble(version, id, fields, text)?
        };
        let unsigned = kept_unsigned(unsigned, event.kind());
        let signed = without(&redacted, &["signatures", "unsigned"]);
        let received = Self {
            event,
            unsigned,
            signed,
            signatures,
            was_redacted,
        };
        received.required_signers()?;
        Ok(received)
    }

    /// The event, not to be relied on before it is verified.
    #[must_use]
    pub fn event(&self) -> &Event {
        &self.event
    }

    /// Whether the content hash was wrong, so that only the redacted form was kept.
    #[must_use]
    pub fn was_redacted(&self) -> bool {
        self.was_redacted
    }

    /// The servers that must have signed the event, each with the ids of the Ed25519 keys it signed with: what to
    /// fetch before [`Self::verify`]. Without ids there is nothing to fetch, and verification will fail.
    #[must_use]
    pub fn needed_keys(&self) -> Vec<(ServerName, Vec<String>)> {
        let with_ids = |server: ServerName| {
            let ids = self
                .signatures_of(&server)
                .into_iter()
                .map(|(key_id, _)| key_id)
                .collect();
            (server, ids)
        };
        self.required_signers()
            .unwrap_or_default()
            .into_iter()
            .map(with_ids)
            .collect()
    }

    /// Adds a server's signature, as the authoriser's server does to a restricted join before it accepts it. Nobody but
    /// the caller sees the signature until the event has been verified and authorised.
    /// spec: `server-server-api §Restricted rooms`
    ///
    /// # Errors
    /// [`FormatError::TooLarge`] when the signature makes the event too large.
    pub fn co_sign(&self, server: &ServerName, key: &SigningKey) -> Result<Self, FormatError> {
        let text = co_signed(self.event.rules(), self.event.json(), server, key);
        let signed = Self::parse(text.as_bytes(), self.event.room_version())?;
        Ok(Self {
            unsigned: self.unsigned.clone(),
            was_redacted: self.was_redacted,
            ..signed
        })
    }

    /// Verifies the signatures of all servers that must have signed.
    ///
    /// # Errors
    /// The inner [`SignatureError`]: the event is to be dropped, or with [`SignatureError::NoUsableKey`] tried
    /// again when the keys have been fetched. The outer error is the lookup's.
    pub fn verify<K: KeyLookup>(self, keys: &K) -> Result<Result<CheckedEvent, SignatureError>, K::Error> {
        let at_ts = if self.event.rules().key_validity {
            self.event.origin_server_ts()
        } else {
            i64::MIN
        };
        for server in self.required_signers().unwrap_or_default() {
            let signatures = self.signatures_of(&server);
            if let Err(error) = verify_text(self.signed.as_bytes(), &signatures, &server, keys, at_ts)? {
                return Ok(Err(error));
            }
        }
        Ok(Ok(CheckedEvent::verified(
            self.event,
            self.unsigned,
            self.was_redacted,
        )))
    }

    fn signatures_of(&self, server: &ServerName) -> Vec<(String, String)> {
        signatures_of(&self.signatures, server.as_str())
    }

    /// spec: `server-server-api §Validating hashes and signatures on received events`
    ///
    /// What is asked for is decided on the form that is kept. Otherwise a third-party invite with a wrong hash
    /// would be excused from its sender's signature and then, redacted, pass for an ordinary invite.
    fn required_signers(&self) -> Result<Vec<ServerName>, FormatError> {
        let event = &self.event;
        let mut signers = Vec::new();
        if !is_third_party_invite(event) {
            signers.push(event.sender().server_name());
        }
        if event.rules().references_are_pairs() {
            let error = |error| FormatError::Identifier {
                field: "event_id",
                error,
            };
            signers.push(ServerName::parse(event.event_id().domain().unwrap_or("")).map_err(error)?);
        }
        signers.extend(join_authoriser(event)?.map(|user| user.server_name()));
        signers.sort();
        signers.dedup();
        Ok(signers)
    }
}

/// The canonical text of the event without `unsigned`.
fn canonical_text(bytes: &[u8], object: &Map, version: RoomVersion) -> Result<String, CanonicalError> {
    if version.rules().strict_json {
        return object_to_canonical(object, Mode::Strict, MAX_NESTING_RECEIVED);
    }
    lenient_from_bytes(bytes).map(|text| without(&text, &["unsigned"]))
}

fn id_of(fields: &Fields, redacted: &str, version: RoomVersion) -> Result<EventId, FormatError> {
    let computed = || event_id(version.rules(), &reference_hash_of_redacted(redacted));
    fields
        .event_id
        .clone()
        .or_else(computed)
        .ok_or(FormatError::Missing { field: "event_id" })
}

/// Whether the content hash is right. One that is no Base64 is an event that no server made.
fn content_hash_matches(text: &str) -> Result<bool, FormatError> {
    let claimed = claimed_content_hash(text).ok_or(FormatError::Missing {
        field: "hashes.sha256",
    })?;
    let claimed = claimed.ok_or(FormatError::WrongType {
        field: "hashes.sha256",
    })?;
    Ok(claimed == content_hash_of_text(text))
}

fn kept_unsigned(unsigned: Option<Value>, kind: &str) -> Map {
    let Some(Value::Object(unsigned)) = unsigned else {
        return Map::new();
    };
    let kept = |key: &str| {
        UNSIGNED_KEPT.contains(&key) || (kind == "m.room.member" && UNSIGNED_KEPT_ON_MEMBERS.contains(&key))
    };
    unsigned.into_iter().filter(|(key, _)| kept(key)).collect()
}

/// An invite that an identity server vouches for, which need not carry its sender's signature.
fn is_third_party_invite(event: &Event) -> bool {
    event.membership() == Some(Membership::Invite) && event.content().contains_key("third_party_invite")
}

/// The user whose server must have signed a restricted join too.
///
/// Only for `m.room.member` joins, as Synapse does it. The rule's text covers every membership event and ruma
/// demands the signature on any event that has the key, which would let one sender split the room.
/// spec: `rooms/v8 §Authorisation rules` 4.2
fn join_authoriser(event: &Event) -> Result<Option<UserId>, FormatError> {
    if !event.rules().auth.restricted || event.membership() != Some(Membership::Join) {
        return Ok(None);
    }
    let Some(authoriser) = event.content().get("join_authorised_via_users_server") else {
        return Ok(None);
    };
    let user = authoriser.as_str().and_then(|text| UserId::parse(text).ok());
    user.map(Some).ok_or(FormatError::Authoriser)
}
