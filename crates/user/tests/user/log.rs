//! The log that sync tokens name.

use selvage_object::Placement;
use selvage_protocol::user::Membership::{Invite, Join, Leave};
use selvage_protocol::user::{JoinedRooms, RoomPosition, Seen, SetAccountData};
use selvage_protocol::user_key;
use selvage_sim::Layout;
use selvage_sim::asks::{self, DEVICE, raw};
use serde_json::json;

use crate::fixture::{Fixture, ROOM, short};

/// More than a log holds.
const MANY: i64 = 5_000;
const BOB: &str = "@bob:test";
const OTHER: &str = "!other:test";

#[test]
fn what_a_room_tells_may_come_again_in_any_number_and_order() {
    let mut fixture = Fixture::new();
    let tell_all = |fixture: &mut Fixture, upto: usize| {
        let tells: [&dyn Fn(&mut Fixture); 7] = [
            &|fixture| fixture.told(Invite, 1),
            &|fixture| fixture.told(Join, 2),
            &|fixture| fixture.moved(2),
            &|fixture| fixture.moved(3),
            &|fixture| fixture.told(Leave, 4),
            &|fixture| fixture.told(Join, 5),
            &|fixture| fixture.moved(6),
        ];
        tells[..upto].iter().for_each(|tell| tell(fixture));
    };
    for upto in 1..=7 {
        tell_all(&mut fixture, upto);
    }
    let entries = fixture.entries();
    assert_eq!(entries, 6, "one entry for each thing that changed");
    let told = fixture.changes(None);
    fixture.server.restart();
    fixture.server.take_wakes();
    tell_all(&mut fixture, 7);
    fixture.moved(1);
    assert_eq!(fixture.entries(), entries);
    assert!(
        fixture.server.take_wakes().is_empty(),
        "nobody is woken for old news"
    );
    assert_eq!(short(&fixture.changes(None), ROOM), short(&told, ROOM));
    assert!(fixture.changes(Some(told.next)).rooms.is_empty());
}

#[test]
fn rooms_that_the_user_is_not_in_move_unheard() {
    for memberships in [vec![], vec![Invite], vec![Join, Leave]] {
        let mut fixture = Fixture::new();
        for (pos, membership) in (1..).zip(&memberships) {
            fixture.told(*membership, pos);
        }
        let entries = fixture.entries();
        fixture.moved(100);
        assert_eq!(fixture.entries(), entries, "{memberships:?}");
    }
}

#[test]
fn those_who_have_no_account_hear_nothing() {
    let mut fixture = Fixture::new();
    let nobody = selvage_protocol::user_key("@nobody:test");
    fixture.user = nobody;
    fixture.told(Invite, 1);
    let count = "SELECT count(*) FROM objects WHERE name = '@nobody:test' AND ?1 <> ''";
    assert_eq!(fixture.count(count), 0);
}

#[test]
fn every_entry_wakes_with_a_higher_version() {
    let mut fixture = Fixture::new();
    let mut last = fixture.changes(None).version;
    fixture.server.take_wakes();
    fixture.told(Join, 1);
    for pos in 2..20 {
        fixture.moved(pos);
        if pos == 10 {
            fixture.server.restart();
        }
    }
    let wakes = fixture.server.take_wakes();
    assert_eq!(wakes.len(), 19);
    for wake in wakes {
        assert!(wake.version > last);
        last = wake.version;
    }
    assert_eq!(fixture.changes(None).version, last);
}

