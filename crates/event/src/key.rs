//! Signing keys, and the signatures that they make and verify. spec: `appendices §Signing JSON`.

use std::collections::BTreeMap;
use std::convert::Infallible;

use base64::Engine as _;
use ed25519_dalek::{Signature, VerifyingKey};

use crate::canonical::CanonicalError;
use crate::id::ServerName;

pub(crate) mod encoding;
mod json;
mod signing;
#[cfg(test)]
mod tests;

pub use json::{sign_json, verify_json};
pub(crate) use json::{signatures_of, verify_text};
pub use signing::{KeyError, SigningKey};

/// The prefix of the ids of Ed25519 keys; keys of other algorithms are not understood and passed over.
pub const ED25519_PREFIX: &str = "ed25519:";

/// The public half of a signing key, and how long it holds.
#[derive(Debug, Clone)]
pub struct PublicKey {
    key: VerifyingKey,
    /// The last moment (milliseconds since 1970) whose events this key may sign. For a current key, the lesser of
    /// its `valid_until_ts` and seven days after it was fetched; for an old key its `expired_ts`.
    /// spec: `rooms/v5 §Signing key validity period`
    pub valid_until_ts: i64,
}

impl PublicKey {
    /// Takes 32 bytes as a public key.
    ///
    /// # Errors
    /// [`KeyError::PublicKey`] when the bytes are no point of the curve.
    pub fn from_bytes(bytes: &[u8], valid_until_ts: i64) -> Result<Self, KeyError> {
        let bytes: &[u8; 32] = bytes.try_into().map_err(|_| KeyError::PublicKey)?;
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| KeyError::PublicKey)?;
        Ok(Self { key, valid_until_ts })
    }

    /// Takes Base64 (standard alphabet, padding or none) as a public key.
    ///
    /// # Errors
    /// [`KeyError::PublicKey`].
    pub fn from_base64(text: &str, valid_until_ts: i64) -> Result<Self, KeyError> {
        let bytes = encoding::STANDARD.decode(text).map_err(|_| KeyError::PublicKey)?;
        Self::from_bytes(&bytes, valid_until_ts)
    }

    /// The key as unpadded Base64.
    #[must_use]
    pub fn to_base64(&self) -> String {
        encoding::STANDARD.encode(self.key.as_bytes())
    }

    /// Whether the Base64 `signature` of `message` was made by this key.
    ///
    /// Verification is strict (no small-order points, canonical scalars), like libsodium's, which the rest of the
    /// network uses: an adversary's odd key must not verify here and fail there.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &str) -> bool {
        encoding::STANDARD
            .decode(signature)
            .ok()
            .and_then(|bytes| Signature::from_slice(&bytes).ok())
            .is_some_and(|signature| self.key.verify_strict(message, &signature).is_ok())
    }
}

/// Where the public keys of servers are looked up.
pub trait KeyLookup {
    /// What goes wrong in looking up; [`Infallible`] for keys in memory.
    type Error;

    /// The key of that server with that id (`ed25519:…`), if it is known.
    ///
    /// # Errors
    /// Whatever goes wrong in looking up.
    fn public_key(&self, server: &str, key_id: &str) -> Result<Option<PublicKey>, Self::Error>;
}

/// Public keys in memory.
#[derive(Debug, Clone, Default)]
pub struct VerifyKeys {
    keys: BTreeMap<String, BTreeMap<String, PublicKey>>,
}

impl VerifyKeys {
    /// No keys.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a key. An id that is there already is replaced.
    pub fn insert(&mut self, server: &ServerName, key_id: &str, key: PublicKey) {
        self.keys
            .entry(server.as_str().to_owned())
            .or_default()
            .insert(key_id.to_owned(), key);
    }
}

impl KeyLookup for VerifyKeys {
    type Error = Infallible;
    fn public_key(&self, server: &str, key_id: &str) -> Result<Option<PublicKey>, Infallible> {
        Ok(self.keys.get(server).and_then(|keys| keys.get(key_id)).cloned())
    }
}

/// Why an object does not count as signed by a server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The server has no Ed25519 signature on it.
    #[error("no signature of {server}")]
    Missing {
        /// Who should have signed.
        server: ServerName,
    },
    /// There are signatures, but by no key that is known and was valid at the time. Worth fetching the keys.
    #[error("no usable key among {key_ids:?} of {server}")]
    NoUsableKey {
        /// Who signed.
        server: ServerName,
        /// The ids of the keys that are unknown or were expired.
        key_ids: Vec<String>,
    },
    /// A signature by a known, valid key is wrong.
    #[error("wrong signature of {server} with {key_id}")]
    Wrong {
        /// Who is said to have signed.
        server: ServerName,
        /// The key it is said to have used.
        key_id: String,
    },
    /// What is signed has no canonical form.
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
}

/// Whether a key id is one of Ed25519 with a well-formed version. spec: `server-server-api §Publishing Keys`
#[must_use]
pub fn is_ed25519_key_id(key_id: &str) -> bool {
    let word = |c: u8| c.is_ascii_alphanumeric() || c == b'_';
    key_id
        .strip_prefix(ED25519_PREFIX)
        .is_some_and(|version| !version.is_empty() && version.bytes().all(word))
}
