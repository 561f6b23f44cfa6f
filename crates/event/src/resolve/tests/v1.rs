//! spec: `rooms/v1 §State resolution`

use super::*;

fn room() -> Room {
    Room::new(RoomVersion::V1)
}

const CITES: [&str; 3] = ["create", "levels", "ann"];

fn topic(room: &mut Room, name: &str, sender: &str, depth: i64) {
    let cites = ["create", "levels", sender];
    room.add(Make(name, sender, "topic", "", json!({}), &cites, depth));
}

#[test]
fn the_deepest_of_other_events_wins() {
    let mut room = room();
    topic(&mut room, "t1", "ann", 10);
    topic(&mut room, "t2", "bob", 11);
    assert_eq!(
        room.winner(&key("topic", ""), &[Some("t1"), Some("t2")]).unwrap(),
        "t2"
    );
    assert_eq!(
        room.winner(&key("topic", ""), &[Some("t2"), Some("t1")]).unwrap(),
        "t2"
    );
}

/// SHA-1 of "$t1:a" is 9b…, of "$t2:a" 0e…: the lowest wins at equal depth.
#[test]
fn at_equal_depth_the_lowest_hash_wins() {
    let mut room = room();
    let hashes: Vec<_> = ["t1", "t2"]
        .map(|name| (sha1::sha1(id(name).as_str().as_bytes()), name))
        .into();
    let lowest = hashes.iter().min().unwrap().1;
    topic(&mut room, "t1", "ann", 10);
    topic(&mut room, "t2", "bob", 10);
    assert_eq!(
        room.winner(&key("topic", ""), &[Some("t1"), Some("t2")]).unwrap(),
        lowest
    );
}

#[test]
fn events_that_are_not_allowed_are_passed_over() {
    let mut room = room();
    topic(&mut room, "t1", "ann", 10);
    topic(&mut room, "stranger", "eve", 90);
    assert_eq!(
        room.winner(&key("topic", ""), &[Some("t1"), Some("stranger")])
            .unwrap(),
        "t1"
    );
    topic(&mut room, "stranger2", "fox", 80);
    let none_allowed = room.winner(&key("topic", ""), &[Some("stranger"), Some("stranger2")]);
    assert_eq!(
        none_allowed.unwrap(),
        "stranger2",
        "the least deep when none is allowed"
    );
}

/// From the least deep on, each as long as the one before allows it; the first that is refused ends it.
#[test]
fn power_levels_are_taken_while_they_allow_each_other() {
    let mut room = room();
    let levels = |bob: i64| json!({"users": {"@ann:a": 100, "@bob:a": bob}});
    room.add(Make("p1", "ann", "power_levels", "", levels(0), &CITES, 10));
    room.add(Make(
        "p2",
        "bob",
        "power_levels",
        "",
        levels(50),
        &["create", "levels", "bob"],
        11,
    ));
    room.add(Make("p3", "ann", "power_levels", "", levels(75), &CITES, 12));
    let at = key("power_levels", "");
    assert_eq!(room.winner(&at, &[Some("p1"), Some("p3")]).unwrap(), "p3");
    assert_eq!(
        room.winner(&at, &[Some("p3"), Some("p2"), Some("p1")]).unwrap(),
        "p1"
    );
}

/// Power levels first, then join rules, then memberships, then the rest, each in the light of those before.
#[test]
fn the_order_of_types() {
    let mut room = room();
    let levels = |bob: i64| json!({"users": {"@ann:a": 100, "@bob:a": bob}});
    room.add(Make("p1", "ann", "power_levels", "", levels(50), &CITES, 10));
    room.add(Make("p2", "ann", "power_levels", "", levels(0), &CITES, 11));
    topic(&mut room, "t1", "ann", 10);
    topic(&mut room, "t2", "bob", 20);
    let forks = [
        (key("power_levels", ""), &[Some("p1"), Some("p2")][..]),
        (key("topic", ""), &[Some("t1"), Some("t2")][..]),
    ];
    let resolved = room.resolve(&forks);
    assert_eq!(resolved[&key("power_levels", "")], id("p2"));
    assert_eq!(resolved[&key("topic", "")], id("t1"), "bob has no power any more");
}

/// A key that some forks lack is no conflict when the others agree.
#[test]
fn forks_that_lack_a_key() {
    let mut room = room();
    topic(&mut room, "stranger", "eve", 90);
    let at = key("topic", "");
    assert_eq!(room.winner(&at, &[Some("stranger"), None]).unwrap(), "stranger");
    assert_eq!(room.winner(&at, &[None, None]), None);
}
