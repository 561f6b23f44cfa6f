//! The private half.

use std::fmt;

use base64::Engine as _;
use ed25519_dalek::Signer as _;

use super::{PublicKey, encoding, is_ed25519_key_id};
use crate::Map;
use crate::canonical::CanonicalError;
use crate::id::ServerName;

/// Why something is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not `ed25519:` and at least one of `[a-zA-Z0-9_]`.
    #[error("malformed key id")]
    KeyId,
    /// Not the Base64 of a point of the curve.
    #[error("malformed public key")]
    PublicKey,
}

/// A key that signs. Wiped from memory when dropped.
#[derive(Clone)]
pub struct SigningKey {
    key_id: String,
    key: ed25519_dalek::SigningKey,
}

impl SigningKey {
    /// Makes the key that belongs to a seed of 32 bytes, which must come from a secure source of randomness.
    ///
    /// # Errors
    /// [`KeyError::KeyId`] when `key_id` is not `ed25519:` followed by `[a-zA-Z0-9_]+`.
    pub fn from_seed(key_id: &str, seed: &[u8; 32]) -> Result<Self, KeyError> {
        if !is_ed25519_key_id(key_id) {
            return Err(KeyError::KeyId);
        }
        Ok(Self {
            key_id: key_id.to_owned(),
            key: ed25519_dalek::SigningKey::from_bytes(seed),
        })
    }

    /// The key's id, `ed25519:…`.
    #[must_use]
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// The secret that the key is made of. For storage only.
    #[must_use]
    pub fn seed(&self) -> [u8; 32] {
        self.key.to_bytes()
    }

    /// The public half as unpadded Base64, as `/key/v2/server` publishes it.
    #[must_use]
    pub fn public_key_base64(&self) -> String {
        encoding::STANDARD.encode(self.key.verifying_key().as_bytes())
    }

    /// The public half, said to be valid until `valid_until_ts` (milliseconds since 1970).
    #[must_use]
    pub fn public_key(&self, valid_until_ts: i64) -> PublicKey {
        PublicKey {
            key: self.key.verifying_key(),
            valid_until_ts,
        }
    }

    /// The signature of some bytes as unpadded Base64.
    #[must_use]
    pub fn sign_bytes(&self, message: &[u8]) -> String {
        encoding::STANDARD.encode(self.key.sign(message).to_bytes())
    }

    /// Signs an object (not an event, see [`crate::Template`]) and adds the signature to it.
    /// spec: `appendices §Signing Details`
    ///
    /// # Errors
    /// [`CanonicalError`] when the object has no canonical form; it is then unchanged.
    pub fn sign_json(&self, server: &ServerName, object: &mut Map) -> Result<(), CanonicalError> {
        super::sign_json(object, server, self)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}
