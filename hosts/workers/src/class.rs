//! Which Durable Object class houses which kind of object.

use selvage_object::{Kind, ShardId};

/// A Durable Object class. Its name and its binding are part of the deployment and never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    /// One room each.
    Room,
    /// Some local users.
    User,
    /// Some remote servers.
    Destination,
    /// The server itself.
    Server,
    /// Probes of the conformance suite.
    #[cfg(feature = "conformance")]
    Probe,
}

impl Class {
    const ALL: &[Self] = &[
        Self::Room,
        Self::User,
        Self::Destination,
        Self::Server,
        #[cfg(feature = "conformance")]
        Self::Probe,
    ];

    /// The kind of object in it.
    pub(crate) const fn kind(self) -> Kind {
        match self {
            Self::Room => Kind::Room,
            Self::User => Kind::User,
            Self::Destination => Kind::Destination,
            Self::Server => Kind::Server,
            #[cfg(feature = "conformance")]
            Self::Probe => Kind::Probe,
        }
    }

    /// The name of its namespace's binding.
    pub(crate) const fn binding(self) -> &'static str {
        match self {
            Self::Room => "ROOM",
            Self::User => "USER",
            Self::Destination => "DESTINATION",
            Self::Server => "SERVER",
            #[cfg(feature = "conformance")]
            Self::Probe => "PROBE",
        }
    }

    /// The class of a shard, which its name begins with; `None` when this program has none for it.
    pub(crate) fn of(shard: &ShardId) -> Option<Self> {
        let (kind, _) = shard.as_str().split_once('/')?;
        Self::ALL
            .iter()
            .copied()
            .find(|class| class.kind().name() == kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use selvage_object::{ObjectKey, Placement};

    #[test]
    fn every_class_houses_its_kind() {
        for class in Class::ALL {
            let key = ObjectKey::new(class.kind(), "name/with/slashes");
            let shard = Placement::ByKind { shards: 64 }.shard_of(&key);
            assert_eq!(Class::of(&shard), Some(*class));
        }
    }

    #[test]
    fn shards_of_other_programs_have_no_class() {
        for name in ["", "room", "rooms/a", "directory/3", "0"] {
            assert_eq!(Class::of(&ShardId::new(name)), None, "{name}");
        }
    }
}
