//! The documents in which servers publish their keys. spec: `server-server-api §publishing-keys`

use selvage_event::canonical::{parse_object, to_canonical};
use selvage_event::key::is_ed25519_key_id;
use selvage_event::{Map, PublicKey, ServerName};
use selvage_object::Timestamp;
use selvage_protocol::destination::HeldKey;
use serde_json::Value;

/// The most bytes that a document has.
pub(crate) const DOCUMENT_MAX_BYTES: usize = 65_536;
/// The most current keys in a document. Servers have one, and two while they change it.
const CURRENT_KEYS_MAX: usize = 16;
/// How long a key is trusted at the most without being fetched again, in milliseconds: seven days.
const TRUSTED_MAX_MS: u64 = 7 * 24 * 3_600_000;

/// A document that a server signed with every current key that it lists.
#[derive(Debug)]
pub(crate) struct KeyDocument {
    /// The server's keys, current ones first.
    pub(crate) keys: Vec<HeldKey>,
    /// Until when the current keys are valid, in milliseconds since 1970, as the server says.
    pub(crate) valid_until_ts: i64,
    /// All that it says.
    pub(crate) object: Map,
}

/// Why a document is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DocumentError {
    #[error("no JSON object")]
    NotAnObject,
    #[error("the keys of another server")]
    OtherServer,
    #[error("no time until which it is valid")]
    NoValidity,
    #[error("no current key, or too many")]
    NoKeys,
    #[error("a current key did not sign it")]
    NotSigned,
}

impl KeyDocument {
    /// Reads and verifies a document that came at `now`. Whether it has run out is the caller's question.
    ///
    /// # Errors
    /// [`DocumentError`].
    pub(crate) fn verified(bytes: &[u8], server: &ServerName, now: Timestamp) -> Result<Self, DocumentError> {
        let object = parse_object(bytes).map_err(|_| DocumentError::NotAnObject)?;
        Self::of_object(object, server, now)
    }

    /// As [`KeyDocument::verified`].
    ///
    /// # Errors
    /// [`DocumentError`].
    pub(crate) fn of_object(object: Map, server: &ServerName, now: Timestamp) -> Result<Self, DocumentError> {
        if object.get("server_name").and_then(Value::as_str) != Some(server.as_str()) {
            return Err(DocumentError::OtherServer);
        }
        let valid_until_ts = object.get("valid_until_ts").and_then(Value::as_i64);
        let valid_until_ts = valid_until_ts.ok_or(DocumentError::NoValidity)?;
        let mut keys = current_keys(&object, valid_until_ts.clamp(0, longest(now)));
        if keys.is_empty() || keys.len() > CURRENT_KEYS_MAX {
            return Err(DocumentError::NoKeys);
        }
        if !is_signed_by_all(&object, server, &keys) {
            return Err(DocumentError::NotSigned);
        }
        let old = old_keys(&object, now);
        keys.extend(old.filter(|old| !keys_has(&object, &old.key_id)));
        Ok(Self {
            keys,
            valid_until_ts,
            object,
        })
    }

    /// The document, as the server signed it.
    pub(crate) fn to_json(&self) -> Option<Box<serde_json::value::RawValue>> {
        serde_json::value::to_raw_value(&self.object).ok()
    }
}

fn longest(now: Timestamp) -> i64 {
    i64::try_from(now.plus_ms(TRUSTED_MAX_MS).0).unwrap_or(i64::MAX)
}

fn keys_has(object: &Map, key_id: &str) -> bool {
    members(object, "verify_keys").any(|(id, _)| id == key_id)
}

fn members<'a>(object: &'a Map, name: &str) -> impl Iterator<Item = (&'a String, &'a Value)> + use<'a> {
    object.get(name).and_then(Value::as_object).into_iter().flatten()
}

/// The current Ed25519 keys. Those of other algorithms are not understood and passed over.
fn current_keys(object: &Map, valid_until_ts: i64) -> Vec<HeldKey> {
    let keys = members(object, "verify_keys").filter(|(id, _)| is_ed25519_key_id(id));
    keys.filter_map(|(id, value)| held(id, value, valid_until_ts, false))
        .collect()
}

/// The old keys, good until they expired, which was not in the future.
fn old_keys(object: &Map, now: Timestamp) -> impl Iterator<Item = HeldKey> {
    let now = i64::try_from(now.0).unwrap_or(i64::MAX);
    members(object, "old_verify_keys").filter_map(move |(id, value)| {
        let expired_ts = value.get("expired_ts").and_then(Value::as_i64)?;
        held(id, value, expired_ts.clamp(0, now), true).filter(|key| is_ed25519_key_id(&key.key_id))
    })
}

fn held(key_id: &str, value: &Value, valid_until_ts: i64, expired: bool) -> Option<HeldKey> {
    let text = value.get("key").and_then(Value::as_str)?;
    let key = PublicKey::from_base64(text, valid_until_ts).ok()?;
    Some(HeldKey {
        key_id: key_id.to_owned(),
        public_key: key.to_base64(),
        valid_until_ts,
        expired,
    })
}

fn is_signed_by_all(object: &Map, server: &ServerName, keys: &[HeldKey]) -> bool {
    signed_text(object).is_some_and(|text| {
        keys.iter()
            .all(|key| is_signed_by(object, &text, server, key) == Some(true))
    })
}

/// What the signatures of an object cover.
pub(crate) fn signed_text(object: &Map) -> Option<String> {
    let mut covered = object.clone();
    covered.remove("signatures");
    covered.remove("unsigned");
    to_canonical(&covered).ok()
}

/// Whether the signature with a key is good; `None` when there is none.
pub(crate) fn is_signed_by(object: &Map, text: &str, server: &ServerName, key: &HeldKey) -> Option<bool> {
    let signatures = object.get("signatures")?.get(server.as_str())?;
    let signature = signatures.get(&key.key_id)?.as_str()?;
    let key = PublicKey::from_base64(&key.public_key, key.valid_until_ts).ok()?;
    Some(key.verifies(text.as_bytes(), signature))
}
