//! Content hashes and reference hashes. spec: `server-server-api §Signing Events`.

use base64::Engine as _;
use sha2::{Digest as _, Sha256};

use crate::Map;
use crate::canonical::members::{member, members};
use crate::canonical::{CanonicalError, Mode, object_to_canonical};
use crate::id::EventId;
use crate::key::encoding::{STANDARD, URL_SAFE};
use crate::limits::MAX_NESTING_RECEIVED;
use crate::redact::redact_text;
use crate::version::{EventIdFormat, RoomVersion, Rules};

#[cfg(test)]
mod tests;

/// A SHA-256 hash.
pub type Hash = [u8; 32];

/// The hash of everything in the event but `unsigned`, `signatures` and `hashes`.
/// spec: `server-server-api §Calculating the content hash for an event`
///
/// # Errors
/// [`CanonicalError`] when the event has no canonical form in this room version.
pub fn content_hash(version: RoomVersion, event: &Map) -> Result<Hash, CanonicalError> {
    let text = object_to_canonical(event, Mode::of(version.rules()), MAX_NESTING_RECEIVED)?;
    Ok(content_hash_of_text(&text))
}

/// The hash of the redacted event without `signatures` and `unsigned`.
/// spec: `server-server-api §Calculating the reference hash for an event`
///
/// # Errors
/// [`CanonicalError`] when the event has no canonical form in this room version.
pub fn reference_hash(version: RoomVersion, event: &Map) -> Result<Hash, CanonicalError> {
    let rules = version.rules();
    let text = object_to_canonical(event, Mode::of(rules), MAX_NESTING_RECEIVED)?;
    Ok(reference_hash_of_redacted(&redact_text(rules, &text)))
}

/// [`content_hash`] of canonical text.
pub(crate) fn content_hash_of_text(event: &str) -> Hash {
    hash_without(event, &["hashes", "signatures", "unsigned"])
}

/// [`reference_hash`] of canonical text that is already redacted.
pub(crate) fn reference_hash_of_redacted(redacted: &str) -> Hash {
    hash_without(redacted, &["signatures", "unsigned"])
}

/// Hashes a canonical object as if some members were not there, without copying it.
fn hash_without(object: &str, left_out: &[&str]) -> Hash {
    let mut hasher = Sha256::new();
    let mut separator = "{\"";
    for (key, value) in members(object).filter(|(key, _)| !left_out.contains(key)) {
        for piece in [separator, key, "\":", value] {
            hasher.update(piece.as_bytes());
        }
        separator = ",\"";
    }
    hasher.update(if separator == "{\"" { "{}" } else { "}" }.as_bytes());
    hasher.finalize().into()
}

/// The event id that a reference hash makes. `None` in room versions 1 and 2, where ids are chosen.
/// spec: `rooms §Event IDs`
#[must_use]
pub fn event_id(rules: &Rules, reference_hash: &Hash) -> Option<EventId> {
    let encoded = match rules.event_id {
        EventIdFormat::Field => return None,
        EventIdFormat::Hash => STANDARD.encode(reference_hash),
        EventIdFormat::UrlSafeHash => URL_SAFE.encode(reference_hash),
    };
    EventId::parse(format!("${encoded}")).ok()
}

/// What the event says its content hash is: `None` without a string at `hashes.sha256`, `Some(None)` when that
/// is not Base64.
pub(crate) fn claimed_content_hash(event: &str) -> Option<Option<Vec<u8>>> {
    let claimed: String = serde_json::from_str(member(member(event, "hashes")?, "sha256")?).ok()?;
    Some(STANDARD.decode(claimed).ok())
}
