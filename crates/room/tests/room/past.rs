//! A room of another server that was entered in its middle, and what comes of its past.

use selvage_event::{Event, EventId, RoomVersion};
use selvage_protocol::Json;
use selvage_protocol::federation::{
    Backfill, Edges, EventForServer, Missing, Outcome, Place, Receive, ReceiveReply, SupplyState,
};
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

fn content(remote: &RemoteRoom, server: &mut Server, event_id: &EventId) -> serde_json::Value {
    let ask = GetEvent {
        viewer: viewer(remote.user("creator").as_str()),
        event_id: event_id.as_str().to_owned(),
    };
    let reply = server.ask(&remote.room(), ask).expect("the event is shown");
    parsed(&reply.event)["content"].clone()
}

/// What anybody can make of an event: its redacted form, which its signature covers too.
fn stripped(remote: &RemoteRoom, number: usize) -> Json {
    let (id, event) = &remote.sent[number];
    let event = Event::from_stored(event.get(), id.clone(), remote.version()).expect("an event");
    serde_json::from_str(event.redacted().expect("a redacted form").json()).expect("JSON")
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

/// Found by the simulator: a create event without its content, as servers hand out what they hide, took the place of the
/// whole one, was refused, and with it the room (spec: server-server-api §validating-hashes-and-signatures-on-received-events).
#[test]
fn a_redacted_copy_does_not_replace_an_event_that_is_here() {
    let (remote, mut server) = entered(RoomVersion::V10);
    let mut all = events(&remote);
    for number in [0, all.len() - 2] {
        all[number] = stripped(&remote, number);
    }
    let reply = receive(&remote, &mut server, &all, Some(1));
    let last = all.len() - 1;
    for (number, verdict) in reply.verdicts.iter().enumerate() {
        let expected = if number == last {
            Outcome::Known
        } else {
            Outcome::Accepted
        };
        assert_eq!(verdict.outcome, expected, "event {number}: {verdict:?}");
    }
    let create = content(&remote, &mut server, &remote.sent[0].0);
    assert_eq!(create["room_version"], "10");
}

/// A server that has an event as part of a state does not know its place. It hands it out as nobody's past, and, when asked
/// for what decides over power, whole (spec: server-server-api §backfilling-and-retrieving-missing-events).
#[test]
fn what_decides_over_power_is_served_whole_and_as_nobodys_past_where_its_place_is_not_known() {
    let (remote, mut server) = entered(RoomVersion::V10);
    let (create, _) = &remote.sent[0];
    let ask = EventForServer {
        server: REMOTE.to_owned(),
        event_id: create.as_str().to_owned(),
    };
    let served = server.ask(&remote.room(), ask).expect("the event is served");
    assert_eq!(parsed(&served)["content"]["room_version"], "10");
    let (last, _) = remote.sent.last().expect("there are events");
    let (before_last, _) = &remote.sent[remote.sent.len() - 2];
    let ask = Backfill {
        server: REMOTE.to_owned(),
        from: vec![last.as_str().to_owned(), before_last.as_str().to_owned()],
        limit: 100,
    };
    let served = server.ask(&remote.room(), ask).expect("the past is served");
    assert_eq!(served.len(), 1, "{served:?}");
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

/// A hostile server sends others' events without their content before the whole ones come: the whole takes its place.
#[test]
fn a_redacted_copy_that_comes_first_gives_way_to_the_whole() {
    let (mut remote, mut server) = entered(RoomVersion::V11);
    let creator = remote.user("creator");
    let gap = remote.message(&creator, "between");
    remote.state_event(&creator, "m.room.name", "", json!({ "name": "waits" }));
    let last = remote.sent.len() - 1;
    let whole = remote.sent[last].1.clone();
    let copy = stripped(&remote, last);
    // While it waits for an event that is not here.
    for event in [&copy, &whole, &copy] {
        receive(&remote, &mut server, std::slice::from_ref(event), None);
    }
    receive(&remote, &mut server, &[gap], None);
    assert_eq!(
        content(&remote, &mut server, &remote.sent[last].0)["name"],
        "waits"
    );
    // And when it has its place.
    remote.state_event(&creator, "m.room.name", "", json!({ "name": "placed" }));
    let (copy, whole) = (stripped(&remote, last + 1), remote.sent[last + 1].1.clone());
    for event in [&copy, &whole, &copy] {
        receive(&remote, &mut server, std::slice::from_ref(event), None);
    }
    let id = remote.sent[last + 1].0.clone();
    assert_eq!(content(&remote, &mut server, &id)["name"], "placed");
    server.restart();
    assert_eq!(content(&remote, &mut server, &id)["name"], "placed");
}

/// Found by the simulator: whoever sent an event without power after one that had not come yet, and told the state before it,
/// kept that one from becoming a forward extremity, and its state from the room (spec: server-server-api §rejection).
#[test]
fn what_is_refused_behind_a_gap_keeps_nothing_from_the_room() {
    let (mut remote, mut server) = entered(RoomVersion::V11);
    let (creator, early) = (remote.user("creator"), remote.user("early"));
    let honest = remote.message(&creator, "the room goes on");
    remote.state_event(&early, "m.room.topic", "", json!({ "topic": "mine" }));
    let (id, refused) = remote.sent.last().expect("it was sent").clone();
    let supply = SupplyState {
        event_id: id.as_str().to_owned(),
        first: true,
        state: remote.state_before_last(),
    };
    let supplied = server.ask(&remote.room(), supply).expect("state is supplied");
    assert!(supplied.missing.is_empty(), "{supplied:?}");
    let place = Place {
        origin: REMOTE.to_owned(),
        event: refused,
        keys: remote.keys(),
        history_before: None,
    };
    let placed = server.ask(&remote.room(), place).expect("the event is placed");
    assert_eq!(placed.verdicts[0].outcome, Outcome::Rejected);
    let taken = receive(&remote, &mut server, &[honest], None);
    assert_eq!(taken.verdicts[0].outcome, Outcome::Accepted);
    let missing = server
        .ask(&remote.room(), Missing {})
        .expect("the room says what it lacks");
    assert_eq!(
        missing.extremities,
        [taken.verdicts[0].event_id.clone().expect("an id")]
    );
}

/// Found by the simulator: whoever was asked for a page of the past could put a new event of anybody into it, and it was no news
/// and no forward extremity.
#[test]
fn a_new_event_in_a_page_of_the_past_is_new() {
    let (mut remote, mut server) = entered(RoomVersion::V11);
    let creator = remote.user("creator");
    let mut page = events(&remote);
    page.push(remote.message(&creator, "news"));
    let taken = receive(&remote, &mut server, &page, Some(1));
    let id = taken
        .verdicts
        .last()
        .and_then(|verdict| verdict.event_id.clone())
        .expect("an id");
    let missing = server
        .ask(&remote.room(), Missing {})
        .expect("the room says what it lacks");
    assert_eq!(missing.extremities, std::slice::from_ref(&id));
    let ask = GetEvent {
        viewer: viewer(creator.as_str()),
        event_id: id,
    };
    let shown = server.ask(&remote.room(), ask).expect("the event is shown");
    assert_eq!(shown.pos, 2);
}
