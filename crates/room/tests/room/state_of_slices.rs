//! The state that comes with a slice: with the timeline applied after it, it makes the state that the room has
//! (spec: client-server-api §syncing, §lazy-loading-room-members).

use std::collections::BTreeMap;

use selvage_protocol::room::MembershipAction::{Join, Leave};
use selvage_protocol::room::{EventFilter, SliceFilter, SliceReply};
use selvage_sim::asks::parsed;
use selvage_sim::sync::{Options, told};
use serde_json::json;

use crate::fixture::{ALICE, BOB, CAROL, Fixture, MOD};

/// What a client makes of slices: event ids by type and state key.
fn applied(slices: &[&SliceReply]) -> BTreeMap<String, String> {
    let mut state = BTreeMap::new();
    for event in slices
        .iter()
        .flat_map(|slice| slice.state.iter().chain(&slice.timeline))
    {
        let event = parsed(event);
        if let Some(key) = event.get("state_key") {
            state.insert(format!("{} {key}", event["type"]), event["event_id"].to_string());
        }
    }
    state
}

fn current(fixture: &mut Fixture) -> BTreeMap<String, String> {
    let ask = selvage_protocol::room::GetState {
        viewer: selvage_sim::asks::viewer(ALICE),
    };
    let state = fixture.server.ask(&fixture.room, ask).unwrap();
    let event = |event: &selvage_protocol::Json| {
        let event = parsed(event);
        (
            format!("{} {}", event["type"], event["state_key"]),
            event["event_id"].to_string(),
        )
    };
    state.iter().map(event).collect()
}

#[test]
fn one_whom_history_is_hidden_from_still_knows_the_state() {
    for visibility in ["joined", "invited", "shared", "world_readable"] {
        let mut fixture = Fixture::alone("public", visibility);
        fixture
            .put(ALICE, "m.room.topic", "", &json!({ "topic": "tea" }))
            .unwrap();
        fixture.change(BOB, Join, BOB).unwrap();
        let first = fixture.sync(BOB, None);
        assert_eq!(
            applied(&[first.slice(fixture.room_id())]),
            current(&mut fixture),
            "{visibility}"
        );
        fixture.change(BOB, Leave, BOB).unwrap();
        fixture
            .put(ALICE, "m.room.topic", "", &json!({ "topic": "cake" }))
            .unwrap();
        fixture.change(BOB, Join, BOB).unwrap();
        let second = fixture.sync(BOB, Some(&first));
        let slices = [&first, &second].map(|sync| sync.slice(fixture.room_id()));
        assert_eq!(
            applied(&slices),
            current(&mut fixture),
            "{visibility}, gone and back"
        );
    }
}

#[test]
fn an_older_event_that_is_shown_does_not_hide_a_newer_one_that_is_not() {
    // Bob sees Alice's join, which came before the history was closed, and not her leaving.
    let mut fixture = Fixture::alone("public", "joined");
    fixture.change(CAROL, Join, CAROL).unwrap();
    fixture.change(ALICE, Leave, ALICE).unwrap();
    fixture.change(BOB, Join, BOB).unwrap();
    let sync = fixture.sync(BOB, None);
    let slice = sync.slice(fixture.room_id());
    let alice = applied(&[slice])
        .remove("\"m.room.member\" \"@alice:test\"")
        .unwrap();
    let gone = fixture.server.ask(
        &fixture.room,
        selvage_protocol::room::GetStateEvent {
            viewer: selvage_sim::asks::viewer(CAROL),
            kind: "m.room.member".to_owned(),
            state_key: ALICE.to_owned(),
        },
    );
    let gone = parsed(&gone.unwrap());
    assert_eq!(gone["content"]["membership"], json!("leave"));
    assert_eq!(alice, gone["event_id"].to_string());
    assert!(slice.limited, "what was left out can be paged back to");
}

