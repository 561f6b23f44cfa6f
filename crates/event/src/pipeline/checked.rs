//! An event that passed format, size, hash and signatures.

use crate::Map;
use crate::build::co_signed;
use crate::canonical::parse_object;
use crate::event::{Event, Fields, FormatError};
use crate::hash::{event_id, reference_hash_of_redacted};
use crate::id::ServerName;
use crate::key::SigningKey;
use crate::limits::MAX_EVENT_BYTES;
use crate::redact::redact_text;
use crate::version::RoomVersion;

/// An event that is well-formed and signed by those who must have signed it. Whether it is allowed is open.
#[derive(Debug, Clone)]
pub struct CheckedEvent {
    event: Event,
    unsigned: Map,
    was_redacted: bool,
}

impl CheckedEvent {
    pub(super) fn verified(event: Event, unsigned: Map, was_redacted: bool) -> Self {
        Self {
            event,
            unsigned,
            was_redacted,
        }
    }

    /// Takes canonical text that was hashed and signed here.
    pub(crate) fn from_built(text: String, version: RoomVersion) -> Result<Self, FormatError> {
        if text.len() > MAX_EVENT_BYTES {
            return Err(FormatError::TooLarge { bytes: text.len() });
        }
        let rules = version.rules();
        let fields = Fields::parse(parse_object(text.as_bytes())?, rules)?;
        let computed = || event_id(rules, &reference_hash_of_redacted(&redact_text(rules, &text)));
        let id = fields.event_id.clone().or_else(computed);
        let id = id.ok_or(FormatError::Missing { field: "event_id" })?;
        let event = Event::assemble(version, id, fields, text)?;
        Ok(Self {
            event,
            unsigned: Map::new(),
            was_redacted: false,
        })
    }

    /// The event.
    #[must_use]
    pub fn event(&self) -> &Event {
        &self.event
    }

    /// What the sender's server may say beside the event: `age`, and on memberships the stripped state of an
    /// invite or knock. Not signed by anybody.
    #[must_use]
    pub fn unsigned(&self) -> &Map {
        &self.unsigned
    }

    /// Whether the content hash was wrong, so that only the redacted form was kept.
    #[must_use]
    pub fn was_redacted(&self) -> bool {
        self.was_redacted
    }

    /// Adds a server's signature: to an invite by the invited user's server, to a restricted join by the
    /// authoriser's. The id stays the same. spec: `server-server-api §Inviting to a room`, `§Restricted rooms`
    ///
    /// # Errors
    /// [`FormatError::TooLarge`] when the signature makes the event too large.
    pub fn co_sign(&self, server: &ServerName, key: &SigningKey) -> Result<Self, FormatError> {
        let text = co_signed(self.event.rules(), self.event.json(), server, key);
        let signed = Self::from_built(text, self.event.room_version())?;
        Ok(Self {
            unsigned: self.unsigned.clone(),
            was_redacted: self.was_redacted,
            ..signed
        })
    }
}
