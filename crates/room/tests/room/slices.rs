//! A room's part of sync: timelines (spec: client-server-api §syncing).

use selvage_protocol::room::MembershipAction::{Ban, Invite, Join, Kick, Leave};
use selvage_protocol::room::{EventFilter, SliceFilter};
use selvage_protocol::user::{Membership, WindowStart};
use selvage_sim::sync::{Options, told};
use serde_json::json;

use crate::fixture::{ALICE, BOB, CAROL, Fixture};

fn limited_to(limit: u32) -> Options {
    Options {
        filter: SliceFilter {
            limit,
            ..SliceFilter::default()
        },
        ..Options::default()
    }
}

#[test]
fn an_initial_sync_has_the_newest_events_and_the_state_before_them() {
    let mut fixture = Fixture::peopled("invite", "shared");
    fixture.say_many(ALICE, 5);
    let sync = fixture.sync_with(BOB, None, &limited_to(3));
    let slice = sync.slice(fixture.room_id());
    assert_eq!(told(&slice.timeline), ["3", "4", "5"]);
    assert!(slice.limited);
    let mut state = told(&slice.state);
    state.sort();
    assert_eq!(
        state,
        [
            "create||",
            "history_visibility||shared",
            "join_rules||invite",
            "member|@alice:test|join",
            "member|@bob:test|join",
            "member|@mod:test|join",
            "power_levels||",
        ]
    );
    let summary = slice.summary.clone().unwrap();
    assert_eq!((summary.joined, summary.invited), (3, 0));
    assert_eq!(summary.heroes, [ALICE, "@mod:test"]);
}

#[test]
fn an_incremental_sync_has_what_is_new_and_nothing_twice() {
    let mut fixture = Fixture::peopled("invite", "shared");
    let start = fixture.sync(BOB, None);
    fixture.say_many(ALICE, 3);
    fixture
        .put(ALICE, "m.room.topic", "", &json!({ "topic": "tea" }))
        .unwrap();
    let sync = fixture.sync(BOB, Some(&start));
    let slice = sync.slice(fixture.room_id());
    assert_eq!(told(&slice.timeline), ["1", "2", "3", "topic||tea"]);
    assert_eq!(
        (slice.limited, slice.state.len(), slice.timeline.len()),
        (false, 0, 4)
    );
    assert!(fixture.sync(BOB, Some(&sync)).changes.rooms.is_empty());
    assert_eq!(
        fixture.sync(BOB, Some(&start)).timeline(fixture.room_id()),
        ["1", "2", "3", "topic||tea"],
        "used twice"
    );
}

#[test]
fn a_gap_is_said_to_be_one_and_its_state_comes() {
    let mut fixture = Fixture::peopled("invite", "shared");
    let start = fixture.sync(BOB, None);
    fixture
        .put(ALICE, "m.room.topic", "", &json!({ "topic": "tea" }))
        .unwrap();
    fixture.say_many(ALICE, 12);
    let sync = fixture.sync_with(BOB, Some(&start), &limited_to(2));
    let slice = sync.slice(fixture.room_id());
    assert_eq!(
        (told(&slice.timeline), slice.limited),
        (vec!["11".to_owned(), "12".to_owned()], true)
    );
    assert_eq!(told(&slice.state), ["topic||tea"]);
    let back = selvage_protocol::room::Messages {
        viewer: selvage_sim::asks::viewer(BOB),
        from: Some(slice.prev_batch),
        to: None,
        backwards: true,
        limit: 3,
        filter: EventFilter::default(),
        lazy_load_members: false,
    };
    let page = fixture.server.ask(&fixture.room, back).unwrap();
    assert_eq!(told(&page.chunk), ["10", "9", "8"]);
}

#[test]
fn a_limit_that_is_just_enough_leaves_no_gap() {
    let mut fixture = Fixture::peopled("invite", "shared");
    let start = fixture.sync(BOB, None);
    fixture.say_many(ALICE, 3);
    for (limit, limited) in [(4, false), (3, false), (2, true), (0, true)] {
        let sync = fixture.sync_with(BOB, Some(&start), &limited_to(limit));
        assert_eq!(sync.slice(fixture.room_id()).limited, limited, "limit {limit}");
    }
}

#[test]
fn one_who_left_sees_the_end_and_no_more() {
    for (action, by) in [(Leave, BOB), (Kick, ALICE), (Ban, ALICE)] {
        let mut fixture = Fixture::peopled("public", "shared");
        let start = fixture.sync(BOB, None);
        fixture.said(ALICE, "last");
        fixture.change(by, action, BOB).unwrap();
        fixture.said(ALICE, "secret");
        fixture
            .put(ALICE, "m.room.topic", "", &json!({ "topic": "secret" }))
            .unwrap();
        let sync = fixture.sync(BOB, Some(&start));
        let end = if action == Ban {
            "member|@bob:test|ban"
        } else {
            "member|@bob:test|leave"
        };
        assert_eq!(sync.timeline(fixture.room_id()), ["last", end], "{action:?}");
        let slice = sync.slice(fixture.room_id());
        assert_eq!((slice.state.len(), &slice.summary), (0, &None));
        assert!(fixture.sync(BOB, Some(&sync)).changes.rooms.is_empty());
        assert!(
            fixture.sync(BOB, None).changes.rooms.is_empty(),
            "left rooms are not in an initial sync"
        );
        let all = fixture.sync_with(
            BOB,
            None,
            &Options {
                include_leave: true,
                ..Options::default()
            },
        );
        let shown = serde_json::to_string(&all.slices).unwrap();
        assert!(shown.contains("last") && !shown.contains("secret"), "{shown}");
    }
}

