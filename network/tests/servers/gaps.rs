//! Events that do not arrive, and servers that do not reach each other.
//! spec: `server-server-api §backfilling-and-retrieving-missing-events`

use serde_json::json;

use crate::{A, B, C, Three, count};

/// What did not come from one server comes from another that has it.
#[test]
fn a_gap_is_filled_by_whoever_has_what_is_missing() {
    let three = Three::new();
    let room = three.shared_room();
    three.network.split(A, B, true);
    let mut expected = Vec::new();
    for number in 0..5 {
        expected.push(format!("unheard {number}"));
        three.alice.say(&room, &expected[number]);
    }
    assert_eq!(three.bob.texts(&room).len(), 0);
    three.network.take_exchanged();
    three.carol.say(&room, "what Alice said");
    expected.push("what Alice said".to_owned());
    assert_eq!(count(&three.network.take_exchanged(), "get_missing_events"), 1);
    assert_eq!(three.bob.texts(&room), expected);
}

/// A gap too long to be walked is left open: what comes after it is shown, with the state there; and the past is read later.
#[test]
fn a_long_gap_holds_nothing_up() {
    let three = Three::new();
    let room = three.shared_room();
    three.network.split(A, B, true);
    let mut expected = Vec::new();
    for number in 0..150 {
        expected.push(format!("unheard {number}"));
        three.alice.say(&room, &expected[number]);
    }
    three
        .alice
        .set_state(&room, "m.room.name", "", &json!({ "name": "Later" }))
        .ok();
    three.network.take_exchanged();
    three.carol.say(&room, "still here?");
    expected.push("still here?".to_owned());
    let exchanged = three.network.take_exchanged();
    assert!(exchanged.len() < 40, "{} requests", exchanged.len());
    assert_eq!(three.bob.state(&room, "m.room.name", "").ok()["name"], "Later");
    three.bob.say(&room, "I am");
    expected.push("I am".to_owned());
    assert_eq!(three.carol.texts(&room), expected);
    assert_eq!(three.bob.texts(&room), expected);
}

/// A gap that nobody fills holds up what follows it and nothing else.
#[test]
fn a_gap_that_nobody_fills_stops_nobody() {
    let three = Three::new();
    let room = three.shared_room();
    three.network.split(A, B, true);
    three.alice.say(&room, "unheard");
    three.network.tamper(|exchanged, status, body| {
        let asks = ["get_missing_events", "/state", "/event/", "event_auth"];
        if asks.iter().any(|part| exchanged.what.contains(part)) {
            return (404, br#"{"errcode":"M_NOT_FOUND","error":"no"}"#.to_vec());
        }
        (status, body)
    });
    three.carol.say(&room, "waits");
    three.bob.say(&room, "goes on");
    three.network.take_exchanged();
    three.network.pass(24 * 3_600_000);
    let asked = three.network.take_exchanged();
    let asked = asked
        .iter()
        .filter(|one| one.from == B && !one.what.contains("/send/"))
        .count();
    assert!(asked < 150, "{asked} requests in a day");
    assert_eq!(three.bob.texts(&room), ["goes on"]);
    three.network.leave_alone();
    three.network.split(A, B, false);
    three.network.pass(24 * 3_600_000);
    three.alice.say(&room, "all again");
    three.network.pass(3_600_000);
    let mut bobs = three.bob.texts(&room);
    bobs.sort();
    assert_eq!(bobs, ["all again", "goes on", "unheard", "waits"]);
}

/// Both sides go on, and change the same; afterwards all agree. spec: `rooms/v11 §State resolution`
#[test]
fn a_net_that_was_split_is_of_one_mind_again() {
    let three = Three::new();
    let room = three.shared_room();
    let levels = json!({ "users": { three.alice.user_id.as_str(): 100, three.bob.user_id.as_str(): 50 } });
    three
        .alice
        .set_state(&room, "m.room.power_levels", "", &levels)
        .ok();
    for pair in [(A, B), (B, C)] {
        three.network.split(pair.0, pair.1, true);
    }
    let name = |name: &str| json!({ "name": name });
    three
        .alice
        .set_state(&room, "m.room.name", "", &name("Alice's"))
        .ok();
    three.bob.set_state(&room, "m.room.name", "", &name("Bob's")).ok();
    three.alice.say(&room, "with Carol");
    three.bob.say(&room, "alone");
    three.bob.act("kick", &room, Some(&three.carol)).ok();
    three.carol.say(&room, "kicked?");
    three.network.pass(1_000_000);
    for pair in [(A, B), (B, C)] {
        three.network.split(pair.0, pair.1, false);
    }
    three.network.pass(4 * 3_600_000);
    three.alice.say(&room, "whole");
    three.bob.say(&room, "again");
    three.network.pass(4 * 3_600_000);
    let names: Vec<_> = [&three.alice, &three.bob]
        .iter()
        .map(|user| user.state(&room, "m.room.name", "").ok()["name"].clone())
        .collect();
    assert_eq!(names[0], names[1]);
    let carols: Vec<_> = [&three.alice, &three.bob]
        .iter()
        .map(|user| user.membership(&room, &three.carol))
        .collect();
    assert_eq!(carols[0], carols[1]);
    let sorted = |mut texts: Vec<String>| {
        texts.sort();
        texts.retain(|text| text != "kicked?");
        texts
    };
    let alices = sorted(three.alice.texts(&room));
    assert_eq!(alices, ["again", "alone", "whole", "with Carol"]);
    assert_eq!(sorted(three.bob.texts(&room)), alices);
}
