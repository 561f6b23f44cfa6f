//! A room of another server that was entered in its middle, and what comes of its past.

use selvage_event::RoomVersion;
use selvage_protocol::Json;
use selvage_protocol::federation::{Edges, Missing, Outcome, Place, Receive, ReceiveReply, SupplyState};
use selvage_protocol::room::{GetEvent, GetState};
use selvage_sim::asks::{parsed, viewer};
use selvage_sim::remote::RemoteRoom;
use selvage_sim::{Layout, Server};
use serde_json::json;

const REMOTE: &str = "remote.test";

/// A room that a user entered while anybody could, and that nobody may enter any more; and a server that got it afterwards.
fn entered(version: RoomVersion) -> (RemoteRoom, Server) {
    let mut remote = RemoteRoom::new(REMOTE, version);
    let creator = remote.user("creator");
    for name in ["early", "other"] {
        remote.join(&remote.user(name));
    }
    remote.state_event(
        &creator,
        "m.room.join_rules",
        "",
        json!({ "join_rule": "invite" }),
    );
    remote.state_event(&creator, "m.room.topic", "", json!({ "topic": "tea" }));
    let mut server = Server::new("test", Layout::default(), 1);
    remote.give_to(&mut server, &mut || {});
    (remote, server)
}

fn receive(remote: &RemoteRoom, server: &mut Server, events: &[Json], before: Option<i64>) -> ReceiveReply {
    let receive = Receive {
        origin: REMOTE.to_owned(),
        events: events.to_vec(),
        keys: remote.keys(),
        history_before: before,
    };
    server.ask(&remote.room(), receive).expect("events are received")
}

fn events(remote: &RemoteRoom) -> Vec<Json> {
    remote.sent.iter().map(|(_, event)| event.clone()).collect()
}

fn states(remote: &RemoteRoom, server: &mut Server) -> Vec<String> {
    let viewer = viewer(remote.user("creator").as_str());
    let state = server
        .ask(&remote.room(), GetState { viewer })
        .expect("the state is read");
    state
        .iter()
        .map(|event| parsed(event)["event_id"].to_string())
        .collect()
}

/// Found by the simulator: the past, sent as if it were new, became a forward extremity with a state of long ago, and the
/// current state lost those who had entered under a join rule that was changed since
/// (spec: server-server-api §transactions; rooms §state-resolution).
#[test]
fn the_past_sent_as_if_it_were_new_changes_no_state() {
    for version in [RoomVersion::V6, RoomVersion::V11, RoomVersion::V12] {
        let (remote, mut server) = entered(version);
        let before = states(&remote, &mut server);
        let all = events(&remote);
        // One by one, from the beginning: an attacker need not send the last, which would tell what they lead to.
        for event in &all[..all.len() - 2] {
            receive(&remote, &mut server, std::slice::from_ref(event), None);
            let missing = server
                .ask(&remote.room(), Missing {})
                .expect("the room says what it lacks");
            assert_eq!(missing.extremities.len(), 1, "{version}");
        }
        assert_eq!(states(&remote, &mut server), before, "{version}");
        // When the gap closes, nothing changes either.
        receive(&remote, &mut server, &all, None);
        assert_eq!(states(&remote, &mut server), before, "{version}");
        let edges = server.ask(&remote.room(), Edges { before: None });
        assert!(
            edges.expect("the room says where its past ends").is_empty(),
            "{version}"
        );
    }
}

/// Found by the simulator: an event of the past that was placed behind a gap left no positions for what the gap lacked, so
/// that could never be placed.
#[test]
fn behind_a_gap_in_the_past_there_is_room_for_what_is_missing() {
    let mut remote = RemoteRoom::new(REMOTE, RoomVersion::V11);
    for number in 0..10 {
        remote.join(&remote.user(&format!("user{number}")));
    }
    let mut server = Server::new("test", Layout::default(), 1);
    remote.give_to(&mut server, &mut || {});
    let all = events(&remote);
    receive(&remote, &mut server, &all[..4], Some(1));
    let (id, event) = &remote.sent[9];
    let supply = SupplyState {
        event_id: id.as_str().to_owned(),
        first: true,
        state: remote.sent[..9]
            .iter()
            .map(|(id, _)| id.as_str().to_owned())
            .collect(),
    };
    server.ask(&remote.room(), supply).expect("state is supplied");
    let place = Place {
        origin: REMOTE.to_owned(),
        event: event.clone(),
        keys: remote.keys(),
        history_before: Some(1),
    };
    let placed = server.ask(&remote.room(), place).expect("the event is placed");
    assert_eq!(placed.verdicts[0].outcome, Outcome::Accepted);
    let pos = |server: &mut Server, number: usize| {
        let ask = GetEvent {
            viewer: viewer(remote.user("creator").as_str()),
            event_id: remote.sent[number].0.as_str().to_owned(),
        };
        server.ask(&remote.room(), ask).expect("the event is shown").pos
    };
    let edge = pos(&mut server, 9);
    receive(&remote, &mut server, &all[4..9], Some(edge));
    receive(&remote, &mut server, &all[10..], Some(1));
    let positions: Vec<i64> = (0..all.len()).map(|number| pos(&mut server, number)).collect();
    assert!(positions.is_sorted_by(|a, b| a < b), "{positions:?}");
}
