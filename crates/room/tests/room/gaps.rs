//! Events behind a gap, and the past that is paged back to (spec: server-server-api §backfilling-and-retrieving-missing-events).

use selvage_event::{Event, RoomVersion};
use selvage_protocol::Json;
use selvage_protocol::federation::{
    Edge, Edges, Outcome, Place, Receive, ReceiveReply, Supply, SupplyState, SupplyStateReply,
};
use selvage_sim::remote::raw;
use serde_json::json;

use crate::fixture::ALICE;
use crate::foreign::{Foreign, HOME, ann, creator, eve, moderator};

impl Foreign {
    /// The gaps, without the one before this server came into the room.
    fn edges(&mut self) -> Vec<Edge> {
        let ask = Edges { before: None };
        let mut edges = self.server.ask(&self.room, ask).expect("edges");
        assert!(edges.pop().is_some(), "the room began elsewhere");
        edges
    }

    pub(crate) fn supply(&mut self, events: Vec<Json>) -> ReceiveReply {
        let keys = self.keys();
        self.server
            .ask(
                &self.room,
                Supply {
                    events,
                    keys,
                    place: None,
                    is_state: false,
                },
            )
            .expect("verdicts")
    }

    fn supply_state(&mut self, of: &Event, state: Vec<String>) -> SupplyStateReply {
        let supply = SupplyState {
            event_id: of.event_id().as_str().to_owned(),
            first: true,
            state,
        };
        self.server.ask(&self.room, supply).expect("an answer")
    }

    fn place(&mut self, event: &Event, history_before: Option<i64>) -> (Outcome, String) {
        let place = Place {
            origin: HOME.to_owned(),
            event: raw(event),
            keys: self.keys(),
            history_before,
        };
        let reply = self.server.ask(&self.room, place).expect("a verdict");
        self.server.settle();
        let verdict = &reply.verdicts[0];
        (verdict.outcome, verdict.why.clone().unwrap_or_default())
    }

    fn receive_past(&mut self, events: &[Event], history_before: i64) -> Vec<Outcome> {
        let receive = Receive {
            origin: HOME.to_owned(),
            events: events.iter().map(raw).collect(),
            keys: self.keys(),
            history_before: Some(history_before),
        };
        let reply = self.server.ask(&self.room, receive).expect("verdicts");
        reply.verdicts.iter().map(|verdict| verdict.outcome).collect()
    }

    /// The ids of the current state, as another server would tell them.
    fn state_now(&mut self) -> Vec<String> {
        self.state_ids(ALICE).into_iter().collect()
    }
}

/// What somebody said in a gap and after it; the last event is placed behind the gap.
struct Gap {
    room: Foreign,
    lost: Vec<Event>,
    last: Event,
}

/// Twelve messages that do not arrive, and one that is placed behind them.
fn gap() -> Gap {
    let mut room = Foreign::new(RoomVersion::V11);
    let state = room.state_now();
    let lost: Vec<Event> = (0..12)
        .map(|number| room.message(&ann(), &number.to_string()))
        .collect();
    let last = room.message(&ann(), "behind the gap");
    assert_eq!(room.take(&last).outcome, Outcome::Waiting);
    assert_eq!(room.supply_state(&last, state).missing, Vec::<String>::new());
    assert_eq!(room.place(&last, None).0, Outcome::Accepted);
    Gap { room, lost, last }
}

#[test]
fn an_event_behind_a_gap_is_shown_and_the_gap_is_marked() {
    let mut gap = gap();
    let room = &mut gap.room;
    assert!(room.sees(ALICE, &gap.last));
    assert_eq!(
        room.missing().events,
        [],
        "it waits no longer, though it had been staged"
    );
    let edges = room.edges();
    assert_eq!(edges.len(), 1);
    assert_eq!(edges[0].event_id, gap.last.event_id().as_str());
    assert_eq!(edges[0].missing, [gap.lost[11].event_id().as_str()]);
    assert_eq!(
        room.missing().extremities.len(),
        2,
        "what was held before the gap is not known to be followed"
    );
    let followed = room.local(ALICE, "after the gap");
    assert_eq!(followed.prev_events().len(), 2);
}

