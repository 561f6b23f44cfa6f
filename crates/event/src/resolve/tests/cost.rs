//! Work is in proportion to how much the forks differ.

use super::*;

/// Members on which the forks differ.
const DIFFERENCE: usize = 100;

/// Power levels that the room has had.
const HISTORY: usize = 2_000;

/// A room with a long history of power levels and very many members, of whom the forks differ in some: in one they
/// have changed their names. Of the rest the source would tell, were it asked.
fn room(version: RoomVersion) -> (Room, Vec<String>) {
    let mut room = Room::new(version);
    let mut last = "levels".to_owned();
    for n in 0..HISTORY {
        let name = format!("levels{n}");
        let levels = json!({"users": if version == RoomVersion::V12 { json!({}) } else { json!({"@ann:a": 100}) }, "ban": n});
        room.share(Make(
            &name,
            "ann",
            "power_levels",
            "",
            levels,
            &["create", "ann", &last],
            5,
        ));
        last = name;
    }
    let mut users = Vec::new();
    for n in 0..DIFFERENCE {
        let (user, joined, renamed) = (format!("@user{n}:a"), format!("joined{n}"), format!("renamed{n}"));
        let content = |name: &str| json!({"membership": "join", "displayname": name});
        let sender = user.trim_start_matches('@').trim_end_matches(":a").to_owned();
        room.add(Make(
            &joined,
            &sender,
            "member",
            &user,
            content("a"),
            &["create", "public", &last],
            10,
        ));
        room.add(Make(
            &renamed,
            &sender,
            "member",
            &user,
            content("b"),
            &["create", "public", &last, &joined],
            20,
        ));
        users.push(user);
    }
    (room, users)
}

fn conflicts(users: &[String]) -> Conflicted {
    let values = |n: usize| vec![Some(id(&format!("joined{n}"))), Some(id(&format!("renamed{n}")))];
    users
        .iter()
        .enumerate()
        .map(|(n, user)| (key("member", user), values(n)))
        .collect()
}

#[test]
fn lookups_are_in_proportion_to_the_difference() {
    for version in [RoomVersion::V1, RoomVersion::V2, RoomVersion::V11] {
        let (room, users) = room(version);
        let resolved = resolve(version, &conflicts(&users), &room).unwrap();
        assert_eq!(resolved.len(), DIFFERENCE);
        assert!(
            resolved.values().all(|id| id.as_str().starts_with("$renamed")),
            "{version}"
        );
        let asked = room.asked.borrow().len();
        assert!(
            asked <= 2 * DIFFERENCE + 10,
            "{version}: {asked} events for {DIFFERENCE} differences"
        );
        let unconflicted = room.unconflicted.get();
        assert!(unconflicted <= 10 * DIFFERENCE, "{version}: {unconflicted} keys");
    }
}

/// In version 12 the paths between conflicted events must be found; an index that says where none can be keeps that
/// from walking whole auth chains.
#[test]
fn the_subgraph_costs_no_walk_with_an_index() {
    struct Indexed(Room);
    impl EventLookup for Indexed {
        type Error = Infallible;
        fn event(&self, id: &EventId) -> Result<Option<KnownEvent>, Infallible> {
            self.0.event(id)
        }
    }
    impl Source for Indexed {
        fn unconflicted(&self, kind: &str, state_key: &str) -> Result<Option<EventId>, Infallible> {
            self.0.unconflicted(kind, state_key)
        }
        fn auth_difference(&self) -> Result<BTreeSet<EventId>, Infallible> {
            self.0.auth_difference()
        }
        fn may_reach(&self, from: &EventId, _targets: &BTreeSet<EventId>) -> Result<bool, Infallible> {
            Ok(from.as_str().starts_with("$renamed"))
        }
    }
    let (room, users) = room(RoomVersion::V12);
    let indexed = Indexed(room);
    let resolved = resolve(RoomVersion::V12, &conflicts(&users), &indexed).unwrap();
    let with_index = indexed.0.asked.take().len();
    let same = resolve(RoomVersion::V12, &conflicts(&users), &indexed.0).unwrap();
    let without = indexed.0.asked.take().len();
    assert_eq!(resolved, same);
    assert_eq!(resolved.len(), DIFFERENCE);
    assert!(
        without > HISTORY,
        "the walk goes to the room's beginning: {without}"
    );
    assert!(
        with_index <= 3 * DIFFERENCE + 10,
        "{with_index} events for {DIFFERENCE} differences"
    );
}
