//! Events that come in any order, late, twice or never (spec: server-server-api §pdus).

use selvage_event::{Event, RoomVersion};
use selvage_protocol::federation::{MissingEvent, Outcome, Supply};
use selvage_sim::Prng;
use selvage_sim::remote::raw;
use serde_json::json;

use crate::fixture::ALICE;
use crate::foreign::{EVIL, Foreign, HOME, ann, creator, moderator};

/// The most events of one server that wait, as the code has it.
const STAGED_MAX: usize = 2_000;

/// The most events of servers without a user in the room that wait.
const OUTSIDERS_MAX: usize = 200;

fn ids(events: &[Event]) -> Vec<String> {
    events
        .iter()
        .map(|event| event.event_id().as_str().to_owned())
        .collect()
}

/// A chain of messages and state.
fn chain(room: &mut Foreign, len: usize) -> Vec<Event> {
    (0..len)
        .map(|number| match number % 5 {
            4 => room.state(&moderator(), "m.room.topic", "", json!({ "topic": number })),
            3 => room.state(&ann(), "m.room.member", ann().as_str(), named(number)),
            _ => room.message(&ann(), &number.to_string()),
        })
        .collect()
}

fn named(number: usize) -> serde_json::Value {
    json!({ "membership": "join", "displayname": number.to_string() })
}

#[test]
fn events_in_any_order_end_the_same() {
    for seed in 0..4 {
        let mut room = Foreign::new(RoomVersion::V11);
        let events = chain(&mut room, 40);
        let mut shuffled: Vec<&Event> = events.iter().collect();
        let mut prng = Prng::new(seed);
        for at in (1..shuffled.len()).rev() {
            shuffled.swap(at, usize::try_from(prng.below(at as u64 + 1)).unwrap());
        }
        for (batch, events) in shuffled.chunks(7).enumerate() {
            room.receive(events);
            if batch == 2 {
                room.server.restart();
            }
        }
        let timeline = room.timeline(ALICE);
        let received = &timeline[timeline.len() - events.len()..];
        assert_eq!(received, ids(&events), "each after those that it follows");
        let missing = room.missing();
        assert_eq!(missing.events, []);
        assert_eq!(missing.extremities, ids(&events[39..]));
        room.counts_agree();
        assert_eq!(room.content("m.room.topic", "")["topic"], 39);
        assert_eq!(room.content("m.room.member", ann().as_str())["displayname"], "38");
        assert_eq!(
            room.count("SELECT (SELECT count(*) FROM room_staged) + (SELECT count(*) FROM room_waits)"),
            0
        );
    }
}

#[test]
fn a_missing_predecessor_is_asked_for_and_nothing_is_shown_meanwhile() {
    let mut room = Foreign::new(RoomVersion::V12);
    let first = room.message(&ann(), "first");
    let second = room.message(&ann(), "second");
    let before = room.seen();
    let reply = room.receive(&[&second]);
    assert_eq!(reply.verdicts[0].outcome, Outcome::Waiting);
    assert!(reply.incomplete);
    assert_eq!(room.seen(), before);
    let wanted = MissingEvent {
        event_id: first.event_id().as_str().to_owned(),
        needed_by: second.event_id().as_str().to_owned(),
        origin: HOME.to_owned(),
        is_auth: false,
    };
    assert_eq!(room.missing().events, [wanted]);
    let reply = room.receive(&[&first]);
    assert_eq!(reply.verdicts[0].outcome, Outcome::Accepted);
    assert!(!reply.incomplete);
    assert!(room.sees(ALICE, &first) && room.sees(ALICE, &second));
}

#[test]
fn of_a_chain_that_is_missing_only_the_nearest_is_asked_for() {
    let mut room = Foreign::new(RoomVersion::V11);
    let events = chain(&mut room, 6);
    room.receive(&[&events[5]]);
    room.receive(&[&events[3]]);
    let wanted: Vec<String> = room
        .missing()
        .events
        .into_iter()
        .map(|missing| missing.event_id)
        .collect();
    let mut expected = ids(&[events[2].clone(), events[4].clone()]);
    expected.sort();
    assert_eq!(wanted, expected, "and what waits itself is not");
}

