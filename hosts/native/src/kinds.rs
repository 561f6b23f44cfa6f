//! The kinds of object that this server houses. A new kind is registered here and nowhere else on this host.

use std::sync::Arc;

use selvage_destination::DestinationObject;
use selvage_event::{IdError, ServerName, SigningKey};
use selvage_object::Registry;
use selvage_protocol::server::OldKey;
use selvage_room::{Identity, RoomObject};
use selvage_server::ServerObject;
use selvage_user::UserObject;

use crate::shard::Kinds;

/// All kinds, for a server of this name and key, which signed with the others before.
pub(crate) fn all(server_name: ServerName, key: SigningKey, old_keys: Vec<OldKey>) -> Kinds {
    Arc::new(move || registry(server_name.clone(), key.clone(), &old_keys))
}

/// All kinds, to look at data and not to serve them: the identity is nobody's.
pub(crate) fn to_look_at() -> Result<Registry, IdError> {
    let name = ServerName::parse("nobody.invalid")?;
    SigningKey::from_seed("ed25519:nobody", &[0; 32])
        .map(|key| registry(name, key, &[]))
        .map_err(|_| IdError::ServerName)
}

fn registry(server_name: ServerName, key: SigningKey, old_keys: &[OldKey]) -> Registry {
    let identity = Identity::new(server_name, key).with_old_keys(old_keys);
    Registry::new()
        .with(RoomObject::new(identity))
        .with(UserObject::new())
        .with(DestinationObject::new())
        .with(ServerObject::new())
}
