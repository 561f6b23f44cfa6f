//! The user object and its commands.

use selvage_object::{Failure, Fault, Kind, Migration, Object, Refusal, Tracked, Turn};
use selvage_protocol::errcode;
use selvage_protocol::user::UserCommand;
use serde::Serialize;

use crate::memory::Memory;
use crate::{account, account_data, changes, devices, filters, out_of_band, profile, rooms, schema, typing};

/// What all local users' objects share.
#[derive(Clone, Copy, Debug, Default)]
pub struct UserObject;

impl UserObject {
    /// The kind of object.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

impl Object for UserObject {
    const KIND: Kind = Kind::User;
    type Memory = Memory;
    type Command = UserCommand;

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
        command: UserCommand,
    ) -> Result<Vec<u8>, Failure> {
        match command {
            UserCommand::Authenticate(command) => reply(&devices::authenticate(memory, turn, &command)?),
            UserCommand::Register(command) => reply(&account::register(memory, turn, &command)?),
            UserCommand::Account(_) => reply(&account::account(memory)),
            UserCommand::PasswordHash(command) => reply(&account::password_hash(memory, turn, &command)?),
            UserCommand::SetPassword(command) => reply(&account::set_password(memory, turn, &command)?),
            UserCommand::Deactivate(_) => reply(&account::deactivate(memory, turn)?),
            UserCommand::Login(command) => reply(&devices::login(memory, turn, &command)?),
            UserCommand::Logout(command) => {
                reply(&devices::logout(memory, turn, command.device_id.as_deref())?)
            }
            UserCommand::GetProfile(_) => reply(&profile::profile(memory)?),
            UserCommand::SetProfile(command) => reply(&profile::set(memory, turn, &command)?),
            UserCommand::SetAccountData(command) => reply(&account_data::set(memory, turn, &command)?),
            UserCommand::GetAccountData(command) => reply(&account_data::get(turn, &command)?),
            UserCommand::PutFilter(command) => reply(&filters::put(turn, &command)?),
            UserCommand::GetFilter(command) => reply(&filters::get(turn, &command.filter_id)?),
            UserCommand::JoinedRooms(_) => reply(&memory.joined_rooms()),
            UserCommand::Forget(command) => reply(&rooms::forget(memory, turn, &command.room_id)?),
            UserCommand::RoomPosition(command) => reply(&memory.position(&command.room_id, command.seq)),
            UserCommand::Changes(command) => reply(&changes::changes(memory, turn, &command)?),
            UserCommand::RoomMoved(command) => reply(&rooms::moved(memory, turn, &command)?),
            UserCommand::MembershipChanged(command) => reply(&rooms::membership(memory, turn, &command)?),
            UserCommand::OutOfBand(command) => reply(&out_of_band::take(memory, turn, &command)?),
            UserCommand::OutOfBandOf(command) => reply(&out_of_band::of(memory, &command.room_id)),
            UserCommand::Typing(command) => reply(&typing::typing(memory, turn, command)),
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

/// The refusal for an account that does not exist.
pub(crate) fn no_account() -> Refusal {
    Refusal::new(errcode::NOT_FOUND, "there is no such user")
}
