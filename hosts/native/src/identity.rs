//! The server's identity, which has to be known before the first room can be loaded.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use selvage_event::{ServerName, SigningKey};
use selvage_object::{Failure, Moment, ObjectKey, Placement, Registry};
use selvage_protocol::server::{Identity, IdentityReply, ServerCommand};
use selvage_protocol::server_key;
use selvage_server::ServerObject;
use selvage_sqlite::Durability;

use crate::shard::{Opener, StartError};
use crate::{clock, random};

/// Why a server has no identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// Its shard cannot be opened.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The data are another server's.
    #[error("--server-name: {0}")]
    OtherServer(String),
    /// The shard did not answer.
    #[error("the server's identity cannot be read: {0}")]
    Failed(String),
}

/// Asks the server object, in its shard alone and on this thread, for the identity; the first time that makes it.
pub(crate) fn load(
    directory: &Path,
    placement: Placement,
    server_name: &ServerName,
) -> Result<IdentityReply, IdentityError> {
    let key = server_key();
    let opener = Opener::new(directory, placement, &placement.shard_of(&key), server_kind());
    let mut shard = opener.open()?;
    let reply = ask(&mut shard, &key, server_name)?;
    serde_json::from_slice(&reply).map_err(failed)
}

fn server_kind() -> crate::shard::Kinds {
    std::sync::Arc::new(|| Registry::new().with(ServerObject::new()))
}

fn ask(
    shard: &mut crate::shard::OpenShard,
    key: &ObjectKey,
    server_name: &ServerName,
) -> Result<Vec<u8>, IdentityError> {
    let command = ServerCommand::Identity(Identity {
        server_name: server_name.to_string(),
    });
    let command = serde_json::to_vec(&command).map_err(failed)?;
    let moment = Moment {
        now: clock::now(),
        seed: random::bytes(),
    };
    shard.storage().begin(Durability::Synced).map_err(failed)?;
    let reply = shard.ask(moment, key, &command).reply;
    shard.storage().commit().map_err(failed)?;
    reply.map_err(|failure| match failure {
        Failure::Refusal(refusal) => IdentityError::OtherServer(refusal.message),
        Failure::Fault(fault) => failed(fault),
    })
}

fn failed(error: impl std::fmt::Display) -> IdentityError {
    IdentityError::Failed(error.to_string())
}

/// The key that an identity names.
pub(crate) fn signing_key(identity: &IdentityReply) -> Result<SigningKey, IdentityError> {
    let seed = URL_SAFE_NO_PAD.decode(&identity.seed).map_err(failed)?;
    let seed = <[u8; 32]>::try_from(seed).map_err(|_| failed("the key has a wrong length"))?;
    SigningKey::from_seed(&identity.key_id, &seed).map_err(failed)
}
