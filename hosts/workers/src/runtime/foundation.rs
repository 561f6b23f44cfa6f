//! What a shard must know before its objects can run: the deployment it belongs to and, for rooms, the server's signing
//! identity. The identity's home is the server object; each shard keeps a copy in a row of its own, so that waking up
//! needs no other shard. The row is a cache: deleted, it comes back.

use std::cell::RefCell;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use selvage_destination::DestinationObject;
use selvage_event::{ServerName, SigningKey};
use selvage_object::{Fault, Registry, Sql};
use selvage_protocol::server::{Identity, IdentityReply, ServerCommand};
use selvage_protocol::server_key;
use selvage_room::{self as room, RoomObject};
use selvage_server::ServerObject;
use selvage_user::UserObject;
use serde::{Deserialize, Serialize};
use worker::Env;

use super::{cache, call};
use crate::class::Class;
use crate::config::Deployment;
use crate::wire::Reply;

/// The name of the row that remembers it.
const ROW: &str = "foundation";

thread_local! {
    /// The identity, once any shard of this isolate has asked for it.
    static IDENTITY: RefCell<Option<IdentityReply>> = const { RefCell::new(None) };
}

/// What a shard must know.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Foundation {
    deployment: Deployment,
    identity: Option<IdentityReply>,
}

impl Foundation {
    /// What this shard's own database remembers; `None` in one that holds nothing yet.
    pub(crate) fn stored(sql: &dyn Sql) -> Result<Option<Self>, Fault> {
        if cache::exists(sql)? {
            cache::get(sql, ROW)
        } else {
            Ok(None)
        }
    }

    /// What a new shard of this class must know, asked for where it is known.
    pub(crate) async fn ask(env: &Env, class: Class, deployment: &Deployment) -> Result<Self, Reply> {
        let identity = match class {
            Class::Room => Some(identity(env, deployment).await?),
            _ => None,
        };
        Ok(Self {
            deployment: deployment.clone(),
            identity,
        })
    }

    /// Remembers it.
    pub(crate) fn store(&self, sql: &dyn Sql) -> Result<(), Fault> {
        cache::make(sql)?;
        cache::put(sql, ROW, self)
    }

    /// The deployment that the shard's data were written under.
    pub(crate) const fn deployment(&self) -> &Deployment {
        &self.deployment
    }

    fn room_identity(&self) -> Result<room::Identity, Fault> {
        let identity = self.identity.as_ref().ok_or_else(|| damaged("missing"))?;
        let (name, key) = signer(&self.deployment, identity)?;
        Ok(room::Identity::new(name, key).with_old_keys(&identity.old_keys))
    }

    /// The objects of a class.
    pub(crate) fn registry(&self, class: Class) -> Result<Registry, Fault> {
        let registry = Registry::new();
        Ok(match class {
            Class::Room => registry.with(RoomObject::new(self.room_identity()?)),
            Class::User => registry.with(UserObject::new()),
            Class::Destination => registry.with(DestinationObject::new()),
            Class::Server => registry.with(ServerObject::new()),
            #[cfg(feature = "conformance")]
            Class::Probe => registry.with(selvage_conformance::probe::Probe),
        })
    }
}

fn damaged(what: &str) -> Fault {
    Fault::corrupt(format!("the server's identity: {what}"))
}

/// Who signs: the server's name, and its key.
pub(super) fn signer(
    deployment: &Deployment,
    identity: &IdentityReply,
) -> Result<(ServerName, SigningKey), Fault> {
    let name = ServerName::parse(&deployment.server_name).map_err(|_| damaged("name"))?;
    let seed = seed(identity).ok_or_else(|| damaged("seed"))?;
    let key = SigningKey::from_seed(&identity.key_id, &seed).map_err(|_| damaged("key id"))?;
    Ok((name, key))
}

fn seed(identity: &IdentityReply) -> Option<[u8; 32]> {
    URL_SAFE_NO_PAD.decode(&identity.seed).ok()?.try_into().ok()
}

/// The server's signing identity, from its object.
pub(crate) async fn identity(env: &Env, deployment: &Deployment) -> Result<IdentityReply, Reply> {
    if let Some(known) = IDENTITY.with_borrow(Clone::clone) {
        return Ok(known);
    }
    let command = ServerCommand::Identity(Identity {
        server_name: deployment.server_name.clone(),
    });
    let unavailable = |error: serde_json::Error| Reply::Unavailable(error.to_string());
    let command = serde_json::to_vec(&command).map_err(unavailable)?;
    match call::ask(env, deployment.placement(), &server_key(), &command).await {
        Reply::Done(reply) => {
            let identity: IdentityReply = serde_json::from_slice(&reply).map_err(unavailable)?;
            IDENTITY.set(Some(identity.clone()));
            Ok(identity)
        }
        other => Err(other),
    }
}
