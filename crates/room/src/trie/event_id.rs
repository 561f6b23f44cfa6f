//! Event ids, packed.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

/// An event id: its hash where the id is nothing else (room versions 4 and later), its text otherwise.
///
/// An id has one packed form; [`PackedId::text_of`] refuses a text that has the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PackedId {
    /// `$` and these bytes in unpadded url-safe base64.
    Hash([u8; 32]),
    /// Any other id.
    Text(Arc<str>),
}

impl PackedId {
    pub(super) fn new(event_id: &str) -> Self {
        hash_in(event_id).map_or_else(|| Self::Text(event_id.into()), Self::Hash)
    }

    /// The id that is stored as text, if such an id would be.
    pub(super) fn text_of(event_id: &str) -> Option<Self> {
        hash_in(event_id).is_none().then(|| Self::Text(event_id.into()))
    }

    /// Its length as stored, in bytes, without the mark before it.
    pub(super) fn packed_bytes(&self) -> usize {
        match self {
            Self::Hash(hash) => hash.len(),
            Self::Text(text) => text.len(),
        }
    }

    pub(super) fn event_id(&self) -> String {
        match self {
            Self::Hash(hash) => format!("${}", URL_SAFE_NO_PAD.encode(hash)),
            Self::Text(text) => text.to_string(),
        }
    }
}

/// The decoder refuses padding and stray bits at the end, so a hash has one text.
fn hash_in(event_id: &str) -> Option<[u8; 32]> {
    let encoded = event_id.strip_prefix('$').filter(|encoded| encoded.len() == 43)?;
    URL_SAFE_NO_PAD.decode(encoded).ok()?.try_into().ok()
}
