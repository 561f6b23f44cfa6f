//! Rooms come out alike: the same events end in the same verdicts, the same extremities and the same state on every host, in
//! every room version. What they end in is told by the room object over real SQLite in this process; the rules themselves
//! are tested in the crates `event` and `room`.

use selvage_event::RoomVersion;
use selvage_object::{Failure, ObjectKey};
use selvage_protocol::federation::{EventsById, Missing, Outcome, ReceiveReply, StateIds};
use selvage_protocol::room::RoomCommand;
use selvage_sim::remote::RemoteRoom;
use selvage_sim::war::{War, war};
use selvage_sim::{Layout, Server};

use crate::{HostUnderTest, NoAnswer};

const SERVER: &str = "remote.test";

/// Every room version; what waits for what it cites waits through crashes and evictions.
pub(super) fn rooms_end_alike(host: &dyn HostUnderTest) {
    let mut outcomes = Vec::new();
    for (seed, version) in (1..).zip(RoomVersion::ALL) {
        let War { room, commands } = war(version, seed);
        let mut reference = Server::new("conformance.test", Layout::default(), 1);
        let key = room.room();
        for (at, command) in commands.iter().enumerate() {
            let reply = both(host, &mut reference, &key, command);
            outcomes.extend(of_events(command, &reply));
            match at {
                6 => host.crash(),
                9 => host.evict(&key),
                _ => {}
            }
        }
        ends_alike(host, &mut reference, &room);
    }
    for outcome in [
        Outcome::Accepted,
        Outcome::Rejected,
        Outcome::SoftFailed,
        Outcome::Waiting,
    ] {
        assert!(outcomes.contains(&outcome), "no event was {outcome:?}");
    }
}

/// What is missing, and the state at each end of the graph, told by both.
fn ends_alike(host: &dyn HostUnderTest, reference: &mut Server, room: &RemoteRoom) {
    let key = room.room();
    both(host, reference, &key, &RoomCommand::Missing(Missing {}));
    let (last, _) = room.sent.last().expect("there are events");
    let ends = extremities(reference, &key);
    for event_id in ends.iter().map(String::as_str).chain([last.as_str()]) {
        let state = StateIds {
            server: SERVER.to_owned(),
            event_id: event_id.to_owned(),
        };
        both(host, reference, &key, &RoomCommand::StateIds(state));
        let event = EventsById {
            ids: vec![event_id.to_owned()],
        };
        both(host, reference, &key, &RoomCommand::EventsById(event));
    }
}

/// Gives a command to both, and asserts that they answer alike.
fn both(
    host: &dyn HostUnderTest,
    reference: &mut Server,
    room: &ObjectKey,
    command: &RoomCommand,
) -> Vec<u8> {
    let command = serde_json::to_vec(command).expect("commands have a JSON form");
    let expected = reference.turn(room, &command);
    reference.settle();
    let answer = host.ask(room, command);
    match (&answer, &expected) {
        (Ok(answer), Ok(expected)) => assert_eq!(
            String::from_utf8_lossy(answer),
            String::from_utf8_lossy(expected),
            "{room}"
        ),
        (Err(NoAnswer::Refused(refused)), Err(Failure::Refusal(expected))) => assert_eq!(refused, expected),
        _ => panic!("{room}: {answer:?}, not {expected:?}"),
    }
    answer.unwrap_or_default()
}

fn of_events(command: &RoomCommand, reply: &[u8]) -> Vec<Outcome> {
    match command {
        RoomCommand::Receive(_) => {
            let reply: ReceiveReply = serde_json::from_slice(reply).expect("a reply");
            reply.verdicts.iter().map(|verdict| verdict.outcome).collect()
        }
        _ => Vec::new(),
    }
}

fn extremities(reference: &mut Server, room: &ObjectKey) -> Vec<String> {
    let missing = reference.ask(room, Missing {});
    missing.expect("the room is there").extremities
}