#[test]
fn pages_of_the_past_lie_where_they_belong() {
    let mut gap = gap();
    let room = &mut gap.room;
    let after = room.local(ALICE, "after the gap");
    let edge = room.edges().remove(0);
    let (older, newer) = gap.lost.split_at(6);
    // A page comes newest first; its oldest event is placed behind the next gap.
    let state = room.state_now();
    room.supply_state(&newer[0], state.clone());
    assert_eq!(room.place(&newer[0], edge.pos).0, Outcome::Accepted);
    let outcomes = room.receive_past(&newer[1..], edge.pos.unwrap());
    assert_eq!(outcomes, [Outcome::Accepted; 5]);
    let second = room.edges();
    assert_eq!(second.len(), 1, "the gap has moved back");
    assert_eq!(second[0].missing, [older[5].event_id().as_str()]);
    // The next page joins what was held before the gap.
    let outcomes = room.receive_past(older, second[0].pos.unwrap());
    assert_eq!(outcomes, [Outcome::Accepted; 6]);
    assert_eq!(room.edges(), [], "and the gap is closed");
    let timeline = room.timeline(ALICE);
    let shown = &timeline[timeline.len() - 14..];
    let mut expected: Vec<&Event> = gap.lost.iter().collect();
    expected.extend([&gap.last, &after]);
    let expected: Vec<&str> = expected.iter().map(|event| event.event_id().as_str()).collect();
    assert_eq!(shown, expected);
}

/// The past is no news: nobody is woken, no state changes, nothing is followed.
#[test]
fn the_past_changes_nothing_now() {
    let mut gap = gap();
    let room = &mut gap.room;
    room.local(ALICE, "after the gap");
    let edge = room.edges().remove(0);
    let state = room.state_now();
    let extremities = room.missing().extremities;
    let synced = selvage_sim::sync::sync(&mut room.server, ALICE, None, &Default::default()).unwrap();
    room.supply_state(&gap.lost[0], state.clone());
    room.place(&gap.lost[0], edge.pos);
    room.receive_past(&gap.lost[1..], edge.pos.unwrap());
    assert_eq!(room.server.undelivered(), 0, "nobody is told");
    assert_eq!(room.missing().extremities, extremities);
    assert_eq!(room.state_now(), state);
    let next = selvage_sim::sync::sync(&mut room.server, ALICE, Some(synced.next()), &Default::default());
    assert!(next.unwrap().changes.rooms.is_empty());
}

/// Events of the past are held against the state before them, not against the present.
#[test]
fn the_past_is_judged_by_its_own_state() {
    let mut room = Foreign::new(RoomVersion::V11);
    let state = room.state_now();
    let said = room.message(&eve(), "while I was here");
    let topic = room.state(&eve(), "m.room.topic", "", json!({ "topic": "no power" }));
    let ban = room.member(&creator(), eve().as_str(), "ban");
    let last = room.message(&ann(), "behind the gap");
    // What is told of the state includes the ban.
    room.supply(vec![raw(&ban)]);
    let mut now = state.clone();
    let member = room.remote_state("m.room.member", eve().as_str());
    now.retain(|id| id != member.as_str());
    now.push(ban.event_id().as_str().to_owned());
    assert_eq!(room.supply_state(&last, now).missing, Vec::<String>::new());
    assert_eq!(room.place(&last, None).0, Outcome::Accepted);
    assert_eq!(room.membership(eve().as_str()), "ban");
    let edge = room.edges().remove(0).pos;
    room.supply_state(&said, state);
    assert_eq!(
        room.place(&said, edge).0,
        Outcome::Accepted,
        "she was in the room then"
    );
    assert!(room.sees(ALICE, &said));
    let outcomes = room.receive_past(std::slice::from_ref(&topic), edge.unwrap());
    assert_eq!(outcomes, [Outcome::Rejected], "and had no power then either");
    assert!(!room.sees(ALICE, &topic));
    assert_eq!(room.membership(eve().as_str()), "ban");
}

