//! The fields of an event, taken out of JSON and checked. spec: `rooms §Event format`.

use std::str::FromStr;

use serde_json::Value;

use super::FormatError;
use crate::Map;
use crate::id::{EventId, IdError, RoomId, UserId};
use crate::limits::{MAX_AUTH_EVENTS, MAX_ID_BYTES, MAX_PREV_EVENTS};
use crate::version::{EventIdFormat, Rules};

/// What an event says, checked for shape only.
pub(crate) struct Fields {
    pub(crate) room_id: Option<RoomId>,
    pub(crate) event_id: Option<EventId>,
    pub(crate) sender: UserId,
    pub(crate) kind: Box<str>,
    pub(crate) state_key: Option<Box<str>>,
    pub(crate) content: Map,
    pub(crate) prev_events: Vec<EventId>,
    pub(crate) auth_events: Vec<EventId>,
    pub(crate) depth: i64,
    pub(crate) origin_server_ts: i64,
    pub(crate) redacts: Option<EventId>,
    pub(crate) oversized: bool,
}

impl Fields {
    pub(crate) fn parse(mut object: Map, rules: &Rules) -> Result<Self, FormatError> {
        let content = match object.remove("content") {
            Some(Value::Object(content)) => content,
            Some(_) => return Err(FormatError::WrongType { field: "content" }),
            None => return Err(FormatError::Missing { field: "content" }),
        };
        check_signing_fields(&object)?;
        let (kind, kind_oversized) = short_text(required(&object, "type")?, "type", rules)?;
        let (state_key, key_oversized) = state_key(&object, rules)?;
        let redacts = redacts(&object, &content, &kind, rules);
        Ok(Self {
            room_id: room_id(&object)?,
            event_id: event_id(&object, rules)?,
            sender: identifier("sender", string(required(&object, "sender")?, "sender")?)?,
            kind,
            state_key,
            content,
            prev_events: references(&object, "prev_events", MAX_PREV_EVENTS, rules)?,
            auth_events: references(&object, "auth_events", MAX_AUTH_EVENTS, rules)?,
            depth: depth(&object, rules)?,
            origin_server_ts: integer(&object, "origin_server_ts")?,
            redacts,
            oversized: kind_oversized || key_oversized,
        })
    }

    pub(crate) fn is_create(&self) -> bool {
        &*self.kind == "m.room.create" && self.state_key.as_deref() == Some("")
    }
}

fn required<'a>(object: &'a Map, field: &'static str) -> Result<&'a Value, FormatError> {
    object.get(field).ok_or(FormatError::Missing { field })
}

fn string<'a>(value: &'a Value, field: &'static str) -> Result<&'a str, FormatError> {
    value.as_str().ok_or(FormatError::WrongType { field })
}

fn integer(object: &Map, field: &'static str) -> Result<i64, FormatError> {
    required(object, field)?
        .as_i64()
        .ok_or(FormatError::WrongType { field })
}

fn identifier<T: FromStr<Err = IdError>>(field: &'static str, text: &str) -> Result<T, FormatError> {
    text.parse()
        .map_err(|error| FormatError::Identifier { field, error })
}

/// `hashes.sha256` and `signatures` must be there; whether they are right is another check.
fn check_signing_fields(object: &Map) -> Result<(), FormatError> {
    let hashes = required(object, "hashes")?
        .as_object()
        .ok_or(FormatError::WrongType { field: "hashes" })?;
    string(
        required(hashes, "sha256").map_err(|_| FormatError::Missing {
            field: "hashes.sha256",
        })?,
        "hashes.sha256",
    )?;
    let signatures = required(object, "signatures")?;
    signatures
        .is_object()
        .then_some(())
        .ok_or(FormatError::WrongType { field: "signatures" })
}

/// A text of at most 255 bytes; in older room versions of at most 255 code points, and whether it is over 255
/// bytes: those Synapse keeps as rejected events, so that later events which name them can be placed.
fn short_text(value: &Value, field: &'static str, rules: &Rules) -> Result<(Box<str>, bool), FormatError> {
    let text = string(value, field)?;
    let oversized = text.len() > MAX_ID_BYTES;
    if oversized && (rules.strict_id_bytes || text.chars().count() > MAX_ID_BYTES) {
        return Err(FormatError::FieldTooLong { field });
    }
    Ok((text.into(), oversized))
}

fn state_key(object: &Map, rules: &Rules) -> Result<(Option<Box<str>>, bool), FormatError> {
    match object.get("state_key") {
        None => Ok((None, false)),
        Some(value) => short_text(value, "state_key", rules).map(|(key, oversized)| (Some(key), oversized)),
    }
}

fn room_id(object: &Map) -> Result<Option<RoomId>, FormatError> {
    let Some(value) = object.get("room_id") else {
        return Ok(None);
    };
    identifier("room_id", string(value, "room_id")?).map(Some)
}

/// The `event_id` field, which counts in room versions 1 and 2 only. From 3 on a field of that name is only hashed
/// like any other that redaction keeps, and never trusted.
fn event_id(object: &Map, rules: &Rules) -> Result<Option<EventId>, FormatError> {
    if rules.event_id != EventIdFormat::Field {
        return Ok(None);
    }
    let text = string(required(object, "event_id")?, "event_id")?;
    let id: EventId = identifier("event_id", text)?;
    if id.domain().is_none_or(str::is_empty) {
        return Err(FormatError::Identifier {
            field: "event_id",
            error: IdError::NoServerName,
        });
    }
    Ok(Some(id))
}

fn depth(object: &Map, rules: &Rules) -> Result<i64, FormatError> {
    let depth = integer(object, "depth")?;
    (0..=rules.max_depth)
        .contains(&depth)
        .then_some(depth)
        .ok_or(FormatError::Depth)
}

fn references(
    object: &Map,
    field: &'static str,
    most: usize,
    rules: &Rules,
) -> Result<Vec<EventId>, FormatError> {
    let entries = required(object, field)?
        .as_array()
        .ok_or(FormatError::WrongType { field })?;
    if entries.len() > most {
        return Err(FormatError::TooMany { field });
    }
    entries
        .iter()
        .map(|entry| reference(entry, field, rules))
        .collect()
}

fn reference(entry: &Value, field: &'static str, rules: &Rules) -> Result<EventId, FormatError> {
    let id = if rules.references_are_pairs() {
        entry
            .as_array()
            .and_then(|pair| pair.first())
            .ok_or(FormatError::WrongType { field })?
    } else {
        entry
    };
    identifier(field, string(id, field)?)
}

fn redacts(object: &Map, content: &Map, kind: &str, rules: &Rules) -> Option<EventId> {
    if kind != "m.room.redaction" {
        return None;
    }
    let target = if rules.redacts_in_content {
        content.get("redacts")
    } else {
        object.get("redacts")
    };
    target
        .and_then(Value::as_str)
        .and_then(|id| EventId::parse(id).ok())
}
