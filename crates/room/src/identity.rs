//! Who this server is, as rooms need to know it.

use selvage_event::{PublicKey, ServerName, SigningKey, VerifyKeys};
use selvage_protocol::server::OldKey;

/// The server's name and the key that it signs events with. A copy: its home is the server object.
#[derive(Debug)]
pub struct Identity {
    pub(crate) server_name: ServerName,
    pub(crate) key: SigningKey,
    old_keys: Vec<(String, PublicKey)>,
}

impl Identity {
    /// The identity of this name and key.
    #[must_use]
    pub const fn new(server_name: ServerName, key: SigningKey) -> Self {
        Self {
            server_name,
            key,
            old_keys: Vec::new(),
        }
    }

    /// The identity, with the keys that it signed with before: they verify what other servers give back of that time.
    #[must_use]
    pub fn with_old_keys(mut self, old_keys: &[OldKey]) -> Self {
        let read = |old: &OldKey| {
            let expired_ts = i64::try_from(old.expired_ts).unwrap_or(i64::MAX);
            let key = PublicKey::from_base64(&old.public_key, expired_ts).ok()?;
            Some((old.key_id.clone(), key))
        };
        self.old_keys = old_keys.iter().filter_map(read).collect();
        self
    }

    /// This server's own keys, to verify what it made itself; the present one is valid for ever.
    pub(crate) fn verify_keys(&self) -> VerifyKeys {
        let mut keys = VerifyKeys::new();
        keys.insert(
            &self.server_name,
            self.key.key_id(),
            self.key.public_key(i64::MAX),
        );
        for (key_id, key) in &self.old_keys {
            keys.insert(&self.server_name, key_id, key.clone());
        }
        keys
    }

    /// Whether a user is one of this server's.
    pub(crate) fn is_local(&self, user_id: &str) -> bool {
        user_id
            .split_once(':')
            .is_some_and(|(_, server)| server == self.server_name.as_str())
    }
}
