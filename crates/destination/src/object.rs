//! The destination object and its commands.

use selvage_object::{Failure, Fault, Kind, Migration, Object, Tracked, Turn};
use selvage_protocol::destination::DestinationCommand;
use serde::Serialize;

use crate::memory::Memory;
use crate::{delivery, incoming, keys, queue, schema};

/// What all destinations share.
#[derive(Clone, Copy, Debug, Default)]
pub struct DestinationObject;

impl DestinationObject {
    /// The kind of object.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

impl Object for DestinationObject {
    const KIND: Kind = Kind::Destination;
    type Memory = Memory;
    type Command = DestinationCommand;

    fn schema(&self) -> &'static [Migration] {
        schema::SCHEMA
    }

    fn load(&self, turn: &Turn<'_>) -> Result<Memory, Fault> {
        Memory::load(turn)
    }

    fn handle(
        &self,
        memory: &mut Tracked<Memory>,
        turn: &mut Turn<'_>,
        command: DestinationCommand,
    ) -> Result<Vec<u8>, Failure> {
        match command {
            DestinationCommand::Keys(command) => reply(&keys::keys(memory, turn, &command)),
            DestinationCommand::StoreKeys(command) => reply(&keys::store(memory, turn, command)?),
            DestinationCommand::KeysFailed(_) => reply(&keys::failed(memory, turn)),
            DestinationCommand::KeyDocument(_) => reply(&keys::document(turn)?),
            DestinationCommand::BeginTransaction(command) => {
                // Who sends may well be reached.
                delivery::alive(memory, turn)?;
                reply(&incoming::begin(memory, turn, &command.txn_id)?)
            }
            DestinationCommand::EndTransaction(command) => reply(&incoming::end(memory, turn, command)?),
            DestinationCommand::RoomsWith(_) => reply(&queue::rooms(turn)?),
            DestinationCommand::RoomNews(command) => reply(&queue::news(memory, turn, &command)?),
            DestinationCommand::QueueEdu(command) => reply(&queue::edu(memory, turn, &command)?),
            DestinationCommand::QueueMessage(command) => reply(&queue::message(memory, turn, &command)?),
            DestinationCommand::Alive(_) => reply(&delivery::alive(memory, turn)?),
            DestinationCommand::NextDelivery(_) => reply(&delivery::next(memory, turn)?),
            DestinationCommand::BeginDelivery(command) => reply(&delivery::begin(memory, turn, command)?),
            DestinationCommand::Delivered(command) => reply(&delivery::delivered(memory, turn, &command)?),
            DestinationCommand::NotDelivered(command) => {
                reply(&delivery::not_delivered(memory, turn, &command)?)
            }
        }
    }

    fn ring(&self, memory: &mut Tracked<Memory>, turn: &mut Turn<'_>, timer: &str) -> Result<(), Failure> {
        match timer {
            queue::TIMER => delivery::ring(memory, turn),
            other => Err(Fault::corrupt(format!("a timer {other:?}")).into()),
        }
    }

    fn version(&self, memory: &Memory) -> u64 {
        memory.version
    }

    fn memory_bytes(&self, memory: &Memory) -> usize {
        memory.bytes()
    }
}

fn reply(value: &impl Serialize) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(value).map_err(|error| Fault::corrupt(error.to_string()).into())
}
