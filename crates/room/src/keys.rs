//! The keys that come with received events.

use selvage_event::{Event, PublicKey, ServerName, VerifyKeys};
use selvage_object::Fault;
use selvage_protocol::federation::ServerKey;

use crate::accept::Work;
use crate::error::json;

impl Work<'_, '_> {
    /// The keys to verify with. Of this server itself, its own keys count and nobody's word about them.
    pub(crate) fn verify_keys(&self, keys: &[ServerKey]) -> VerifyKeys {
        let identity = &self.room.identity;
        let mut verify = identity.verify_keys();
        for key in keys {
            let public = PublicKey::from_base64(&key.public_key, key.valid_until_ts);
            if let (Ok(server), Ok(public)) = (ServerName::parse(&key.server), public)
                && server != identity.server_name
            {
                verify.insert(&server, &key.key_id, public);
            }
        }
        verify
    }
}

/// Those keys that can have to do with an event: what is kept while it waits.
pub(crate) fn of(event: &Event, keys: &[ServerKey]) -> Vec<ServerKey> {
    let text = event.json();
    let signs = |key: &&ServerKey| text.contains(&key.key_id) && text.contains(&key.server);
    keys.iter().filter(signs).cloned().collect()
}

/// The stored form.
pub(crate) fn write(keys: &[ServerKey]) -> Result<String, Fault> {
    serde_json::to_string(keys).map_err(|error| json(&error))
}

/// Reads the stored form.
pub(crate) fn read(text: &str) -> Result<Vec<ServerKey>, Fault> {
    serde_json::from_str(text).map_err(|error| Fault::corrupt(format!("keys: {error}")))
}
