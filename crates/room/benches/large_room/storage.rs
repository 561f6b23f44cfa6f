//! A room of many events on disk: how many bytes, how long to load, how long to send one more.

use std::time::Duration;

use selvage_protocol::federation::Missing;
use selvage_protocol::room::MembershipAction;
use selvage_sim::asks;
use serde_json::json;

use crate::Size;
use crate::clock::{median, ms, timed};
use crate::disk::Disk;
use crate::room::{ALICE, join, populated, receive};

/// How many events a transaction has at most (spec: server-server-api §transactions).
const EVENTS_AT_ONCE: usize = 50;
/// How many messages are sent to find how long one takes.
const SENT: usize = 101;

pub(crate) fn measure(size: Size) {
    println!("## A room of {} events and {} members", size.events, size.members);
    let folder = std::env::temp_dir().join(format!("selvage-large-room-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join("shard.sqlite3");
    let mut disk = Disk::open(&path);
    let (mut remote, users) = populated(size.members);
    let ((), joined) = timed(|| join(&mut disk, &remote));
    println!(
        "joined, {} state events in pieces of 500: {:.1} s",
        remote.sent.len(),
        joined.as_secs_f64()
    );
    let mut took = Duration::ZERO;
    let messages = size.events.saturating_sub(remote.sent.len());
    for batch in 0..messages.div_ceil(EVENTS_AT_ONCE) {
        let first = batch * EVENTS_AT_ONCE;
        let events = (first..(first + EVENTS_AT_ONCE).min(messages))
            .map(|number| {
                remote.message(
                    &users[number % users.len()],
                    "What is said in rooms is of about this length.",
                )
            })
            .collect();
        let ask = receive(&remote, events);
        took += timed(|| disk.ask(&remote.room(), ask)).1;
    }
    println!(
        "received, {messages} messages in transactions of {EVENTS_AT_ONCE}: {:.1} s, {:.0} a second",
        took.as_secs_f64(),
        messages as f64 / took.as_secs_f64()
    );
    bytes(&disk, &path);
    drop(disk);
    let (mut disk, opened) = timed(|| Disk::open(&path));
    let (_, loaded) = timed(|| disk.ask(&remote.room(), Missing {}));
    println!(
        "cold: the shard opens in {}, the room loads and answers in {}",
        ms(opened),
        ms(loaded)
    );
    send(disk, &path, &remote.room());
    std::fs::remove_dir_all(&folder).expect("the folder goes");
}

fn bytes(disk: &Disk, path: &std::path::Path) {
    disk.checkpoint();
    let file = std::fs::metadata(path).expect("a file").len();
    let events =
        disk.number("SELECT (SELECT count(*) FROM room_events) + (SELECT count(*) FROM room_others)");
    let json = disk.number(
        "SELECT (SELECT coalesce(sum(length(json)), 0) FROM room_events) \
         + (SELECT coalesce(sum(length(json)), 0) FROM room_others)",
    );
    let nodes = disk.number("SELECT coalesce(sum(length(bytes)), 0) FROM room_nodes");
    println!(
        "on disk: {:.0} MB, {} bytes an event; their JSON is {} bytes an event, so {:.2} times that; state nodes are {:.1} MB of it",
        file as f64 / 1e6,
        file / events,
        json / events,
        file as f64 / json as f64,
        nodes as f64 / 1e6
    );
}

/// A local user joins; what the next messages take.
fn send(mut disk: Disk, path: &std::path::Path, room: &selvage_object::ObjectKey) {
    let (_, joined) = timed(|| disk.ask(room, asks::membership(ALICE, MembershipAction::Join, ALICE)));
    drop(disk);
    let mut disk = Disk::open(path);
    let message = |disk: &mut Disk, number: usize| {
        let id = number.to_string();
        timed(|| disk.ask(room, asks::message(ALICE, &id, "one more"))).1
    };
    let cold = message(&mut disk, 0);
    let warm = median((1..SENT).map(|number| message(&mut disk, number)).collect());
    let topic = |number: usize| asks::put_state(ALICE, "m.room.topic", "", &json!({ "topic": number }));
    let state = median(
        (0..SENT)
            .map(|number| timed(|| disk.ask(room, topic(number))).1)
            .collect(),
    );
    println!(
        "a local join, cold: {}; one more message, cold: {}, warm: {}; a state event, warm: {} (each durable)",
        ms(joined),
        ms(cold),
        ms(warm),
        ms(state)
    );
}
