//! The server object and its commands.

use selvage_object::{Failure, Fault, Kind, Migration, Object, Tracked, Turn};
use selvage_protocol::server::ServerCommand;
use serde::Serialize;

use crate::{identity, old_keys, schema, tokens};

/// The server's own object. It keeps nothing in memory: it is asked rarely.
#[derive(Clone, Copy, Debug, Default)]
pub struct ServerObject;

impl ServerObject {
    /// The object.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

impl Object for ServerObject {
    const KIND: Kind = Kind::Server;
    type Memory = ();
    type Command = ServerCommand;

    fn schema(&self) -> &'static [Migration] {
        schema::SCHEMA
    }

    fn load(&self, _: &Turn<'_>) -> Result<(), Fault> {
        Ok(())
    }

    fn handle(
        &self,
        _: &mut Tracked<()>,
        turn: &mut Turn<'_>,
        command: ServerCommand,
    ) -> Result<Vec<u8>, Failure> {
        match command {
            ServerCommand::Identity(command) => reply(&identity::identity(turn, &command)?),
            ServerCommand::OldKeys(_) => reply(&old_keys::old_keys(turn)?),
            ServerCommand::RotateKey(_) => reply(&old_keys::rotate(turn)?),
            ServerCommand::CreateRegistrationToken(command) => reply(&tokens::create(turn, &command)?),
            ServerCommand::CheckRegistrationToken(command) => reply(&tokens::check(turn, &command.token)?),
            ServerCommand::UseRegistrationToken(command) => reply(&tokens::spend(turn, &command)?),
        }
    }
}

fn reply(value: &impl Serialize) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(value).map_err(|error| Fault::corrupt(error.to_string()).into())
}
