//! A room of another server in which people fight over power on several branches: a script of commands for the room object,
//! the same for the same seed.

use selvage_event::{RoomVersion, UserId};
use selvage_protocol::Json;
use selvage_protocol::federation::{Begin, Place, Receive, ServerKey, Supply, SupplyState};
use selvage_protocol::room::RoomCommand;
use serde_json::{Value, json};

use crate::Prng;
use crate::remote::RemoteRoom;

const USERS: [&str; 5] = ["a", "b", "c", "d", "e"];
const BRANCHES: usize = 3;
const ROUNDS: usize = 4;
/// How many events a branch grows by in a round.
const GROWTH: usize = 6;
const SERVER: &str = "remote.test";

/// The commands, and the room that they are for.
pub struct War {
    /// The room as its creator left it.
    pub room: RemoteRoom,
    /// The commands, in order.
    pub commands: Vec<RoomCommand>,
}

/// A room of this version, and what happens in it.
#[must_use]
pub fn war(version: RoomVersion, seed: u64) -> War {
    let mut prng = Prng::new(seed);
    let mut room = RemoteRoom::new(SERVER, version);
    let users: Vec<UserId> = USERS.iter().map(|name| room.user(name)).collect();
    for user in &users {
        room.join(user);
    }
    let creator = room.user("creator");
    let mut levels =
        json!({ "users": { users[0].as_str(): 100, users[1].as_str(): 50, users[2].as_str(): 50 } });
    if !version.rules().auth.privileged_creators {
        levels["users"][creator.as_str()] = json!(100);
    }
    room.state_event(&creator, "m.room.power_levels", "", levels);
    let mut commands = opening(&room);
    let mut trunk = room.fork();
    for _ in 0..ROUNDS {
        let mut events: Vec<Json> = Vec::new();
        let mut branches: Vec<RemoteRoom> = (0..BRANCHES).map(|_| trunk.fork()).collect();
        for branch in &mut branches {
            for _ in 0..GROWTH {
                events.extend(act(branch, &users, &creator, &mut prng));
            }
        }
        trunk = branches.swap_remove(index(&mut prng, BRANCHES));
        for branch in &branches {
            trunk.follow(branch);
        }
        // What follows all branches comes first as often as last: then everything waits for what it cites.
        events.push(trunk.message(&creator, "after all"));
        for at in (1..events.len()).rev() {
            let other = index(&mut prng, at + 1);
            events.swap(at, other);
        }
        commands.extend(events.chunks(7).map(|events| receive(&room, events)));
    }
    War { room, commands }
}

fn index(prng: &mut Prng, len: usize) -> usize {
    usize::try_from(prng.below(len as u64)).unwrap_or(0)
}

/// Something that a user does, allowed or not.
fn act(room: &mut RemoteRoom, users: &[UserId], creator: &UserId, prng: &mut Prng) -> Option<Json> {
    let sender = if index(prng, 4) == 0 {
        creator
    } else {
        &users[index(prng, users.len())]
    };
    let target = &users[index(prng, users.len())];
    let before = room.sent.len();
    let mut state = |kind: &str, key: &str, content: Value| room.state_event(sender, kind, key, content);
    match index(prng, 7) {
        0 => state("m.room.member", target.as_str(), json!({ "membership": "ban" })),
        1 => state("m.room.member", target.as_str(), json!({ "membership": "leave" })),
        2 => state("m.room.member", sender.as_str(), json!({ "membership": "join" })),
        3 => {
            let rule = ["public", "invite", "knock"][index(prng, 3)];
            state("m.room.join_rules", "", json!({ "join_rule": rule }));
        }
        4 => {
            let level = [0, 50, 100][index(prng, 3)];
            let owner = room.owner_level();
            let mut levels = json!({ "users": { target.as_str(): level } });
            if let Some(owner) = owner {
                levels["users"][creator.as_str()] = json!(owner);
            }
            room.state_event(sender, "m.room.power_levels", "", levels);
        }
        5 => state(
            "m.room.topic",
            "",
            json!({ "topic": index(prng, 1_000).to_string() }),
        ),
        _ => return Some(room.message(sender, "hello")),
    }
    room.sent.get(before).map(|(_, event)| event.clone())
}

fn opening(room: &RemoteRoom) -> Vec<RoomCommand> {
    let version = room.version().as_str().to_owned();
    let (last_id, last) = room.sent.last().expect("there are events");
    let events = room.sent.iter().map(|(_, event)| event.clone()).collect();
    vec![
        RoomCommand::Begin(Begin { version }),
        RoomCommand::Supply(Supply {
            place: None,
            is_state: false,
            events,
            keys: room.keys(),
        }),
        RoomCommand::SupplyState(SupplyState {
            event_id: last_id.as_str().to_owned(),
            first: true,
            state: room.state_before_last(),
        }),
        RoomCommand::Place(Place {
            origin: SERVER.to_owned(),
            event: last.clone(),
            keys: room.keys(),
            history_before: None,
        }),
    ]
}

fn receive(room: &RemoteRoom, events: &[Json]) -> RoomCommand {
    let keys: Vec<ServerKey> = room.keys();
    RoomCommand::Receive(Receive {
        origin: SERVER.to_owned(),
        events: events.to_vec(),
        keys,
        history_before: None,
    })
}
