//! What a sync says of a room, for every change of membership between a token and the sync
//! (spec: client-server-api §syncing).

use selvage_protocol::user::Membership::{self, Ban, Invite, Join, Knock, Leave};
use selvage_protocol::user::{Forget, JoinedRooms};
use selvage_sim::asks::errcode;

use crate::fixture::{Fixture, ROOM, request, short};

/// Memberships at rising positions, ten apart from the first at 10; `Join` is followed by a message five later.
fn play(fixture: &mut Fixture, from: i64, memberships: &[Membership]) -> i64 {
    let mut pos = from;
    for membership in memberships {
        pos += 10;
        fixture.told(*membership, pos);
        if *membership == Join {
            fixture.moved(pos + 5);
        }
    }
    pos
}

fn check(before: &[Membership], between: &[Membership], expected: &str) {
    for restart in [false, true] {
        let mut fixture = Fixture::new();
        let pos = play(&mut fixture, 0, before);
        let token = fixture.changes(None).next;
        play(&mut fixture, pos, between);
        if restart {
            fixture.server.restart();
        }
        let changes = fixture.changes(Some(token));
        assert_eq!(short(&changes, ROOM), expected, "{before:?}, then {between:?}");
        let asked_in = expected.starts_with("invite") || expected.starts_with("knock");
        let stripped = changes
            .rooms
            .get(ROOM)
            .map_or(0, |change| change.stripped_state.len());
        assert_eq!(stripped, usize::from(asked_in));
        assert_eq!(
            short(&fixture.changes(Some(token)), ROOM),
            expected,
            "the same token says the same"
        );
        assert_eq!(
            short(&fixture.changes(Some(changes.next)), ROOM),
            "nothing",
            "and the next one nothing more"
        );
    }
}

#[test]
fn from_no_membership() {
    check(&[], &[], "nothing");
    check(&[], &[Invite], "invite, no window");
    check(&[], &[Knock], "knock, no window");
    check(&[], &[Join], "join, anew to 15");
    check(&[], &[Invite, Join], "join, anew to 25");
    check(&[], &[Ban], "ban, 9 to 10");
    check(&[], &[Invite, Leave], "leave, 19 to 20");
    check(&[], &[Join, Leave], "leave, 19 to 20");
    check(&[], &[Invite, Join, Leave], "leave, 29 to 30");
    check(&[], &[Join, Leave, Join], "join, anew to 35");
}

#[test]
fn from_an_invite() {
    check(&[Invite], &[], "nothing");
    check(&[Invite], &[Invite], "invite, no window");
    check(&[Invite], &[Join], "join, anew to 25");
    check(&[Invite], &[Leave], "leave, 19 to 20");
    check(&[Invite], &[Ban], "ban, 19 to 20");
    check(&[Invite], &[Join, Leave], "leave, 29 to 30");
    check(&[Invite], &[Leave, Invite], "invite, no window");
}

#[test]
fn from_being_joined() {
    check(&[Join], &[], "nothing");
    check(&[Join], &[Leave], "leave, 15 to 20");
    check(&[Join], &[Ban], "ban, 15 to 20");
    check(&[Join], &[Leave, Join], "join, 15 to 35");
    check(&[Join], &[Leave, Invite], "invite, no window");
    check(&[Join], &[Leave, Invite, Join], "join, 15 to 45");
    check(&[Join], &[Leave, Join, Leave], "leave, 15 to 40");
    check(&[Join], &[Ban, Leave], "leave, 15 to 30");
    check(&[Join], &[Join], "join, 15 to 25");
}

#[test]
fn from_having_left() {
    check(&[Join, Leave], &[], "nothing");
    check(&[Join, Leave], &[Join], "join, anew to 35");
    check(&[Join, Leave], &[Invite], "invite, no window");
    check(&[Join, Leave], &[Ban], "ban, 29 to 30");
    check(&[Join, Leave], &[Join, Leave], "leave, 39 to 40");
    check(&[Ban], &[Leave], "leave, 19 to 20");
    check(&[Ban], &[Leave, Join], "join, anew to 35");
}

