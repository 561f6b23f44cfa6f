//! spec: `rooms/v2 §State resolution`, `rooms/v12 §State resolution`. The bulk is tested against another
//! implementation; here is what that does not reach.

use super::*;

const VERSIONS: [RoomVersion; 4] = [
    RoomVersion::V2,
    RoomVersion::V3,
    RoomVersion::V11,
    RoomVersion::V12,
];

fn topic(room: &mut Room, name: &str, sender: &str, time: i64) {
    room.add(Make(
        name,
        sender,
        "topic",
        "",
        json!({}),
        &["create", "levels", sender],
        time,
    ));
}

#[test]
fn the_latest_of_ordinary_events_wins() {
    for version in VERSIONS {
        let mut room = Room::new(version);
        topic(&mut room, "t1", "ann", 11);
        topic(&mut room, "t2", "bob", 10);
        let at = key("topic", "");
        assert_eq!(
            room.winner(&at, &[Some("t1"), Some("t2")]).unwrap(),
            "t1",
            "{version}"
        );
        assert_eq!(
            room.winner(&at, &[Some("t2"), Some("t1")]).unwrap(),
            "t1",
            "{version}"
        );
        assert_eq!(room.winner(&at, &[Some("t2"), None]).unwrap(), "t2", "{version}");
    }
}

#[test]
fn at_the_same_time_the_greatest_id_wins() {
    for version in VERSIONS {
        let mut room = Room::new(version);
        topic(&mut room, "t1", "ann", 10);
        topic(&mut room, "t2", "bob", 10);
        assert_eq!(
            room.winner(&key("topic", ""), &[Some("t1"), Some("t2")]).unwrap(),
            "t2",
            "{version}"
        );
    }
}

/// A ban wins over what the banned user did in the meantime, however late.
#[test]
fn bans_come_first() {
    for version in VERSIONS {
        let mut room = Room::new(version);
        room.add(Make(
            "ban",
            "ann",
            "member",
            "@bob:a",
            json!({"membership": "ban"}),
            &["create", "levels", "ann", "bob"],
            90,
        ));
        topic(&mut room, "t1", "ann", 10);
        topic(&mut room, "t2", "bob", 20);
        let resolved = room.resolve(&[
            (key("member", "@bob:a"), &[Some("ban"), Some("bob")]),
            (key("topic", ""), &[Some("t1"), Some("t2")]),
        ]);
        assert_eq!(resolved[&key("member", "@bob:a")], id("ban"), "{version}");
        assert_eq!(resolved[&key("topic", "")], id("t1"), "{version}");
    }
}

/// Each side bans the other's admin: the more powerful wins, whatever the clocks say.
#[test]
fn two_bans_of_each_other() {
    for version in VERSIONS {
        let mut room = Room::new(version);
        let ban = || json!({"membership": "ban"});
        room.add(Make(
            "of_bob",
            "ann",
            "member",
            "@bob:a",
            ban(),
            &["create", "levels", "ann", "bob"],
            90,
        ));
        room.add(Make(
            "of_ann",
            "bob",
            "member",
            "@ann:a",
            ban(),
            &["create", "levels", "bob", "ann"],
            5,
        ));
        let resolved = room.resolve(&[
            (key("member", "@bob:a"), &[Some("of_bob"), Some("bob")]),
            (key("member", "@ann:a"), &[Some("ann"), Some("of_ann")]),
        ]);
        assert_eq!(resolved[&key("member", "@bob:a")], id("of_bob"), "{version}");
        assert_eq!(resolved[&key("member", "@ann:a")], id("ann"), "{version}");
    }
}

/// Rejected events take no part, as in Synapse, neither as candidates nor as auth events.
#[test]
fn rejected_events() {
    for version in VERSIONS {
        let mut room = Room::new(version);
        topic(&mut room, "t1", "ann", 10);
        topic(&mut room, "t2", "bob", 20);
        room.known.get_mut(&id("t2")).unwrap().rejected = true;
        assert_eq!(
            room.winner(&key("topic", ""), &[Some("t1"), Some("t2")]).unwrap(),
            "t1",
            "{version}"
        );
    }
}

