//! The room object and its commands.

use std::rc::Rc;

use selvage_object::{Failure, Fault, Kind, Migration, Object, Tracked, Turn};
use selvage_protocol::room::RoomCommand;
use serde::Serialize;

use crate::accept::Work;
use crate::identity::Identity;
use crate::memory::Memory;
use crate::view::View;
use crate::{
    create, gaps, invite, members, membership, messages, outgoing, profile, push, read, receipts, receive,
    remote_members, residence, restricted, schema, seek, send, serve, serve_state, slice, staging, standing,
    supplied, supply, txns, typing, upgrade,
};

/// What all rooms' objects share.
#[derive(Clone, Debug)]
pub struct RoomObject {
    pub(crate) identity: Rc<Identity>,
}

impl RoomObject {
    /// Rooms of the server with this identity.
    #[must_use]
    pub fn new(identity: Identity) -> Self {
        Self {
            identity: Rc::new(identity),
        }
    }

    fn read(&self, view: View<'_>, command: &RoomCommand) -> Result<Vec<u8>, Failure> {
        match command {
            RoomCommand::Slice(command) => reply(&slice::slice(view, command)?),
            RoomCommand::Messages(command) => reply(&messages::messages(view, command)?),
            RoomCommand::GetEvent(command) => reply(&read::event(view, command)?),
            RoomCommand::GetState(command) => reply(&read::state(view, command)?),
            RoomCommand::GetStateEvent(command) => reply(&read::state_event(view, command)?),
            RoomCommand::Members(command) => reply(&members::members(view, command)?),
            RoomCommand::AllowedRooms(command) => reply(&restricted::allowed_rooms(view, command)?),
            RoomCommand::MembershipOf(command) => reply(&members::of(view, command)?),
            RoomCommand::Missing(_) => reply(&gaps::missing(view)?),
            RoomCommand::Edges(command) => reply(&gaps::edges(view, command)?),
            RoomCommand::Outgoing(command) => reply(&outgoing::outgoing(self, view, command)?),
            RoomCommand::CatchUp(command) => reply(&outgoing::catch_up(self, view, command)?),
            RoomCommand::Standing(_) => reply(&standing::standing(view)?),
            RoomCommand::GetMissingEvents(command) => reply(&serve::missing_events(view, command)?),
            RoomCommand::Backfill(command) => reply(&serve::backfill(view, command)?),
            RoomCommand::EventForServer(command) => reply(&serve::event(view, command)?),
            RoomCommand::StateIds(command) => reply(&serve_state::state_ids(view, command)?),
            RoomCommand::AuthChain(command) => reply(&serve_state::auth_chain_of(view, command)?),
            RoomCommand::Residence(_) => reply(&residence::version(view)),
            RoomCommand::EventsById(command) => reply(&serve::events_by_id(view, command)?),
            _ => Err(Fault::corrupt("a command that writes was taken for one that reads").into()),
        }
    }
}

impl Object for RoomObject {
    const KIND: Kind = Kind::Room;
    type Memory = Memory;
    type Command = RoomCommand;

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
        command: RoomCommand,
    ) -> Result<Vec<u8>, Failure> {
        let mut work = Work::new(self, memory, turn);
        match &command {
            RoomCommand::Create(command) => reply(&create::create(work, command)?),
            RoomCommand::Send(command) => reply(&send::send(work, command)?),
            RoomCommand::ChangeMembership(command) => reply(&membership::change(work, command)?),
            RoomCommand::ProfileChanged(command) => reply(&profile::changed(work, command)?),
            RoomCommand::AccountEnded(command) => reply(&membership::account_ended(work, command)?),
            RoomCommand::SetReceipt(command) => reply(&receipts::set(work, command)?),
            RoomCommand::SetTyping(command) => reply(&typing::set(&mut work, command)?),
            RoomCommand::PrepareUpgrade(command) => reply(&upgrade::prepare(&work, command)?),
            RoomCommand::Receive(command) => reply(&receive::receive(work, command)?),
            RoomCommand::Push(command) => reply(&push::push(work, command)?),
            RoomCommand::ReceiveTyping(command) => reply(&typing::receive(&mut work, command)?),
            RoomCommand::ReceiveReceipts(command) => reply(&receipts::receive(work, command)?),
            RoomCommand::Begin(command) => reply(&supply::begin(work, command)?),
            RoomCommand::Supply(command) => reply(&receive::supply(work, command)?),
            RoomCommand::SupplyState(command) => reply(&supply::supply_state(&mut work, command)?),
            RoomCommand::Place(command) => reply(&supply::place(work, command)?),
            RoomCommand::MakeMembership(command) => reply(&remote_members::make(&work, command)?),
            RoomCommand::SendMembership(command) => reply(&remote_members::send(work, command)?),
            RoomCommand::MakeInvite(command) => reply(&invite::make(&work, command)?),
            RoomCommand::SendInvite(command) => reply(&invite::send(work, command)?),
            RoomCommand::Settle(command) => reply(&supplied::settle(work, command)?),
            RoomCommand::PlaceWaiting(command) => reply(&supply::place_waiting(work, command)?),
            RoomCommand::Sought(command) => reply(&seek::sought(work, command)?),
            reading => self.read(work.view(), reading),
        }
    }

    fn ring(&self, memory: &mut Tracked<Memory>, turn: &mut Turn<'_>, timer: &str) -> Result<(), Failure> {
        match timer {
            txns::TIMER => txns::forget(Work::new(self, memory, turn)),
            staging::TIMER => receive::go_on(Work::new(self, memory, turn)),
            seek::TIMER => seek::again(Work::new(self, memory, turn)),
            supply::TIMER => supply::give_up(Work::new(self, memory, turn)),
            other => Err(Fault::corrupt(format!("a timer {other:?}")).into()),
        }
    }

    fn memory_bytes(&self, memory: &Memory) -> usize {
        memory.bytes()
    }
}

fn reply(value: &impl Serialize) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(value).map_err(|error| Fault::corrupt(error.to_string()).into())
}
