//! Identifiers: checked, immutable, cheap to clone. spec: `appendices §Identifier Grammar`.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::limits::MAX_ID_BYTES;

mod server_name;
#[cfg(test)]
mod tests;

/// Why a string is not the identifier it was taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The first character is not the sigil of this kind of identifier.
    #[error("wrong or missing sigil")]
    Sigil,
    /// Longer than [`MAX_ID_BYTES`].
    #[error("longer than 255 bytes")]
    TooLong,
    /// Nothing after the sigil.
    #[error("empty")]
    Empty,
    /// No `:` between localpart and server name.
    #[error("no server name")]
    NoServerName,
    /// The localpart has a character that it may not have.
    #[error("forbidden character in the localpart")]
    Localpart,
    /// The server name does not follow the grammar.
    #[error("malformed server name")]
    ServerName,
}

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident, $check:path) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks a string and takes it as this identifier.
            ///
            /// # Errors
            /// [`IdError`] says which part of the grammar was broken.
            pub fn parse(text: impl AsRef<str>) -> Result<Self, IdError> {
                let text = text.as_ref();
                $check(text)?;
                Ok(Self(Arc::from(text)))
            }

            /// The identifier as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::parse(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                Self::parse(text)
            }
        }

        impl TryFrom<&str> for $name {
            type Error = IdError;
            fn try_from(text: &str) -> Result<Self, IdError> {
                Self::parse(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.as_str().to_owned()
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                self.as_str()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self.as_str(), f)
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                self.as_str() == other
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                self.as_str() == *other
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::parse(&text).map_err(D::Error::custom)
            }
        }
    };
}

identifier!(
    /// The name of a homeserver: host name or IP literal, with an optional port. Compared case-sensitively.
    /// spec: `appendices §Server Name`
    ServerName,
    server_name::check
);
identifier!(
    /// A user. Historical localparts (any character but `:` and NUL, and the empty one) are accepted, because
    /// events that carry them must be. spec: `appendices §Historical User IDs`
    UserId,
    check_user
);
identifier!(
    /// A room: `!opaque:server` up to room version 11, `!` and the create event's hash from 12 on.
    /// spec: `appendices §Room IDs`
    RoomId,
    check_room
);
identifier!(
    /// An event: `$opaque:server` in room versions 1 and 2, `$` and a hash from 3 on.
    /// spec: `appendices §Event IDs`
    EventId,
    check_event
);
identifier!(
    /// A room alias, `#localpart:server`. spec: `appendices §Room Aliases`
    RoomAlias,
    check_alias
);

impl UserId {
    /// What lies between `@` and the first `:`.
    #[must_use]
    pub fn localpart(&self) -> &str {
        split(self.as_str()).map_or("", |(localpart, _)| localpart)
    }

    /// The server that the user belongs to, as text.
    #[must_use]
    pub fn domain(&self) -> &str {
        split(self.as_str()).map_or("", |(_, domain)| domain)
    }

    /// The server that the user belongs to.
    #[must_use]
    pub fn server_name(&self) -> ServerName {
        ServerName(Arc::from(self.domain()))
    }

    /// Makes a user id of its two parts.
    ///
    /// # Errors
    /// [`IdError`] when the whole does not follow the (historical) grammar.
    pub fn from_parts(localpart: &str, server: &ServerName) -> Result<Self, IdError> {
        Self::parse(format!("@{localpart}:{server}"))
    }

    /// Whether a localpart may be given to a new user: lower case, digits and `._=-/+`, not empty.
    ///
    /// # Errors
    /// [`IdError::Empty`] or [`IdError::Localpart`].
    pub fn check_new_localpart(localpart: &str) -> Result<(), IdError> {
        if localpart.is_empty() {
            return Err(IdError::Empty);
        }
        let allowed = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || b"._=-/+".contains(&c);
        localpart
            .bytes()
            .all(allowed)
            .then_some(())
            .ok_or(IdError::Localpart)
    }
}

impl RoomId {
    /// The server in the id; `None` in room versions from 12 on, whose ids name no server.
    #[must_use]
    pub fn domain(&self) -> Option<&str> {
        split(self.as_str()).map(|(_, domain)| domain)
    }
}

impl EventId {
    /// The server in the id; `None` in room versions from 3 on.
    #[must_use]
    pub fn domain(&self) -> Option<&str> {
        split(self.as_str()).map(|(_, domain)| domain)
    }

    /// The id of the room that this create event makes, in room versions from 12 on: the same text with `!`.
    #[must_use]
    pub fn to_room_id(&self) -> RoomId {
        RoomId(Arc::from(format!("!{}", tail(self.as_str()))))
    }
}

impl RoomId {
    /// The id of the create event of this room, in room versions from 12 on: the same text with `$`.
    #[must_use]
    pub fn to_create_event_id(&self) -> EventId {
        EventId(Arc::from(format!("${}", tail(self.as_str()))))
    }
}

impl RoomAlias {
    /// What lies between `#` and the first `:`.
    #[must_use]
    pub fn localpart(&self) -> &str {
        split(self.as_str()).map_or("", |(localpart, _)| localpart)
    }

    /// The server that holds the alias, as text.
    #[must_use]
    pub fn domain(&self) -> &str {
        split(self.as_str()).map_or("", |(_, domain)| domain)
    }

    /// The server that holds the alias.
    #[must_use]
    pub fn server_name(&self) -> ServerName {
        ServerName(Arc::from(self.domain()))
    }
}

/// The text after the sigil, which is one byte in every checked identifier.
fn tail(id: &str) -> &str {
    id.get(1..).unwrap_or("")
}

/// Localpart and domain of `&localpart:domain`.
fn split(id: &str) -> Option<(&str, &str)> {
    tail(id).split_once(':')
}

fn check_common(text: &str, sigil: u8) -> Result<(), IdError> {
    if text.as_bytes().first() != Some(&sigil) {
        return Err(IdError::Sigil);
    }
    if text.len() > MAX_ID_BYTES {
        return Err(IdError::TooLong);
    }
    if text.contains('\0') {
        return Err(IdError::Localpart);
    }
    Ok(())
}

fn check_with_domain(text: &str, sigil: u8) -> Result<(), IdError> {
    check_common(text, sigil)?;
    let (_, domain) = split(text).ok_or(IdError::NoServerName)?;
    server_name::check(domain)
}

fn check_user(text: &str) -> Result<(), IdError> {
    check_with_domain(text, b'@')
}

fn check_alias(text: &str) -> Result<(), IdError> {
    check_with_domain(text, b'#')
}

fn check_room(text: &str) -> Result<(), IdError> {
    check_opaque(text, b'!')
}

fn check_event(text: &str) -> Result<(), IdError> {
    check_opaque(text, b'$')
}

fn check_opaque(text: &str, sigil: u8) -> Result<(), IdError> {
    check_common(text, sigil)?;
    if tail(text).is_empty() {
        Err(IdError::Empty)
    } else {
        Ok(())
    }
}