/// Keys on which all forks agree do no harm in the input.
#[test]
fn agreement_in_the_input() {
    for version in VERSIONS {
        let mut room = Room::new(version);
        topic(&mut room, "stranger", "eve", 10);
        let resolved = room.resolve(&[(key("topic", ""), &[Some("stranger"), Some("stranger")])]);
        assert_eq!(
            resolved,
            BTreeMap::from([(key("topic", ""), id("stranger"))]),
            "{version}"
        );
        assert_eq!(room.resolve(&[]), BTreeMap::new());
    }
}

#[test]
fn missing_events_are_named() {
    for version in VERSIONS {
        let room = Room::new(version);
        let conflicted = BTreeMap::from([(key("topic", ""), vec![Some(id("gone")), None])]);
        assert_eq!(
            resolve(version, &conflicted, &room),
            Err(ResolveError::Missing(id("gone"))),
            "{version}"
        );
    }
    let mut room = Room::new(RoomVersion::V11);
    room.add(Make(
        "t1",
        "ann",
        "topic",
        "",
        json!({}),
        &["create", "ann", "gone"],
        5,
    ));
    let conflicted = BTreeMap::from([(key("topic", ""), vec![Some(id("t1")), None])]);
    assert_eq!(
        resolve(RoomVersion::V11, &conflicted, &room),
        Err(ResolveError::Missing(id("gone")))
    );
}

/// What lies on a path between two conflicted events takes part in version 12, though it is in no fork's state and in
/// every fork's auth chain: here the second change of power levels, which the topic builds on.
#[test]
fn the_conflicted_subgraph() {
    for (version, expected) in [(RoomVersion::V11, "p1"), (RoomVersion::V12, "p2")] {
        let mut room = Room::new(version);
        let users = if version == RoomVersion::V12 {
            json!({})
        } else {
            json!({"@ann:a": 100})
        };
        let levels = |ban: i64| json!({"users": users, "ban": ban});
        room.add(Make(
            "p1",
            "ann",
            "power_levels",
            "",
            levels(1),
            &["create", "levels", "ann"],
            10,
        ));
        room.add(Make(
            "p2",
            "ann",
            "power_levels",
            "",
            levels(2),
            &["create", "p1", "ann"],
            11,
        ));
        room.add(Make(
            "t",
            "ann",
            "topic",
            "",
            json!({}),
            &["create", "p2", "ann"],
            12,
        ));
        let resolved = room.resolve(&[
            (key("power_levels", ""), &[Some("levels"), Some("p1")]),
            (key("topic", ""), &[Some("t"), None]),
        ]);
        assert_eq!(resolved[&key("power_levels", "")], id(expected), "{version}");
        assert_eq!(resolved[&key("topic", "")], id("t"), "{version}");
        let asked = room.asked.borrow();
        assert_eq!(
            asked.iter().collect::<BTreeSet<_>>().len(),
            asked.len(),
            "each event is asked for once"
        );
    }
}

/// Cycles, which only forged ids of versions 1 and 2 could make, end.
#[test]
fn cycles_end() {
    for version in [RoomVersion::V2, RoomVersion::V12] {
        let mut room = Room::new(version);
        let levels = || json!({"users": {"@bob:a": 50}});
        room.add(Make(
            "x",
            "ann",
            "power_levels",
            "",
            levels(),
            &["create", "ann", "y"],
            10,
        ));
        room.add(Make(
            "y",
            "ann",
            "power_levels",
            "",
            levels(),
            &["create", "ann", "x"],
            11,
        ));
        room.add(Make(
            "t",
            "ann",
            "topic",
            "",
            json!({}),
            &["create", "ann", "x"],
            12,
        ));
        let resolved = room.resolve(&[
            (key("power_levels", ""), &[Some("x"), Some("y")]),
            (key("topic", ""), &[Some("t"), None]),
        ]);
        assert!(
            !resolved.contains_key(&key("power_levels", "")),
            "{version}: neither comes after the other"
        );
    }
}
