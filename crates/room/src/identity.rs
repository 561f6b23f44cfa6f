//! Who this server is, as rooms need to know it.

use selvage_event::{ServerName, SigningKey, VerifyKeys};

/// The server's name and the key that it signs events with. A copy: its home is the server object.
#[derive(Debug)]
pub struct Identity {
    pub(crate) server_name: ServerName,
    pub(crate) key: SigningKey,
}

impl Identity {
    /// The identity of this name and key.
    #[must_use]
    pub const fn new(server_name: ServerName, key: SigningKey) -> Self {
        Self { server_name, key }
    }

    /// This server's own key, valid for ever, to verify what it made itself.
    pub(crate) fn verify_keys(&self) -> VerifyKeys {
        let mut keys = VerifyKeys::new();
        keys.insert(
            &self.server_name,
            self.key.key_id(),
            self.key.public_key(i64::MAX),
        );
        keys
    }

    /// Whether a user is one of this server's.
    pub(crate) fn is_local(&self, user_id: &str) -> bool {
        user_id
            .split_once(':')
            .is_some_and(|(_, server)| server == self.server_name.as_str())
    }
}
