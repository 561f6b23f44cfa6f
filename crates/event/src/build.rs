//! Making events here. spec: `server-server-api §Adding hashes and signatures to outgoing events`.

use base64::Engine as _;
use serde_json::Value;

use crate::Map;
use crate::canonical::members::{member, with_member, without};
use crate::canonical::{Mode, object_to_canonical};
use crate::event::FormatError;
use crate::hash::content_hash_of_text;
use crate::id::{EventId, RoomId, ServerName, UserId};
use crate::key::SigningKey;
use crate::key::encoding::STANDARD;
use crate::limits::MAX_NESTING_BUILT;
use crate::pipeline::CheckedEvent;
use crate::redact::redact_text;
use crate::version::{RoomVersion, Rules};

#[cfg(test)]
mod tests;

/// An event to be made.
#[derive(Debug, Clone)]
pub struct Template {
    /// The room; `None` for the create event of version 12, whose room id comes of its hash.
    pub room_id: Option<RoomId>,
    /// The user who sends it.
    pub sender: UserId,
    /// The `type`.
    pub kind: String,
    /// The state key of a state event.
    pub state_key: Option<String>,
    /// The content.
    pub content: Map,
    /// The forward extremities that it follows, at most [`crate::limits::MAX_PREV_EVENTS`].
    pub prev_events: Vec<EventId>,
    /// The events of the state that [`crate::auth_types_for`] selects.
    pub auth_events: Vec<EventId>,
    /// One more than the greatest depth of `prev_events`; clamped to the room version's limit.
    pub depth: i64,
    /// Milliseconds since 1970.
    pub origin_server_ts: i64,
    /// The target of a redaction; written where the room version wants it.
    pub redacts: Option<EventId>,
}

impl Template {
    /// Hashes and signs the event, finds its id, and runs the checks of form and size that every event meets.
    ///
    /// In room versions 1 and 2 the id is chosen and not computed: it is made of the content hash, and references
    /// to other events carry no hashes, which no server verifies.
    ///
    /// # Errors
    /// [`FormatError`]; [`FormatError::is_too_large`] tells the 413 of the client API from its 400.
    pub fn build(
        self,
        version: RoomVersion,
        server: &ServerName,
        key: &SigningKey,
    ) -> Result<CheckedEvent, FormatError> {
        let rules = version.rules();
        let mut text = object_to_canonical(&self.into_object(rules), Mode::of(rules), MAX_NESTING_BUILT)?;
        if rules.references_are_pairs() {
            text = with_chosen_id(&text, server);
        }
        let hash = STANDARD.encode(content_hash_of_text(&text));
        text = with_member(&text, "hashes", &format!("{{\"sha256\":\"{hash}\"}}"));
        let signature = key.sign_bytes(signed_text(rules, &text).as_bytes());
        let signatures = format!("{{\"{server}\":{{\"{}\":\"{signature}\"}}}}", key.key_id());
        CheckedEvent::from_built(with_member(&text, "signatures", &signatures), version)
    }

    fn into_object(mut self, rules: &Rules) -> Map {
        let mut object = Map::new();
        let mut put = |key: &str, value: Value| object.insert(key.to_owned(), value);
        if let Some(target) = self.redacts {
            let target = Value::String(target.into());
            if rules.redacts_in_content {
                self.content.insert("redacts".to_owned(), target);
            } else {
                put("redacts", target);
            }
        }
        if let Some(room_id) = self.room_id {
            put("room_id", Value::String(room_id.into()));
        }
        if let Some(state_key) = self.state_key {
            put("state_key", Value::String(state_key));
        }
        put("sender", Value::String(self.sender.into()));
        put("type", Value::String(self.kind));
        put("content", Value::Object(self.content));
        put("prev_events", references(&self.prev_events, rules));
        put("auth_events", references(&self.auth_events, rules));
        put("depth", Value::from(self.depth.clamp(0, rules.max_depth)));
        put("origin_server_ts", Value::from(self.origin_server_ts));
        object
    }
}

/// What a server signs: the redacted event without `signatures` and `unsigned`.
pub(crate) fn signed_text(rules: &Rules, event: &str) -> String {
    without(&redact_text(rules, event), &["signatures", "unsigned"])
}

/// The event with an id of our own making, as room versions 1 and 2 want it.
fn with_chosen_id(text: &str, server: &ServerName) -> String {
    let opaque = crate::key::encoding::URL_SAFE.encode(content_hash_of_text(text));
    with_member(text, "event_id", &format!("\"${opaque}:{server}\""))
}

fn references(ids: &[EventId], rules: &Rules) -> Value {
    let reference = |id: &EventId| {
        let id = Value::String(id.as_str().to_owned());
        if rules.references_are_pairs() {
            Value::Array(vec![id, Value::Object(Map::new())])
        } else {
            id
        }
    };
    ids.iter().map(reference).collect()
}

/// The id of the room that a create event makes: computed in version 12, its field before.
#[must_use]
pub fn room_id_of_create(create: &CheckedEvent) -> RoomId {
    create.event().room_id().clone()
}

/// Adds a server's signature to the canonical text of an event.
pub(crate) fn co_signed(rules: &Rules, event: &str, server: &ServerName, key: &SigningKey) -> String {
    let signature = key.sign_bytes(signed_text(rules, event).as_bytes());
    let all = member(event, "signatures").unwrap_or("{}");
    let of_server = member(all, server.as_str()).unwrap_or("{}");
    let of_server = with_member(of_server, key.key_id(), &format!("\"{signature}\""));
    with_member(
        event,
        "signatures",
        &with_member(all, server.as_str(), &of_server),
    )
}
