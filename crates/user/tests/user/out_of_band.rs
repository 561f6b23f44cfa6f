//! Memberships in rooms that this server is not in.

use selvage_object::Failure;
use selvage_protocol::user::{Membership, OutOfBand, OutOfBandOf, OutOfBandSource, Seen};
use selvage_sim::asks::{errcode, raw};
use serde_json::json;

use crate::fixture::{ALICE, Fixture, ROOM, short};

const INVITER: &str = "@ivy:other.test";

fn told(membership: Membership, sender: &str, event_id: &str) -> OutOfBand {
    OutOfBand {
        room_id: ROOM.to_owned(),
        membership,
        source: OutOfBandSource {
            sender: sender.to_owned(),
            event_id: event_id.to_owned(),
            version: "11".to_owned(),
        },
        stripped_state: vec![raw(&json!({ "type": "m.room.member", "sender": sender }))],
        rate_limited: true,
        ends: None,
    }
}

impl Fixture {
    fn out_of_band(&mut self, membership: Membership, sender: &str, event_id: &str) -> Result<(), Failure> {
        self.ask(told(membership, sender, event_id))
    }

    fn since(&mut self, seen: Seen) -> (String, Seen) {
        let changes = self.changes(Some(seen));
        (short(&changes, ROOM), changes.next)
    }
}

#[test]
fn an_invite_is_shown_once_and_gone_when_it_is_taken_back() {
    let mut user = Fixture::new();
    let start = user.changes(None).next;
    user.out_of_band(Membership::Invite, INVITER, "$1").unwrap();
    user.out_of_band(Membership::Invite, INVITER, "$1").unwrap();
    assert_eq!(user.entries(), 1);
    user.server.restart();
    let changes = user.changes(Some(start));
    assert_eq!(short(&changes, ROOM), "invite, no window");
    assert_eq!(changes.rooms[ROOM].stripped_state.len(), 1);
    let seen = changes.next;
    assert_eq!(user.since(seen).0, "nothing");
    user.out_of_band(Membership::Leave, INVITER, "$2").unwrap();
    user.out_of_band(Membership::Leave, INVITER, "$2").unwrap();
    let changes = user.changes(Some(seen));
    assert_eq!(short(&changes, ROOM), "leave, no window");
    assert!(changes.rooms[ROOM].out_of_band);
    assert_eq!(user.entries(), 2);
    let of = OutOfBandOf {
        room_id: ROOM.to_owned(),
    };
    assert_eq!(user.ask(of).unwrap().unwrap().source.event_id, "$2");
}

/// spec: `server-server-api §inviting-to-a-room`: nobody else takes an invite back.
#[test]
fn an_invite_is_ended_by_its_sender_or_the_user() {
    let mut user = Fixture::new();
    user.out_of_band(Membership::Invite, INVITER, "$1").unwrap();
    let others = user.out_of_band(Membership::Leave, "@eve:other.test", "$2");
    assert_eq!(errcode(others), "M_FORBIDDEN");
    assert_eq!(user.entries(), 1);
    user.out_of_band(Membership::Leave, ALICE, "$3").unwrap();
    assert_eq!(user.entries(), 2);
    user.out_of_band(Membership::Knock, ALICE, "$4").unwrap();
    let others = user.out_of_band(Membership::Leave, INVITER, "$5");
    assert_eq!(errcode(others), "M_FORBIDDEN");
}

/// An invite that was taken back and made again may come before the leave between the two.
#[test]
fn a_leave_ends_the_invite_that_it_cites_and_no_later_one() {
    let mut user = Fixture::new();
    user.out_of_band(Membership::Invite, INVITER, "$2").unwrap();
    let leave = |ended: &str| OutOfBand {
        ends: Some(vec!["$create".to_owned(), ended.to_owned()]),
        ..told(Membership::Leave, INVITER, "$3")
    };
    user.ask(leave("$1")).unwrap();
    assert_eq!(user.entries(), 1);
    user.ask(leave("$2")).unwrap();
    assert_eq!(user.entries(), 2);
}

#[test]
fn what_a_room_here_says_counts_more() {
    let mut user = Fixture::new();
    user.told(Membership::Join, 7);
    for membership in [Membership::Invite, Membership::Leave] {
        user.out_of_band(membership, INVITER, "$1").unwrap();
    }
    assert_eq!(user.entries(), 1);
    user.told(Membership::Leave, 8);
    let seen = user.changes(None).next;
    user.out_of_band(Membership::Invite, INVITER, "$1").unwrap();
    let (said, seen) = user.since(seen);
    assert_eq!(said, "invite, no window");
    user.told(Membership::Join, 8);
    assert_eq!(user.since(seen).0, "nothing", "the room repeats what is known");
    user.told(Membership::Join, 9);
    assert!(user.since(seen).0.starts_with("join, anew"));
    user.server.restart();
    assert!(user.since(seen).0.starts_with("join, anew"));
}

#[test]
fn invites_are_counted_and_have_an_end() {
    let mut user = Fixture::new();
    let mut invite = |n: usize, rate_limited: bool| {
        let room_id = format!("!{n}:other.test");
        let told = told(Membership::Invite, INVITER, "$1");
        user.ask(OutOfBand {
            room_id,
            rate_limited,
            ..told
        })
    };
    for n in 0..20 {
        invite(n, true).unwrap();
    }
    assert_eq!(errcode(invite(20, true)), "M_LIMIT_EXCEEDED");
    for n in 20..500 {
        invite(n, false).unwrap();
    }
    assert_eq!(errcode(invite(500, false)), "M_FORBIDDEN");
    let mut nobody = Fixture::new();
    nobody.user = selvage_protocol::user_key("@nobody:test");
    let told = told(Membership::Invite, INVITER, "$1");
    assert_eq!(errcode(nobody.ask(told)), "M_NOT_FOUND");
}
