//! The names of objects.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What an object is. The number is stored in shards' databases and never changes its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// One Matrix room.
    Room = 1,
    /// One local user.
    User = 2,
    /// One remote server.
    Destination = 3,
    /// One part of the directory.
    Directory = 4,
    /// One application service.
    Appservice = 5,
    /// The server itself.
    Server = 6,
    /// The object of the host conformance suite; no product host registers it.
    Probe = 100,
}

impl Kind {
    const ALL: [Self; 7] = [
        Self::Room,
        Self::User,
        Self::Destination,
        Self::Directory,
        Self::Appservice,
        Self::Server,
        Self::Probe,
    ];

    /// The name that stands before the slash in an [`ObjectKey`].
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Room => "room",
            Self::User => "user",
            Self::Destination => "destination",
            Self::Directory => "directory",
            Self::Appservice => "appservice",
            Self::Server => "server",
            Self::Probe => "probe",
        }
    }

    /// The number under which shards store this kind.
    #[must_use]
    pub const fn number(self) -> i64 {
        self as i64
    }

    /// The kind that shards store under this number.
    pub(crate) fn from_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// The name of one object, unique in the whole server: its kind and its own name, written `kind/name`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ObjectKey {
    kind: Kind,
    name: String,
}

impl ObjectKey {
    /// The key of the object of this kind and name.
    pub fn new(kind: Kind, name: impl Into<String>) -> Self {
        Self {
            kind,
            name: name.into(),
        }
    }

    /// What the object is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The object's own name: a room id, a user id, a server name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.name(), self.name)
    }
}

impl From<ObjectKey> for String {
    fn from(key: ObjectKey) -> Self {
        key.to_string()
    }
}

/// A text that is no object key.
#[derive(Debug, thiserror::Error)]
#[error("not an object key: {0:?}")]
pub struct KeyError(String);

impl FromStr for ObjectKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let fault = || KeyError(text.to_owned());
        let (kind, name) = text.split_once('/').ok_or_else(fault)?;
        let kind = Kind::from_name(kind).ok_or_else(fault)?;
        Ok(Self::new(kind, name))
    }
}

impl TryFrom<String> for ObjectKey {
    type Error = KeyError;

    fn try_from(text: String) -> Result<Self, KeyError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_survive_their_text_form() {
        let key = ObjectKey::new(Kind::Room, "!a/b:example.org");
        assert_eq!(key.to_string(), "room/!a/b:example.org");
        assert_eq!(key.to_string().parse::<ObjectKey>().unwrap(), key);
    }

    #[test]
    fn texts_of_no_kind_are_refused() {
        for text in ["", "room", "rooms/!a", "Room/!a"] {
            assert!(text.parse::<ObjectKey>().is_err(), "{text}");
        }
    }
}