#[test]
fn versions_rise_though_the_user_is_loaded_anew_within_a_millisecond() {
    let layout = Layout {
        placement: Placement::Hashed { shards: 1 },
        loaded_bytes_max: 0,
    };
    let mut fixture = Fixture::of(layout);
    asks::register(&mut fixture.server, BOB, DEVICE);
    let make_room_for_bob = |fixture: &mut Fixture| {
        fixture.server.ask(&user_key(BOB), JoinedRooms {}).unwrap();
    };
    fixture.told(Join, 1);
    fixture.server.take_wakes();
    let now = fixture.server.now();
    let mut seen = fixture.changes(None).version;
    for pos in 2..20 {
        make_room_for_bob(&mut fixture);
        fixture.moved(pos);
        make_room_for_bob(&mut fixture);
        let wake = fixture.server.take_wakes().pop().expect("news");
        assert!(wake.version > seen, "{} after {seen}", wake.version);
        seen = fixture.changes(None).version;
        assert!(seen >= wake.version, "{seen} after {}", wake.version);
    }
    assert_eq!(fixture.server.now(), now, "all within one millisecond");
}

#[test]
fn one_of_a_thousand_rooms_is_told_of_alone() {
    let mut fixture = Fixture::new();
    for number in 0..1_000 {
        fixture.told_of(&format!("!{number}:test"), Join, 1);
    }
    let start = fixture.changes(None);
    assert_eq!(start.rooms.len(), 1_000);
    fixture.moved_in("!7:test", 2);
    let changes = fixture.changes(Some(start.next));
    assert_eq!(changes.rooms.keys().collect::<Vec<_>>(), ["!7:test"]);
}

#[test]
fn tokens_outlive_the_entries_that_they_name() {
    let mut fixture = Fixture::new();
    let start = fixture.changes(None).next;
    fixture.told(Join, 1);
    fixture.told_of(OTHER, Join, 1);
    let joined = fixture.changes(None).next;
    let set = |n: i64| SetAccountData {
        room_id: None,
        kind: "m.x".to_owned(),
        content: raw(&json!({ "n": n })),
        pos: None,
    };
    fixture.ask(set(1)).unwrap();
    for pos in 2..=MANY {
        fixture.moved(pos);
    }
    let late = fixture.changes(None).next;
    fixture.moved(MANY + 1);
    for restart in [false, true] {
        if restart {
            fixture.server.restart();
        }
        assert!(
            (2_048..=4_096).contains(&fixture.entries()),
            "{} entries",
            fixture.entries()
        );
        let expected = [
            (Some(start), "join, anew to 5001", "join, anew to 1", 1),
            (Some(joined), "join, lost to 5001", "nothing", 1),
            (Some(late), "join, 5000 to 5001", "nothing", 0),
            (None, "join, anew to 5001", "join, anew to 1", 1),
        ];
        for (token, room, other, data) in expected {
            let changes = fixture.changes(token);
            assert_eq!(short(&changes, ROOM), room, "{token:?}");
            assert_eq!(changes.account_data.len(), data, "{token:?}");
            // A room that did not move may come again, and then says that its position is known.
            let quiet = short(&changes, OTHER);
            assert_eq!(quiet, other, "{token:?}");
        }
    }
}

#[test]
fn one_who_left_while_the_token_was_forgotten_is_told_of_it() {
    let mut fixture = Fixture::new();
    fixture.told(Join, 1);
    fixture.told_of(OTHER, Join, 1);
    let token = fixture.changes(None).next;
    fixture.told_of(OTHER, Leave, 2);
    for pos in 2..=MANY {
        fixture.moved(pos);
    }
    assert_eq!(short(&fixture.changes(Some(token)), OTHER), "leave, lost to 2");
}

#[test]
fn positions_are_known_by_token() {
    let mut fixture = Fixture::new();
    let mut tokens: Vec<Seen> = vec![fixture.changes(None).next];
    fixture.told(Join, 1);
    tokens.push(fixture.changes(None).next);
    fixture.moved(5);
    fixture.told_of(OTHER, Join, 9);
    tokens.push(fixture.changes(None).next);
    for _ in 0..2 {
        let positions: Vec<Option<i64>> = tokens
            .iter()
            .map(|token| {
                let ask = RoomPosition {
                    room_id: ROOM.to_owned(),
                    seq: token.seq,
                };
                fixture.server.ask(&fixture.user, ask).unwrap()
            })
            .collect();
        assert_eq!(positions, [None, Some(1), Some(5)]);
        fixture.server.restart();
    }
}
