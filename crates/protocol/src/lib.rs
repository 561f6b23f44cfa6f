//! The messages that objects and the gateway exchange: types only, so that no object crate needs to know another.
//!
//! Every message is JSON. During an update old and new programs talk to each other, so a field is only ever added, with a
//! default, and a name never changes its meaning. Replies of commands are types here too; [`Ask`] ties them together.
//!
//! It may not depend on anything but `selvage-object`, and does nothing but describe.

pub mod delivery;
pub mod destination;
pub mod elsewhere;
pub mod errcode;
pub mod federation;
pub mod room;
pub mod server;
pub mod user;
pub mod work;

use selvage_object::{Kind, ObjectKey};
use serde::{Serialize, de::DeserializeOwned};

/// A JSON text that passes through unread.
pub type Json = Box<serde_json::value::RawValue>;

/// A command with a reply.
pub trait Ask: Serialize {
    /// What kind of object understands it.
    const KIND: Kind;
    /// What the object answers.
    type Reply: Serialize + DeserializeOwned;
    /// The command in the form that the object parses.
    fn into_message(self) -> impl Serialize;
}

/// The key of a room.
#[must_use]
pub fn room_key(room_id: &str) -> ObjectKey {
    ObjectKey::new(Kind::Room, room_id)
}

/// The key of a local user.
#[must_use]
pub fn user_key(user_id: &str) -> ObjectKey {
    ObjectKey::new(Kind::User, user_id)
}

/// The key of a remote server.
#[must_use]
pub fn destination_key(server_name: &str) -> ObjectKey {
    ObjectKey::new(Kind::Destination, server_name)
}

/// The key of the server's own object, of which there is one.
#[must_use]
pub fn server_key() -> ObjectKey {
    ObjectKey::new(Kind::Server, "server")
}

/// Declares the commands of one kind of object: an enum of them, and the reply of each.
macro_rules! commands {
    ($kind:ident, $(#[$meta:meta])* $enum:ident { $($command:ident => $reply:ty),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
        pub enum $enum {
            $(#[doc = concat!("See [`", stringify!($command), "`].")] $command($command),)*
        }

        $(
            impl crate::Ask for $command {
                const KIND: selvage_object::Kind = selvage_object::Kind::$kind;
                type Reply = $reply;

                fn into_message(self) -> impl serde::Serialize {
                    $enum::$command(self)
                }
            }
        )*
    };
}
pub(crate) use commands;
