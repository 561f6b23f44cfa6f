//! States and auth chains in any order: what comes before that which authorises it waits (spec: server-server-api
//! §put_matrixfederationv2send_joinroomideventid).

use selvage_event::RoomVersion;
use selvage_object::ObjectKey;
use selvage_protocol::Json;
use selvage_protocol::elsewhere::{Settle, SettleReply};
use selvage_protocol::federation::{Begin, Outcome, Place, Supply};
use selvage_protocol::room::{GetState, GetStateEvent};
use selvage_sim::Server;
use selvage_sim::asks::{errcode, parsed, viewer};
use selvage_sim::remote::RemoteRoom;
use serde_json::{Value, json};

use crate::foreign::{HOME, creator, server};

/// How many state events the room has beside those that every room has.
const STATE_EVENTS: usize = 700;

/// A room and the server that it is given to, for its last event.
struct Given {
    server: Server,
    remote: RemoteRoom,
    room: ObjectKey,
}

impl Given {
    fn new(version: RoomVersion) -> Self {
        let mut remote = RemoteRoom::new(HOME, version);
        for number in 0..STATE_EVENTS {
            // What authorises the next ones changes again and again.
            if number % 100 == 0 {
                let mut power = json!({ "events_default": number / 100 });
                if let Some(level) = remote.owner_level() {
                    power["users"] = json!({ creator().as_str(): level });
                }
                remote.state_event(&creator(), "m.room.power_levels", "", power);
            }
            let key = number.to_string();
            remote.state_event(&creator(), "org.test", &key, json!({ "number": number }));
        }
        remote.state_event(&creator(), "m.room.topic", "", json!({ "topic": "the last" }));
        let room = remote.room();
        let mut server = server();
        let version = version.as_str().to_owned();
        server.ask(&room, Begin { version }).unwrap();
        Self { server, remote, room }
    }

    fn last_id(&self) -> String {
        self.remote.sent.last().unwrap().0.as_str().to_owned()
    }

    /// All but the last event, the state among them apart.
    fn state_and_chain(&self) -> (Vec<Json>, Vec<Json>) {
        let in_state = self.remote.state_before_last();
        let all = self.remote.sent.iter().take(self.remote.sent.len() - 1);
        let (state, chain): (Vec<_>, Vec<_>) =
            all.partition(|(id, _)| in_state.contains(&id.as_str().to_owned()));
        let events = |these: Vec<&(_, Json)>| these.into_iter().map(|(_, event)| event.clone()).collect();
        (events(state), events(chain))
    }

    fn supply(&mut self, events: &[Json], is_state: bool) {
        for piece in events.chunks(150) {
            let supply = Supply {
                events: piece.to_vec(),
                keys: self.remote.keys(),
                place: Some(self.last_id()),
                is_state,
            };
            let reply = self.server.ask(&self.room, supply).unwrap();
            let taken = |outcome| matches!(outcome, Outcome::Outlier | Outcome::Waiting | Outcome::Known);
            assert!(
                reply.verdicts.iter().all(|verdict| taken(verdict.outcome)),
                "{reply:?}"
            );
        }
    }

    /// One go through what waits.
    fn settle(&mut self) -> (u64, u64) {
        let (mut taken, mut left, mut after) = (0, 0, None);
        loop {
            let settle = Settle {
                event_id: self.last_id(),
                after,
                finish: false,
            };
            let reply: SettleReply = self.server.ask(&self.room, settle).unwrap();
            taken += reply.taken;
            left += reply.left;
            after = reply.next;
            if after.is_none() {
                return (taken, left);
            }
        }
    }

    fn place(&mut self) -> Outcome {
        let place = Place {
            origin: HOME.to_owned(),
            event: self.remote.sent.last().unwrap().1.clone(),
            keys: self.remote.keys(),
            history_before: None,
        };
        self.server.ask(&self.room, place).unwrap().verdicts[0].outcome
    }