/// What an event cites as auth event may come without a place: it is supplied.
#[test]
fn a_missing_auth_event_is_asked_for_as_such() {
    let mut room = Foreign::new(RoomVersion::V11);
    let renamed = room.state(&ann(), "m.room.member", ann().as_str(), named(1));
    let mut template = room.remote.template(&ann(), "m.room.message", None, json!({}));
    template.prev_events = renamed.prev_events().to_vec();
    let message = room.remote.sign(template);
    assert_eq!(room.take(&message).outcome, Outcome::Waiting);
    let wanted = room.missing().events;
    assert_eq!(
        (wanted.len(), wanted[0].is_auth, wanted[0].event_id.as_str()),
        (1, true, renamed.event_id().as_str())
    );
    let supply = Supply {
        events: vec![raw(&renamed)],
        keys: room.keys(),
        place: None,
        is_state: false,
    };
    let reply = room.server.ask(&room.room, supply).unwrap();
    assert_eq!(reply.verdicts[0].outcome, Outcome::Outlier);
    room.server.settle();
    assert!(room.sees(ALICE, &message));
    assert!(!room.sees(ALICE, &renamed), "it has no place yet");
    assert_eq!(
        room.content("m.room.member", ann().as_str())["displayname"],
        json!(null)
    );
    assert_eq!(
        room.take(&renamed).outcome,
        Outcome::Accepted,
        "and gets one when it comes"
    );
    assert_eq!(room.content("m.room.member", ann().as_str())["displayname"], "1");
}

#[test]
fn what_comes_again_changes_nothing() {
    let mut room = Foreign::new(RoomVersion::V11);
    let events = chain(&mut room, 3);
    let reply = room.receive(&[&events[2], &events[2]]);
    let outcomes: Vec<Outcome> = reply.verdicts.iter().map(|verdict| verdict.outcome).collect();
    assert_eq!(outcomes, [Outcome::Waiting, Outcome::Waiting]);
    room.receive(&[&events[2]]);
    assert_eq!(room.count("SELECT count(*) FROM room_staged"), 1);
    let reply = room.receive(&[&events[0], &events[0], &events[1]]);
    let outcomes: Vec<Outcome> = reply.verdicts.iter().map(|verdict| verdict.outcome).collect();
    assert_eq!(outcomes, [Outcome::Accepted, Outcome::Known, Outcome::Accepted]);
    let shard = room.server.shard_of(&room.room);
    let before = room.seen();
    room.server.take_written(&shard);
    for event in &events {
        assert_eq!(room.take(event).outcome, Outcome::Known);
    }
    assert_eq!(room.seen(), before);
    assert!(room.server.take_written(&shard).is_empty(), "and writes nothing");
}

/// What waits is as good as what it waits for.
#[test]
fn what_waited_for_a_rejected_event_is_judged_by_it() {
    let mut room = Foreign::new(RoomVersion::V11);
    let before = room.remote.fork();
    let refused = room.state(&ann(), "m.room.topic", "", json!({ "topic": "mine" }));
    let follower = room.message(&ann(), "after it");
    room.remote = before;
    let mut template = room
        .remote
        .template(&moderator(), "m.room.message", None, json!({}));
    template.auth_events.push(refused.event_id().clone());
    let citing = room.remote.sign(template);
    let waiting = room.receive(&[&follower, &citing]);
    assert!(
        waiting
            .verdicts
            .iter()
            .all(|verdict| verdict.outcome == Outcome::Waiting)
    );
    let reply = room.receive(&[&refused]);
    assert_eq!(reply.verdicts[0].outcome, Outcome::Rejected);
    assert!(
        reply.verdicts[0]
            .why
            .as_deref()
            .unwrap()
            .contains("RequiredPower")
    );
    let of_citing = reply
        .taken
        .iter()
        .find(|verdict| verdict.event_id.as_deref() == Some(citing.event_id().as_str()));
    let why = of_citing.and_then(|verdict| verdict.why.as_deref());
    assert!(
        why.is_some_and(|why| why.contains("AuthNotSelected")),
        "it is told which rule refused what had waited: {:?}",
        reply.taken
    );
    assert!(
        room.sees(ALICE, &follower),
        "following a rejected event is no offence"
    );
    assert!(!room.sees(ALICE, &citing), "being authorised by it is");
    assert!(!room.sees(ALICE, &refused));
    assert_eq!(room.content("m.room.topic", ""), json!(null));
}

