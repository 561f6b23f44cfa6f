//! What large rooms cost: bytes in memory at a time, rows and nodes written. Counts, no times.

// Helpers of tests fail like tests.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod memory;

use selvage_event::RoomVersion;
use selvage_object::Placement;
use selvage_protocol::federation::{Outcome, Receive, StateIds};
use selvage_sim::remote::RemoteRoom;
use selvage_sim::server::command;
use selvage_sim::{Layout, Server};
use serde_json::json;

/// The most that one step may take beside what was there before it, in bytes.
const STEP_MAX_BYTES: usize = 32 << 20;
const MEMBERS: usize = 10_000;
/// What grows with the room must leave room for this many times the members.
const TEN_TIMES: usize = 10;
const MESSAGES: usize = 10_000;
/// How many events a transaction has at most (spec: server-server-api §transactions).
const EVENTS_AT_ONCE: usize = 50;
/// The rows of a received message: the event, its place and id in two indexes, and the head.
const ROWS_A_MESSAGE_MAX: u64 = 4;

fn server() -> Server {
    let layout = Layout {
        placement: Placement::ByKind { shards: 4 },
        ..Layout::default()
    };
    Server::new("test", layout, 1)
}

#[test]
fn messages_into_a_room_of_ten_thousand_members_take_little_memory_at_a_time() {
    let mut remote = RemoteRoom::new("remote.test", RoomVersion::V11);
    let users: Vec<_> = (0..MEMBERS)
        .map(|number| remote.user(&format!("user{number}")))
        .collect();
    for user in &users {
        remote.join(user);
    }
    let mut server = server();
    let mut peak = 0;
    memory::begin_step();
    remote.give_to(&mut server, &mut || {
        peak = peak.max(memory::end_step());
        memory::begin_step();
    });
    assert!(peak < STEP_MAX_BYTES, "a step of joining took {peak} bytes");

    let state_ids = StateIds {
        server: "remote.test".to_owned(),
        event_id: remote.sent.last().expect("events").0.as_str().to_owned(),
    };
    memory::begin_step();
    server
        .turn(&remote.room(), &command(state_ids))
        .expect("a state is told");
    let told = memory::end_step();
    assert!(
        told < STEP_MAX_BYTES / TEN_TIMES,
        "telling the state took {told} bytes: too much in a room ten times as large"
    );

    let shard = server.shard_of(&remote.room());
    let (mut peak, mut accepted) = (0, 0);
    for batch in 0..MESSAGES / EVENTS_AT_ONCE {
        let events = (0..EVENTS_AT_ONCE)
            .map(|number| remote.message(&users[(batch * EVENTS_AT_ONCE + number) % MEMBERS], "hello"))
            .collect();
        let receive = Receive {
            origin: "remote.test".to_owned(),
            events,
            keys: remote.keys(),
            history_before: None,
        };
        server.take_written(&shard);
        memory::begin_step();
        let reply = server.ask(&remote.room(), receive).expect("events are taken");
        peak = peak.max(memory::end_step());
        accepted += reply
            .verdicts
            .iter()
            .filter(|verdict| verdict.outcome == Outcome::Accepted)
            .count();
        let written = server.take_written(&shard);
        assert_eq!(
            written.get("room_nodes"),
            None,
            "messages write no state: {written:?}"
        );
        let rows: u64 = written.values().sum();
        assert!(rows <= ROWS_A_MESSAGE_MAX * EVENTS_AT_ONCE as u64, "{written:?}");
    }
    assert_eq!(accepted, MESSAGES);
    assert!(
        peak < STEP_MAX_BYTES,
        "a step of {EVENTS_AT_ONCE} messages took {peak} bytes"
    );
}

/// How many members each fork changes.
const CHANGED: usize = 50;
/// What resolving reads of events, at most, for each of the changes of both forks: the event, what it replaced, the few
/// that it cites, and some of those that cite these.
const EVENTS_READ_A_CHANGE_MAX: u64 = 12;
/// State nodes read for each change: the paths to what changed.
const NODES_READ_A_CHANGE_MAX: u64 = 12;

/// Design budget: resolution touches events in proportion to the difference, and not to the room.
#[test]
fn resolution_reads_in_proportion_to_the_difference() {
    let mut remote = RemoteRoom::new("remote.test", RoomVersion::V11);
    let users: Vec<_> = (0..MEMBERS)
        .map(|number| remote.user(&format!("user{number}")))
        .collect();
    for user in &users {
        remote.join(user);
    }
    let mut server = server();
    remote.give_to(&mut server, &mut || {});
    let shard = server.shard_of(&remote.room());
    let send = |server: &mut Server, remote: &RemoteRoom| {
        for piece in remote.sent.chunks(EVENTS_AT_ONCE) {
            let receive = Receive {
                origin: "remote.test".to_owned(),
                events: piece.iter().map(|(_, event)| event.clone()).collect(),
                keys: remote.keys(),
                history_before: None,
            };
            let reply = server.ask(&remote.room(), receive).expect("events are taken");
            let accepted = reply
                .verdicts
                .iter()
                .filter(|verdict| verdict.outcome == Outcome::Accepted);
            assert_eq!(accepted.count(), piece.len(), "{:?}", reply.verdicts);
        }
    };
    let named = |user: &selvage_event::UserId, name: &str| {
        (user.clone(), json!({ "membership": "join", "displayname": name }))
    };
    let (mut left, mut right) = (remote.fork(), remote.fork());
    for (at, user) in users.iter().take(CHANGED).enumerate() {
        let (user, content) = named(user, &format!("left {at}"));
        left.state_event(&user, "m.room.member", user.as_str(), content);
    }
    // Half of what the right changes, the left changes too.
    for (at, user) in users.iter().skip(CHANGED / 2).take(CHANGED).enumerate() {
        let (user, content) = named(user, &format!("right {at}"));
        right.state_event(&user, "m.room.member", user.as_str(), content);
    }
    send(&mut server, &left);
    let (rest, last) = right.sent.split_at(CHANGED - 1);
    let mut all_but_last = right.fork();
    all_but_last.sent = rest.to_vec();
    send(&mut server, &all_but_last);
    server.restart();
    server.take_read(&shard);
    let mut only_last = right.fork();
    only_last.sent = last.to_vec();
    send(&mut server, &only_last);
    let read = server.take_read(&shard);
    let changes = 2 * CHANGED as u64;
    let events =
        read.get("room_events").copied().unwrap_or(0) + read.get("room_others").copied().unwrap_or(0);
    assert!(events <= EVENTS_READ_A_CHANGE_MAX * changes, "{read:?}");
    assert!(
        read["room_nodes"] <= NODES_READ_A_CHANGE_MAX * changes,
        "{read:?}"
    );
}