#[test]
fn one_who_rejected_an_invite_learns_nothing_of_the_room() {
    let mut fixture = Fixture::peopled("invite", "shared");
    fixture
        .put(ALICE, "m.room.topic", "", &json!({ "topic": "secret" }))
        .unwrap();
    let start = fixture.sync(CAROL, None);
    fixture.change(ALICE, Invite, CAROL).unwrap();
    fixture.change(CAROL, Leave, CAROL).unwrap();
    let full = Options {
        full_state: true,
        ..Options::default()
    };
    let archive = Options {
        include_leave: true,
        ..Options::default()
    };
    let after = Options {
        state_after: true,
        ..full.clone()
    };
    for (since, options) in [(Some(&start), &full), (Some(&start), &after), (None, &archive)] {
        let sync = fixture.sync_with(CAROL, since, options);
        assert_eq!(sync.membership(fixture.room_id()), Some(Membership::Leave));
        let slice = sync.slice(fixture.room_id());
        let shown = told(&slice.timeline);
        assert!(
            shown.ends_with(&["member|@carol:test|leave".to_owned()]),
            "{shown:?}"
        );
        assert!(
            shown.iter().all(|event| event.starts_with("member|@carol:test|")),
            "{shown:?}"
        );
        assert!(slice.state.is_empty(), "{:?}", told(&slice.state));
        assert_eq!((&slice.summary, slice.receipts.is_empty()), (&None, true));
    }
}

#[test]
fn one_who_was_banned_and_never_joined_learns_nothing_of_the_room() {
    let mut fixture = Fixture::peopled("invite", "shared");
    let start = fixture.sync(CAROL, None);
    fixture.change(ALICE, Ban, CAROL).unwrap();
    let full = Options {
        full_state: true,
        ..Options::default()
    };
    let sync = fixture.sync_with(CAROL, Some(&start), &full);
    let slice = sync.slice(fixture.room_id());
    assert_eq!(
        (told(&slice.timeline), slice.state.len()),
        (vec!["member|@carol:test|ban".to_owned()], 0)
    );
}

#[test]
fn rejecting_a_second_invite_shows_nothing_of_the_time_between() {
    let mut fixture = Fixture::peopled("invite", "shared");
    fixture.change(BOB, Leave, BOB).unwrap();
    fixture
        .put(ALICE, "m.room.topic", "", &json!({ "topic": "secret" }))
        .unwrap();
    let start = fixture.sync(BOB, None);
    fixture.change(ALICE, Invite, BOB).unwrap();
    fixture.change(BOB, Leave, BOB).unwrap();
    let full = Options {
        full_state: true,
        include_leave: true,
        ..Options::default()
    };
    for since in [Some(&start), None] {
        let sync = fixture.sync_with(BOB, since, &full);
        let shown = serde_json::to_string(&sync.slices).unwrap();
        assert!(!shown.contains("secret"), "{shown}");
    }
}

#[test]
fn timelines_of_those_who_come_and_go_have_the_right_windows() {
    let mut fixture = Fixture::peopled("public", "shared");
    let start = fixture.sync(BOB, None);
    fixture.change(BOB, Leave, BOB).unwrap();
    fixture.said(ALICE, "meanwhile");
    fixture.change(BOB, Join, BOB).unwrap();
    let sync = fixture.sync(BOB, Some(&start));
    assert!(matches!(
        sync.room(fixture.room_id()).unwrap().window.unwrap().from,
        WindowStart::After(_)
    ));
    assert_eq!(
        sync.timeline(fixture.room_id()),
        ["member|@bob:test|leave", "meanwhile", "member|@bob:test|join"]
    );
}

#[test]
fn filters_choose_timeline_and_state() {
    let mut fixture = Fixture::peopled("invite", "shared");
    fixture
        .put(ALICE, "m.room.topic", "", &json!({ "topic": "tea" }))
        .unwrap();
    fixture.said(BOB, "from bob");
    fixture.said(ALICE, "from alice");
    let only = |types: &[&str]| EventFilter {
        types: Some(types.iter().map(|kind| (*kind).to_owned()).collect()),
        ..EventFilter::default()
    };
    let filter = SliceFilter {
        timeline: EventFilter {
            not_senders: vec![BOB.to_owned()],
            ..only(&["m.room.message"])
        },
        state: only(&["m.room.topic", "m.room.create"]),
        ..SliceFilter::default()
    };
    let sync = fixture.sync_with(
        BOB,
        None,
        &Options {
            filter,
            ..Options::default()
        },
    );
    let slice = sync.slice(fixture.room_id());
    assert_eq!(told(&slice.timeline), ["from alice"]);
    assert_eq!(told(&slice.state), ["create||", "topic||tea"]);
}