/// The names of servers that have nobody in the room cost nothing, and so what they may keep waiting is bounded for all of them
/// together.
#[test]
fn what_waits_of_outsiders_has_an_end() {
    let mut room = Foreign::new(RoomVersion::V11);
    let mut floating = Vec::new();
    for number in 0..=OUTSIDERS_MAX {
        room.message(&ann(), &format!("never sent {number}"));
        floating.push(room.message(&ann(), "waits"));
    }
    for (number, event) in floating.iter().enumerate() {
        let origin = format!("outsider{number}.test");
        let verdict = room.receive_json(&origin, vec![raw(event)]).verdicts.remove(0);
        let expected = if number < OUTSIDERS_MAX {
            Outcome::Waiting
        } else {
            Outcome::Dropped
        };
        assert_eq!(verdict.outcome, expected, "{number}: {verdict:?}");
    }
    let reply = room.receive_json(HOME, vec![raw(&floating[OUTSIDERS_MAX])]);
    assert_eq!(
        reply.verdicts[0].outcome,
        Outcome::Waiting,
        "those inside are not held up"
    );
}

/// A long chain that waits for its first event is taken in several turns.
#[test]
fn a_long_chain_is_taken_piece_by_piece() {
    let mut room = Foreign::new(RoomVersion::V11);
    let events = chain(&mut room, 260);
    for piece in events[1..].chunks(50) {
        room.receive(&piece.iter().collect::<Vec<_>>());
    }
    room.receive(&events[..1].iter().collect::<Vec<_>>());
    let shard = room.server.shard_of(&room.room);
    let mut turns = 0;
    while room.count("SELECT count(*) FROM room_staged") > 0 {
        assert!(turns < 5, "it goes on by itself");
        turns += 1;
        room.server.ring(&shard);
        room.server.settle();
    }
    assert!(turns >= 2, "no turn takes all");
    assert!(room.sees(ALICE, &events[259]));
}

/// Attack 9: a chain of predecessors that never comes. What waits is bounded for each server, and other servers are not
/// kept waiting by it.
#[test]
fn what_waits_for_ever_has_an_end() {
    let mut room = Foreign::new(RoomVersion::V11);
    let mut floating = Vec::new();
    for number in 0..=STAGED_MAX {
        let never = room.message(&ann(), &format!("never sent {number}"));
        floating.push(room.message(&ann(), "waits"));
        drop(never);
    }
    let (last, all_but_last) = floating.split_last().unwrap();
    for piece in all_but_last.chunks(50) {
        let reply = room.receive_json(EVIL, piece.iter().map(raw).collect());
        assert!(
            reply
                .verdicts
                .iter()
                .all(|verdict| verdict.outcome == Outcome::Waiting)
        );
    }
    room.refuses(
        "one too many",
        last,
        Outcome::Dropped,
        "too many events of this server wait",
    );
    assert_eq!(room.missing().events.len(), 200, "an answer has an end too");
    let reply = room.receive_json(HOME, vec![raw(last)]);
    assert_eq!(
        reply.verdicts[0].outcome,
        Outcome::Waiting,
        "of another server it is taken"
    );
    let mut template = room
        .remote
        .template(&creator(), "m.room.message", None, json!({}));
    let known = room.missing().extremities;
    template.prev_events = vec![known[0].parse().unwrap()];
    let message = room.remote.sign(template);
    room.accept(&[&message]);
}
