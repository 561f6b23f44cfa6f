//! The room: another server's, which this one is told of as in a join.

use selvage_event::{Event, RoomVersion, UserId};
use selvage_protocol::Json;
use selvage_protocol::federation::{Begin, Outcome, Place, Receive, Supply, SupplyState};
use selvage_sim::remote::RemoteRoom;
use serde_json::json;

use crate::disk::Disk;

const HOME: &str = "remote.test";
/// How many events one command brings in a join.
const SUPPLIED_AT_ONCE: usize = 500;
/// The local user, who has power.
pub(crate) const ALICE: &str = "@alice:test";

/// A room of so many members.
pub(crate) fn populated(members: usize) -> (RemoteRoom, Vec<UserId>) {
    let mut remote = RemoteRoom::new(HOME, RoomVersion::V11);
    let creator = remote.user("creator");
    let levels = json!({ "users": { creator.as_str(): 100, ALICE: 50 } });
    remote.state_event(&creator, "m.room.power_levels", "", levels);
    let users: Vec<UserId> = (0..members)
        .map(|number| remote.user(&format!("user{number}")))
        .collect();
    for user in &users {
        remote.join(user);
    }
    (remote, users)
}

/// Takes the room in, as a join does.
pub(crate) fn join(disk: &mut Disk, remote: &RemoteRoom) {
    let room = remote.room();
    let version = remote.version().as_str().to_owned();
    disk.ask(&room, Begin { version });
    for piece in remote.sent.chunks(SUPPLIED_AT_ONCE) {
        let events = piece.iter().map(|(_, event)| event.clone()).collect();
        disk.ask(
            &room,
            Supply {
                events,
                keys: remote.keys(),
                place: None,
                is_state: false,
            },
        );
    }
    let (last_id, last) = remote.sent.last().expect("there are events");
    let before = remote.state_before_last();
    for (at, piece) in before.chunks(SUPPLIED_AT_ONCE).enumerate() {
        let supply = SupplyState {
            event_id: last_id.as_str().to_owned(),
            first: at == 0,
            state: piece.to_vec(),
        };
        assert!(disk.ask(&room, supply).missing.is_empty());
    }
    let place = Place {
        origin: HOME.to_owned(),
        event: last.clone(),
        keys: remote.keys(),
        history_before: None,
    };
    assert_eq!(disk.ask(&room, place).verdicts[0].outcome, Outcome::Accepted);
}

/// What brings these events.
pub(crate) fn receive(remote: &RemoteRoom, events: Vec<Json>) -> Receive {
    Receive {
        origin: HOME.to_owned(),
        events,
        keys: remote.keys(),
        history_before: None,
    }
}

/// A member takes another name.
pub(crate) fn rename(branch: &mut RemoteRoom, user: &UserId, name: &str) -> Event {
    let content = json!({ "membership": "join", "displayname": name });
    let event = branch.sign(branch.template(user, "m.room.member", Some(user.as_str()), content));
    branch.take(&event);
    event
}
