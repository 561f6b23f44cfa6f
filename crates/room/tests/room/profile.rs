//! Profiles in the rooms of their users (spec: client-server-api §profiles).

use selvage_protocol::room::{MembershipAction, ProfileChanged};
use selvage_protocol::user::{Profile, SetProfile};
use selvage_protocol::user_key;
use serde_json::json;

use crate::fixture::{ALICE, BOB, CAROL, Fixture};

fn named(name: Option<&str>, number: u64) -> ProfileChanged {
    ProfileChanged {
        user_id: BOB.to_owned(),
        number,
        profile: Profile {
            displayname: name.map(str::to_owned),
            avatar_url: None,
        },
    }
}

#[test]
fn a_new_name_reaches_the_room_once() {
    let mut fixture = Fixture::peopled("invite", "shared");
    let before = fixture.events();
    for (name, number, events) in [
        (Some("Bob"), 1, 1),
        (Some("Bob"), 1, 1),
        (Some("Rob"), 2, 2),
        (Some("Rob"), 3, 2),
        (None, 4, 3),
        (None, 4, 3),
    ] {
        fixture.server.ask(&fixture.room, named(name, number)).unwrap();
        assert_eq!(fixture.events(), before + events, "{name:?}");
        let content = fixture.state(ALICE, "m.room.member", BOB).unwrap();
        assert_eq!(content.get("displayname"), name.map(|name| json!(name)).as_ref());
    }
}

#[test]
fn changes_that_come_again_after_later_ones_change_nothing() {
    let mut fixture = Fixture::peopled("invite", "shared");
    let before = fixture.events();
    let tell = |fixture: &mut Fixture, name, number| {
        fixture
            .server
            .ask(&fixture.room, named(Some(name), number))
            .unwrap();
    };
    for _ in 0..2 {
        tell(&mut fixture, "Bob", 1);
        tell(&mut fixture, "Rob", 2);
        fixture.server.restart();
    }
    assert_eq!(fixture.events(), before + 2);
    let content = fixture.state(ALICE, "m.room.member", BOB).unwrap();
    assert_eq!(content["displayname"], json!("Rob"));
}

#[test]
fn the_user_object_numbers_its_changes() {
    let mut fixture = Fixture::peopled("invite", "shared");
    for (events, name) in (fixture.events() + 1..).zip(["Bob", "Rob", "Bob"]) {
        let ask = SetProfile {
            field: "displayname".to_owned(),
            value: Some(name.to_owned()),
        };
        fixture.server.ask(&user_key(BOB), ask).unwrap();
        assert_eq!(fixture.events(), events, "{name}");
        fixture.server.restart();
    }
}

#[test]
fn a_change_that_races_a_join_is_not_lost() {
    for action in [MembershipAction::Leave, MembershipAction::Join] {
        let mut fixture = Fixture::peopled("public", "shared");
        fixture.change(BOB, action, BOB).unwrap();
        let ask = SetProfile {
            field: "displayname".to_owned(),
            value: Some("Bob".to_owned()),
        };
        fixture.server.ask(&user_key(BOB), ask).unwrap();
        // Asked for with the profile from before the change.
        fixture.change(BOB, MembershipAction::Join, BOB).unwrap();
        let content = fixture.state(ALICE, "m.room.member", BOB).unwrap();
        assert_eq!(content["displayname"], json!("Bob"), "{action:?}");
        let events = fixture.events();
        fixture.server.settle();
        assert_eq!(fixture.events(), events, "and it is told once");
    }
}

#[test]
fn the_user_object_tells_its_rooms() {
    let mut fixture = Fixture::peopled("invite", "shared");
    let sync = fixture.sync(ALICE, None);
    let ask = SetProfile {
        field: "displayname".to_owned(),
        value: Some("Bob".to_owned()),
    };
    fixture.server.ask(&user_key(BOB), ask).unwrap();
    assert_eq!(
        fixture.sync(ALICE, Some(&sync)).timeline(fixture.room_id()),
        ["member|@bob:test|join"]
    );
    let content = fixture.state(ALICE, "m.room.member", BOB).unwrap();
    assert_eq!(content["displayname"], json!("Bob"));
}

#[test]
fn those_who_are_not_in_the_room_change_nothing_in_it() {
    for action in [MembershipAction::Kick, MembershipAction::Ban] {
        let mut fixture = Fixture::peopled("invite", "shared");
        fixture.change(ALICE, action, BOB).unwrap();
        let before = fixture.events();
        fixture.server.ask(&fixture.room, named(Some("Bob"), 1)).unwrap();
        assert_eq!(fixture.events(), before);
    }
    let mut fixture = Fixture::alone("invite", "shared");
    let before = fixture.events();
    let ask = ProfileChanged {
        user_id: CAROL.to_owned(),
        ..named(Some("Carol"), 1)
    };
    fixture.server.ask(&fixture.room, ask).unwrap();
    assert_eq!(fixture.events(), before);
}