    fn state(&mut self, kind: &str, state_key: &str) -> Value {
        let ask = GetStateEvent {
            viewer: viewer(creator().as_str()),
            kind: kind.to_owned(),
            state_key: state_key.to_owned(),
        };
        Value::Object(parsed(&self.server.ask(&self.room, ask).unwrap()))
    }

    fn rows(&self, table: &'static str) -> usize {
        self.server
            .rows(&self.server.shard_of(&self.room), table, &[])
            .len()
    }
}

/// Newest first, the state before its auth chain: one go takes all of it, since what authorises an event is less deep.
#[test]
fn a_state_that_comes_the_wrong_way_round_is_taken_in_one_go() {
    for version in [RoomVersion::V2, RoomVersion::V11, RoomVersion::V12] {
        let mut given = Given::new(version);
        let (mut state, mut chain) = given.state_and_chain();
        state.reverse();
        chain.reverse();
        given.supply(&state, true);
        given.supply(&chain, false);
        let (taken, left) = given.settle();
        assert_eq!(left, 0, "{version}");
        assert!(taken > 600, "{version}: {taken} had waited");
        assert_eq!(given.settle(), (0, 0));
        assert_eq!(given.place(), Outcome::Accepted, "{version}");
        assert_eq!(given.state("m.room.topic", "")["content"]["topic"], "the last");
        let number = (STATE_EVENTS - 1).to_string();
        assert_eq!(
            given.state("org.test", &number)["content"]["number"],
            STATE_EVENTS - 1
        );
        assert_eq!(given.rows("SELECT 1 FROM room_supplied"), 0);
        assert_eq!(given.rows("SELECT 1 FROM room_entries"), 0);
        let nodes = given.rows("SELECT 1 FROM room_nodes");
        assert!(nodes < STATE_EVENTS, "{nodes} nodes: hardly any is written twice");
        let ask = GetState {
            viewer: viewer(creator().as_str()),
        };
        let all = given.server.ask(&given.room, ask).unwrap().len();
        assert_eq!(
            all,
            state.len() + 1,
            "the state that was told, and the last event"
        );
    }
}

/// What is never authorised is left out, and is no part of the state.
#[test]
fn what_lacks_its_auth_events_waits_for_nothing() {
    let mut given = Given::new(RoomVersion::V10);
    let (state, mut chain) = given.state_and_chain();
    // The power levels under which a hundred events were sent are withheld.
    chain.retain(|event| !event.get().contains("\"events_default\":3"));
    given.supply(&state, true);
    given.supply(&chain, false);
    let (_, left) = given.settle();
    assert!(left >= 100, "{left} wait");
    let again = given.settle();
    assert_eq!(again, (0, left), "going on changes nothing");
    let finish = Settle {
        event_id: given.last_id(),
        after: None,
        finish: true,
    };
    given.server.ask(&given.room, finish).unwrap();
    assert_eq!(given.rows("SELECT 1 FROM room_supplied"), 0);
    // The last event cites them, too far up.
    assert_eq!(given.place(), Outcome::Dropped);
    assert_eq!(
        errcode(given.server.ask(
            &given.room,
            GetState {
                viewer: viewer(creator().as_str()),
            }
        )),
        "M_FORBIDDEN"
    );
}

/// A room that was fetched and not entered is forgotten after a day.
#[test]
fn what_was_fetched_in_vain_is_forgotten() {
    let mut given = Given::new(RoomVersion::V11);
    let (state, chain) = given.state_and_chain();
    given.supply(&chain, false);
    given.supply(&state, true);
    given.settle();
    assert!(given.rows("SELECT 1 FROM room_others") > STATE_EVENTS);
    given.server.tick(25 * 3_600_000);
    for shard in given.server.shards() {
        given.server.ring(&shard);
    }
    given.server.settle();
    for table in [
        "SELECT 1 FROM room_others",
        "SELECT 1 FROM room_supplied",
        "SELECT 1 FROM room_nodes",
        "SELECT 1 FROM room_drafts",
        "SELECT 1 FROM room_entries",
        "SELECT 1 FROM room_citations",
    ] {
        assert_eq!(given.rows(table), 0, "{table}");
    }
}
