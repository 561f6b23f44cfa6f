//! Account data and filters (spec: client-server-api §client-config, §filtering).

use selvage_protocol::user::{Forget, GetAccountData, GetFilter, Membership, PutFilter, SetAccountData};
use selvage_sim::asks::{errcode, raw};
use serde_json::{Value, json};

use crate::fixture::{Fixture, ROOM, request, short};

const OTHER: &str = "!other:test";

fn set(room: Option<&str>, kind: &str, content: &Value) -> SetAccountData {
    SetAccountData {
        room_id: room.map(str::to_owned),
        kind: kind.to_owned(),
        content: raw(content),
        pos: None,
    }
}

fn get(fixture: &mut Fixture, room: Option<&str>, kind: &str) -> Option<String> {
    let ask = GetAccountData {
        room_id: room.map(str::to_owned),
        kind: kind.to_owned(),
    };
    fixture.ask(ask).unwrap().map(|content| content.get().to_owned())
}

#[test]
fn account_data_is_kept_by_room_and_type() {
    let mut fixture = Fixture::new();
    fixture.ask(set(None, "m.tag", &json!({ "n": 1 }))).unwrap();
    fixture.ask(set(Some(ROOM), "m.tag", &json!({ "n": 2 }))).unwrap();
    fixture.ask(set(None, "m.tag", &json!({ "n": 3 }))).unwrap();
    for _ in 0..2 {
        assert_eq!(get(&mut fixture, None, "m.tag").as_deref(), Some(r#"{"n":3}"#));
        assert_eq!(
            get(&mut fixture, Some(ROOM), "m.tag").as_deref(),
            Some(r#"{"n":2}"#)
        );
        assert_eq!(get(&mut fixture, None, "m.other"), None);
        fixture.server.restart();
    }
}

#[test]
fn a_sync_has_what_changed_once() {
    let mut fixture = Fixture::new();
    fixture.told(Membership::Join, 1);
    let start = fixture.changes(None);
    for n in [1, 2] {
        fixture.ask(set(None, "m.a", &json!({ "n": n }))).unwrap();
    }
    fixture.ask(set(Some(ROOM), "m.b", &json!({}))).unwrap();
    let changes = fixture.changes(Some(start.next));
    let told: Vec<_> = changes
        .account_data
        .iter()
        .map(|datum| (datum.kind.as_str(), datum.content.get()))
        .collect();
    assert_eq!(told, [("m.a", r#"{"n":2}"#)]);
    assert_eq!(
        (
            short(&changes, ROOM).as_str(),
            changes.rooms[ROOM].account_data.len()
        ),
        ("join, no window", 1)
    );
    let again = fixture.changes(Some(changes.next));
    assert!(again.account_data.is_empty() && again.rooms.is_empty());
    let entries = fixture.entries();
    fixture.ask(set(None, "m.a", &json!({ "n": 2 }))).unwrap();
    assert_eq!(fixture.entries(), entries, "what is there already is no change");
    assert_eq!(fixture.changes(None).account_data.len(), 1);
}

#[test]
fn a_room_that_is_joined_comes_with_what_was_set_before() {
    for earlier in [
        vec![],
        vec![Membership::Invite],
        vec![Membership::Join, Membership::Leave],
    ] {
        let mut fixture = Fixture::new();
        for (pos, membership) in (1..).zip(&earlier) {
            fixture.told(*membership, pos);
        }
        fixture.ask(set(Some(ROOM), "m.a", &json!({ "n": 1 }))).unwrap();
        fixture.ask(set(Some(OTHER), "m.a", &json!({ "n": 3 }))).unwrap();
        let before = fixture.changes(None);
        let since = fixture.changes(Some(before.next)).next;
        fixture.told(Membership::Join, 10);
        fixture.ask(set(Some(ROOM), "m.b", &json!({ "n": 2 }))).unwrap();
        let joined = fixture.changes(Some(since));
        let told: Vec<_> = joined.rooms[ROOM]
            .account_data
            .iter()
            .map(|datum| (datum.kind.as_str(), datum.content.get()))
            .collect();
        assert_eq!(
            told,
            [("m.a", r#"{"n":1}"#), ("m.b", r#"{"n":2}"#)],
            "{earlier:?}"
        );
        fixture.moved(11);
        let later = fixture.changes(Some(joined.next));
        assert!(later.rooms[ROOM].account_data.is_empty(), "once is enough");
    }
}

#[test]
fn what_names_a_position_does_not_move_back() {
    let mut fixture = Fixture::new();
    for (n, pos, kept) in [
        (1, Some(7), 1),
        (2, Some(6), 1),
        (3, Some(-8), 1),
        (4, Some(9), 4),
        (5, Some(8), 4),
        (6, None, 6),
        (7, Some(1), 7),
    ] {
        let entries = fixture.entries();
        let ask = SetAccountData {
            pos,
            ..set(Some(ROOM), "m.fully_read", &json!({ "n": n }))
        };
        fixture.ask(ask).unwrap();
        let standing = get(&mut fixture, Some(ROOM), "m.fully_read");
        assert_eq!(standing, Some(json!({ "n": kept }).to_string()), "{n} at {pos:?}");
        assert_eq!(
            fixture.entries() - entries,
            u64::from(kept == n),
            "{n} at {pos:?}"
        );
        fixture.server.restart();
    }
}

#[test]
fn forgetting_a_room_forgets_its_data() {
    let mut fixture = Fixture::new();
    fixture.told(Membership::Join, 1);
    fixture.ask(set(Some(ROOM), "m.b", &json!({}))).unwrap();
    fixture.told(Membership::Leave, 2);
    fixture
        .ask(Forget {
            room_id: ROOM.to_owned(),
        })
        .unwrap();
    assert_eq!(get(&mut fixture, Some(ROOM), "m.b"), None);
}

#[test]
fn what_is_too_large_is_refused() {
    let mut fixture = Fixture::new();
    let cases = [
        set(None, &"x".repeat(256), &json!({})),
        set(None, "m.x", &json!({ "x": "y".repeat(1_000_000) })),
    ];
    for case in cases {
        assert_eq!(errcode(fixture.ask(case)), "M_TOO_LARGE");
    }
    assert_eq!(fixture.entries(), 0);
}

#[test]
fn the_same_filter_has_the_same_id() {
    let mut fixture = Fixture::new();
    let put = |filter: Value| PutFilter { filter: raw(&filter) };
    let ids = [json!({ "a": 1 }), json!({ "b": 1 }), json!({ "a": 1 })]
        .map(|filter| fixture.ask(put(filter)).unwrap());
    assert_eq!(ids[0], ids[2]);
    assert_ne!(ids[0], ids[1]);
    fixture.server.restart();
    for (id, expected) in [
        (ids[0].as_str(), Some(r#"{"a":1}"#)),
        (&ids[1], Some(r#"{"b":1}"#)),
        ("99", None),
        ("no number", None),
        ("-1", None),
    ] {
        let found = fixture
            .ask(GetFilter {
                filter_id: id.to_owned(),
            })
            .unwrap();
        assert_eq!(found.as_ref().map(|filter| filter.get()), expected, "{id}");
        let mut request = request(None);
        request.filter_id = Some(id.to_owned());
        assert_eq!(
            fixture
                .changes_as(request)
                .filter
                .map(|filter| filter.get().to_owned())
                .as_deref(),
            expected
        );
    }
}

#[test]
fn a_filter_has_at_most_65536_bytes_and_a_user_1000_filters() {
    let mut fixture = Fixture::new();
    let large = PutFilter {
        filter: raw(&json!({ "x": "y".repeat(65_536) })),
    };
    assert_eq!(errcode(fixture.ask(large)), "M_TOO_LARGE");
    for n in 0..1_000 {
        fixture
            .ask(PutFilter {
                filter: raw(&json!({ "n": n })),
            })
            .unwrap();
    }
    assert_eq!(
        errcode(fixture.ask(PutFilter {
            filter: raw(&json!({ "n": -1 }))
        })),
        "M_LIMIT_EXCEEDED"
    );
    fixture
        .ask(PutFilter {
            filter: raw(&json!({ "n": 0 })),
        })
        .unwrap();
}
