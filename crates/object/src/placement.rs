//! Which shard houses which object: a pure function of the key, here and nowhere else.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{Kind, ObjectKey};

/// The name of a shard: a number on native, the name of a Durable Object on Workers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ShardId(String);

impl ShardId {
    /// The shard of this name.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How a host spreads objects over shards. Fixed for the life of a data directory or a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// Native: every object is hashed over so many shards, named `0`, `1`, ….
    Hashed {
        /// How many shards there are; at least one.
        shards: u16,
    },
    /// Workers: every room has a shard of its own, other kinds are hashed over so many shards a kind.
    ByKind {
        /// How many shards users have, and so many the destinations; at least one.
        shards: u16,
    },
}

impl Placement {
    /// The shard that houses the object.
    #[must_use]
    pub fn shard_of(self, key: &ObjectKey) -> ShardId {
        match (self, key.kind()) {
            (Self::Hashed { shards }, _) => ShardId(bucket(key, shards).to_string()),
            (Self::ByKind { .. }, Kind::Room | Kind::Server | Kind::Appservice) => ShardId(key.to_string()),
            (Self::ByKind { shards }, kind) => ShardId(format!("{}/{}", kind.name(), bucket(key, shards))),
        }
    }
}

fn bucket(key: &ObjectKey, shards: u16) -> u64 {
    let hash: [u8; 32] = Sha256::digest(key.to_string()).into();
    let number = hash
        .iter()
        .take(8)
        .fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
    number % u64::from(shards.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(kind: Kind, name: &str) -> ObjectKey {
        ObjectKey::new(kind, name)
    }

    #[test]
    fn placement_never_changes_for_stored_data() {
        let user = key(Kind::User, "@alice:example.org");
        let room = key(Kind::Room, "!room:example.org");
        let native = Placement::Hashed { shards: 8 };
        let workers = Placement::ByKind { shards: 64 };
        let placed = [
            native.shard_of(&user),
            native.shard_of(&room),
            workers.shard_of(&user),
            workers.shard_of(&room),
        ];
        assert_eq!(
            placed.map(|shard| shard.to_string()),
            ["7", "6", "user/55", "room/!room:example.org"]
        );
    }

    #[test]
    fn every_shard_is_used() {
        let placement = Placement::Hashed { shards: 8 };
        let shards: std::collections::BTreeSet<_> = (0..200)
            .map(|n| placement.shard_of(&key(Kind::User, &format!("@{n}:a"))))
            .collect();
        assert_eq!(shards.len(), 8);
    }
}