/// The past is not resolved with the present, from which it may differ in everything.
#[test]
fn paging_back_costs_no_resolution() {
    let mut room = Foreign::new(RoomVersion::V11);
    let state = room.state_now();
    let old = room.message(&ann(), "long ago");
    let next = room.message(&ann(), "a little later");
    let mut changes = Vec::new();
    for number in 0..300 {
        let key = number.to_string();
        changes.push(room.state(&moderator(), "org.example.state", &key, json!({})));
    }
    let last = room.message(&ann(), "behind the gap");
    room.supply(changes.iter().map(raw).collect());
    let mut now = state.clone();
    now.extend(changes.iter().map(|event| event.event_id().as_str().to_owned()));
    room.supply_state(&last, now);
    assert_eq!(room.place(&last, None).0, Outcome::Accepted);
    let edge = room.edges().remove(0).pos;
    room.supply_state(&old, state);
    let shard = room.server.shard_of(&room.room);
    room.server.restart();
    room.server.take_read(&shard);
    assert_eq!(room.place(&old, edge).0, Outcome::Accepted);
    assert_eq!(room.receive_past(&[next], edge.unwrap()), [Outcome::Accepted]);
    let read = room.server.take_read(&shard);
    let nodes = read.get("room_nodes").copied().unwrap_or(0);
    assert!(nodes <= 20, "{read:?}");
    let others = read.get("room_others").copied().unwrap_or(0);
    assert!(others <= 40, "{read:?}");
}

#[test]
fn an_event_whose_state_was_not_supplied_is_not_placed() {
    let mut room = Foreign::new(RoomVersion::V11);
    room.message(&ann(), "lost");
    let last = room.message(&ann(), "behind the gap");
    let before = room.seen();
    let (outcome, why) = room.place(&last, None);
    assert_eq!(outcome, Outcome::Dropped);
    assert!(
        why.contains("the state before the event was not supplied"),
        "{why}"
    );
    assert_eq!(room.seen(), before);
}

/// The state that another server tells is taken event by event: what is not here is asked for, what was rejected is left out.
#[test]
fn a_state_is_made_of_events_that_were_checked() {
    let mut room = Foreign::new(RoomVersion::V11);
    let state = room.state_now();
    let forged = room.remote.sign(room.remote.template(
        &eve(),
        "m.room.topic",
        Some(""),
        json!({ "topic": "forged" }),
    ));
    assert_eq!(room.take(&forged).outcome, Outcome::Rejected);
    let message = room.message(&ann(), "is no state");
    room.accept(&[&message]);
    let lost = room.state(&moderator(), "m.room.name", "", json!({ "name": "lost" }));
    let last = room.message(&ann(), "behind the gap");
    let mut told = state;
    told.extend([&forged, &message, &lost].map(|event| event.event_id().as_str().to_owned()));
    let reply = room.supply_state(&last, told.clone());
    assert_eq!(reply.missing, [lost.event_id().as_str()]);
    assert_eq!(
        room.place(&last, None).0,
        Outcome::Dropped,
        "a state with holes is none"
    );
    let verdicts = room.supply(vec![raw(&lost)]).verdicts;
    assert_eq!(verdicts[0].outcome, Outcome::Outlier);
    assert_eq!(room.supply_state(&last, told).missing, Vec::<String>::new());
    assert_eq!(room.place(&last, None).0, Outcome::Accepted);
    assert_eq!(room.content("m.room.name", "")["name"], "lost");
    assert_eq!(room.content("m.room.topic", ""), json!(null));
}

/// Attack: a server that was asked for the state before an event tells of a state in which it has power. What this server
/// knows to follow what it holds is resolved with it, and the current state decides.
#[test]
fn a_state_that_is_told_does_not_overrule_what_is_known() {
    let mut room = Foreign::new(RoomVersion::V11);
    let state = room.state_now();
    let member = room
        .remote_state("m.room.member", eve().as_str())
        .as_str()
        .to_owned();
    let kick = room.member(&creator(), eve().as_str(), "leave");
    room.accept(&[&kick]);
    let mut template = room
        .remote
        .template(&eve(), "m.room.message", None, json!({ "body": "still here" }));
    template.auth_events.retain(|id| *id != *kick.event_id());
    template.auth_events.push(member.parse().unwrap());
    let spoken = room.remote.sign(template.clone());
    room.refuses("after the kick", &spoken, Outcome::Rejected, "SenderNotJoined");
    // The same behind a made-up event, with the state from before the kick.
    template.prev_events = vec!["$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".parse().unwrap()];
    let spoken = room.remote.sign(template);
    room.supply_state(&spoken, state);
    let (outcome, why) = room.place(&spoken, None);
    assert_eq!(outcome, Outcome::SoftFailed, "{why}");
    assert!(!room.sees(ALICE, &spoken));
    assert_eq!(room.membership(eve().as_str()), "leave");
}