#[test]
fn an_initial_sync_has_what_is_and_left_rooms_where_they_are_asked_for() {
    let cases: [(&[Membership], &str, &str); 6] = [
        (&[Join], "join, anew to 15", "join, anew to 15"),
        (&[Invite], "invite, no window", "invite, no window"),
        (&[Knock], "knock, no window", "knock, no window"),
        (&[Join, Leave], "nothing", "leave, anew to 20"),
        (&[Ban], "nothing", "ban, anew to 10"),
        (&[Join, Leave, Join], "join, anew to 35", "join, anew to 35"),
    ];
    for (memberships, plain, with_left) in cases {
        let mut fixture = Fixture::new();
        play(&mut fixture, 0, memberships);
        let mut with = request(None);
        with.include_leave = true;
        assert_eq!(short(&fixture.changes(None), ROOM), plain, "{memberships:?}");
        assert_eq!(
            short(&fixture.changes_as(with), ROOM),
            with_left,
            "{memberships:?}"
        );
        let joined = fixture.ask(JoinedRooms {}).unwrap();
        assert_eq!(!joined.is_empty(), memberships.last() == Some(&Join));
    }
}

#[test]
fn full_state_brings_joined_rooms_again() {
    let cases: [(&[Membership], &str); 4] = [
        (&[Join], "join, 15 to 15"),
        (&[Invite], "nothing"),
        (&[Join, Leave], "nothing"),
        (&[], "nothing"),
    ];
    for (memberships, expected) in cases {
        let mut fixture = Fixture::new();
        play(&mut fixture, 0, memberships);
        let mut full = request(Some(fixture.changes(None).next));
        full.full_state = true;
        assert_eq!(
            short(&fixture.changes_as(full), ROOM),
            expected,
            "{memberships:?}"
        );
    }
}

#[test]
fn a_token_of_the_future_starts_anew() {
    let mut fixture = Fixture::new();
    fixture.told(Join, 10);
    let mut token = fixture.changes(None).next;
    token.seq += 1;
    assert_eq!(short(&fixture.changes(Some(token)), ROOM), "join, anew to 10");
}

#[test]
fn only_left_rooms_are_forgotten() {
    for (memberships, may) in [
        (vec![Join], false),
        (vec![Invite], false),
        (vec![Knock], false),
        (vec![Join, Leave], true),
        (vec![Ban], true),
        (vec![], true),
    ] {
        let mut fixture = Fixture::new();
        play(&mut fixture, 0, &memberships);
        let forget = || Forget {
            room_id: ROOM.to_owned(),
        };
        match may {
            true => fixture.ask(forget()).unwrap(),
            false => assert_eq!(errcode(fixture.ask(forget())), "M_UNKNOWN", "{memberships:?}"),
        }
    }
}

#[test]
fn a_forgotten_room_is_told_of_to_those_alone_that_would_still_show_it() {
    let cases: [(&[Membership], &[Membership], &str); 5] = [
        (&[Join], &[Leave], "leave, 15 to 20"),
        (&[Join], &[Ban], "ban, 15 to 20"),
        (&[Invite], &[Leave], "leave, 19 to 20"),
        (&[], &[Join, Leave], "nothing"),
        (&[Join, Leave], &[Ban], "nothing"),
    ];
    for (before, between, expected) in cases {
        for restart in [false, true] {
            let mut fixture = Fixture::new();
            let pos = play(&mut fixture, 0, before);
            let token = fixture.changes(None).next;
            let pos = play(&mut fixture, pos, between);
            fixture
                .ask(Forget {
                    room_id: ROOM.to_owned(),
                })
                .unwrap();
            if restart {
                fixture.server.restart();
            }
            let changes = fixture.changes(Some(token));
            assert_eq!(short(&changes, ROOM), expected, "{before:?} then {between:?}");
            let mut archive = request(None);
            archive.include_leave = true;
            assert_eq!(short(&fixture.changes_as(archive.clone()), ROOM), "nothing");
            // The room's last word comes again: it is an old story.
            fixture.told(*between.last().unwrap(), pos);
            assert_eq!(short(&fixture.changes_as(archive), ROOM), "nothing");
            fixture.told(Invite, pos + 10);
            assert_eq!(
                short(&fixture.changes(Some(changes.next)), ROOM),
                "invite, no window"
            );
        }
    }
}