#[test]
fn a_timeline_without_state_events_takes_no_state_away() {
    let mut fixture = Fixture::peopled("invite", "shared");
    let filter = SliceFilter {
        timeline: EventFilter {
            types: Some(vec!["m.room.message".to_owned()]),
            ..EventFilter::default()
        },
        ..SliceFilter::default()
    };
    let options = Options {
        filter,
        ..Options::default()
    };
    let first = fixture.sync_with(BOB, None, &options);
    assert_eq!(applied(&[first.slice(fixture.room_id())]), current(&mut fixture));
    fixture.said(ALICE, "hello");
    fixture
        .put(ALICE, "m.room.topic", "", &json!({ "topic": "tea" }))
        .unwrap();
    let second = fixture.sync_with(BOB, Some(&first), &options);
    let slice = second.slice(fixture.room_id());
    assert_eq!(
        (told(&slice.timeline), told(&slice.state)),
        (vec!["hello".to_owned()], vec!["topic||tea".to_owned()])
    );
}

#[test]
fn the_state_after_the_timeline_is_the_state_now() {
    let mut fixture = Fixture::peopled("invite", "shared");
    let options = Options {
        state_after: true,
        ..Options::default()
    };
    let only_state = |slice: &SliceReply| SliceReply {
        timeline: Vec::new(),
        ..slice.clone()
    };
    let first = fixture.sync_with(BOB, None, &options);
    let known = only_state(first.slice(fixture.room_id()));
    assert_eq!(applied(&[&known]), current(&mut fixture));
    fixture
        .put(ALICE, "m.room.topic", "", &json!({ "topic": "tea" }))
        .unwrap();
    fixture
        .put(ALICE, "m.room.topic", "", &json!({ "topic": "cake" }))
        .unwrap();
    let second = fixture.sync_with(BOB, Some(&first), &options);
    assert_eq!(told(&second.slice(fixture.room_id()).state), ["topic||cake"]);
    let new = only_state(second.slice(fixture.room_id()));
    assert_eq!(applied(&[&known, &new]), current(&mut fixture));
}

#[test]
fn full_state_comes_again_when_asked_for() {
    let mut fixture = Fixture::peopled("invite", "shared");
    let start = fixture.sync(BOB, None);
    assert!(fixture.sync(BOB, Some(&start)).slices.is_empty());
    let full = Options {
        full_state: true,
        ..Options::default()
    };
    let sync = fixture.sync_with(BOB, Some(&start), &full);
    let slice = sync.slice(fixture.room_id());
    assert!(slice.timeline.is_empty());
    assert_eq!(applied(&[slice]), current(&mut fixture));
}

#[test]
fn lazy_clients_get_the_members_that_they_need() {
    let mut fixture = Fixture::peopled("public", "shared");
    fixture.said(MOD, "hello");
    let filter = SliceFilter {
        limit: 1,
        lazy_load_members: true,
        ..SliceFilter::default()
    };
    let options = Options {
        filter,
        ..Options::default()
    };
    let members = |sync: &selvage_sim::sync::SyncReply, room: &str| {
        let mut members = told(&sync.slice(room).state);
        members.retain(|event| event.starts_with("member|"));
        members
    };
    let room = fixture.room_id().to_owned();
    let first = fixture.sync_with(BOB, None, &options);
    assert_eq!(
        members(&first, &room),
        ["member|@bob:test|join", "member|@mod:test|join"]
    );
    fixture.said(ALICE, "hello");
    let second = fixture.sync_with(BOB, Some(&first), &options);
    assert_eq!(members(&second, &room), ["member|@alice:test|join"]);
    fixture.change(CAROL, Join, CAROL).unwrap();
    fixture.said(ALICE, "welcome");
    let third = fixture.sync_with(BOB, Some(&second), &options);
    assert_eq!(
        members(&third, &room),
        ["member|@alice:test|join", "member|@carol:test|join"],
        "who came in a gap"
    );
}
