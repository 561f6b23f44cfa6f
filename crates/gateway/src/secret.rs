//! The server's message authentication codes, with which the gateway recognises what it gave out itself.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The bytes of a code.
pub(crate) const TAG_BYTES: usize = 32;

/// The key of the server's own codes.
#[derive(Clone)]
pub(crate) struct MacKey([u8; 32]);

impl MacKey {
    pub(crate) const fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// The code of some parts, good for one purpose and this very division into parts.
    pub(crate) fn tag(&self, purpose: &str, parts: &[&[u8]]) -> [u8; TAG_BYTES] {
        self.mac(purpose, parts).finalize().into_bytes().into()
    }

    /// Whether `tag` is the code of these parts; takes equally long whichever byte is wrong.
    pub(crate) fn verifies(&self, purpose: &str, parts: &[&[u8]], tag: &[u8]) -> bool {
        self.mac(purpose, parts).verify_slice(tag).is_ok()
    }

    fn mac(&self, purpose: &str, parts: &[&[u8]]) -> Hmac<Sha256> {
        /// The block of SHA-256, up to which HMAC pads keys with zeros.
        const BLOCK_BYTES: usize = 64;
        let mut block = [0; BLOCK_BYTES];
        block.iter_mut().zip(self.0).for_each(|(to, from)| *to = from);
        let mut mac = Hmac::<Sha256>::new(&block.into());
        for part in std::iter::once(&purpose.as_bytes()).chain(parts) {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_bound_to_purpose_and_division() {
        let key = MacKey::new([1; 32]);
        let tag = key.tag("a", &[b"bc", b"d"]);
        assert!(key.verifies("a", &[b"bc", b"d"], &tag));
        assert!(!key.verifies("ab", &[b"c", b"d"], &tag));
        assert!(!key.verifies("a", &[b"b", b"cd"], &tag));
        assert!(!key.verifies("a", &[b"bc", b"d"], &tag[..31]));
        assert!(!MacKey::new([2; 32]).verifies("a", &[b"bc", b"d"], &tag));
    }
}
