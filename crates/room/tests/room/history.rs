//! spec: client-server-api §room-history-visibility: who sees what was said before they were invited, while invited, while in
//! the room, and after they left.

use selvage_protocol::room::MembershipAction::{Ban, Invite, Join, Kick, Leave};
use selvage_protocol::room::Messages;
use selvage_sim::asks::viewer;
use selvage_sim::sync::told;
use serde_json::json;

use crate::fixture::{ALICE, CAROL, Fixture};

const VISIBILITIES: [&str; 4] = ["world_readable", "shared", "invited", "joined"];

/// What the viewer sees of `before invited joined after`, by single events and by paging; paging of one who was never in
/// the room is refused unless all may read it.
fn check(end: &str, expected: [&str; 4]) {
    for (visibility, expected) in VISIBILITIES.into_iter().zip(expected) {
        let mut fixture = Fixture::alone("public", visibility);
        let ids = play(&mut fixture, end);
        let seen: Vec<&str> = ids
            .iter()
            .filter(|(_, id)| fixture.event(CAROL, id).is_ok())
            .map(|(name, _)| *name)
            .collect();
        assert_eq!(seen.join(" "), expected, "{visibility}, {end}: single events");
        let page = Messages {
            viewer: viewer(CAROL),
            from: None,
            to: None,
            backwards: false,
            limit: 100,
            filter: Default::default(),
            lazy_load_members: false,
        };
        let outside = ["never", "invite"].contains(&end) && visibility != "world_readable";
        match fixture.server.ask(&fixture.room, page) {
            Ok(page) => {
                let paged = told(&page.chunk);
                let paged: Vec<&str> = ids
                    .iter()
                    .map(|(name, _)| *name)
                    .filter(|name| paged.contains(&(*name).to_owned()))
                    .collect();
                assert_eq!(paged.join(" "), expected, "{visibility}, {end}: paging");
                assert!(!outside);
            }
            Err(failure) => assert!(
                outside && failure.to_string().starts_with("M_FORBIDDEN"),
                "{visibility}, {end}"
            ),
        }
    }
}

fn play(fixture: &mut Fixture, end: &str) -> Vec<(&'static str, String)> {
    let mut ids = vec![("before", fixture.said(ALICE, "before"))];
    if end != "never" {
        fixture.change(ALICE, Invite, CAROL).unwrap();
    }
    ids.push(("invited", fixture.said(ALICE, "invited")));
    if !["never", "invite"].contains(&end) {
        fixture.change(CAROL, Join, CAROL).unwrap();
    }
    ids.push(("joined", fixture.said(ALICE, "joined")));
    match end {
        "left" => drop(fixture.change(CAROL, Leave, CAROL).unwrap()),
        "kicked" => drop(fixture.change(ALICE, Kick, CAROL).unwrap()),
        "banned" => drop(fixture.change(ALICE, Ban, CAROL).unwrap()),
        "invited again" => {
            fixture.change(CAROL, Leave, CAROL).unwrap();
            fixture.change(ALICE, Invite, CAROL).unwrap();
        }
        _ => {}
    }
    ids.push(("after", fixture.said(ALICE, "after")));
    ids
}

#[test]
fn one_who_was_never_in_the_room() {
    check("never", ["before invited joined after", "", "", ""]);
}

#[test]
fn one_who_is_invited() {
    let mut fixture = Fixture::alone("public", "shared");
    let ids = play(&mut fixture, "invite");
    assert!(ids.iter().all(|(_, id)| fixture.event(CAROL, id).is_err()));
    check(
        "invite",
        ["before invited joined after", "", "invited joined after", ""],
    );
}

#[test]
fn one_who_is_in_the_room() {
    check(
        "in the room",
        ["before invited joined after"; 2]
            .into_iter()
            .chain(["invited joined after", "joined after"])
            .collect::<Vec<_>>()
            .try_into()
            .unwrap(),
    );
}

#[test]
fn one_who_is_gone() {
    for end in ["left", "kicked", "banned"] {
        check(
            end,
            [
                "before invited joined after",
                "before invited joined",
                "invited joined",
                "joined",
            ],
        );
    }
    check(
        "invited again",
        [
            "before invited joined after",
            "before invited joined",
            "invited joined after",
            "joined",
        ],
    );
}

#[test]
fn a_change_counts_from_itself_on_and_not_for_what_was() {
    let mut fixture = Fixture::alone("public", "joined");
    let hidden = fixture.said(ALICE, "hidden");
    let change = fixture
        .put(
            ALICE,
            "m.room.history_visibility",
            "",
            &json!({ "history_visibility": "shared" }),
        )
        .unwrap();
    let open = fixture.said(ALICE, "open");
    fixture.change(CAROL, Join, CAROL).unwrap();
    let sees = |fixture: &mut Fixture, id: &str| fixture.event(CAROL, id).is_ok();
    assert!(!sees(&mut fixture, &hidden));
    assert!(sees(&mut fixture, &change.event_id));
    assert!(sees(&mut fixture, &open));
}

#[test]
fn one_who_left_reads_the_state_as_it_was() {
    let mut fixture = Fixture::alone("public", "shared");
    fixture
        .put(ALICE, "m.room.topic", "", &json!({ "topic": "then" }))
        .unwrap();
    fixture.change(CAROL, Join, CAROL).unwrap();
    fixture.change(CAROL, Leave, CAROL).unwrap();
    fixture
        .put(ALICE, "m.room.topic", "", &json!({ "topic": "now" }))
        .unwrap();
    fixture
        .put(ALICE, "m.room.name", "", &json!({ "name": "new" }))
        .unwrap();
    assert_eq!(
        fixture.state(CAROL, "m.room.topic", "").unwrap(),
        json!({ "topic": "then" })
    );
    assert!(fixture.state(CAROL, "m.room.name", "").is_err());
    assert_eq!(
        fixture.state(ALICE, "m.room.topic", "").unwrap(),
        json!({ "topic": "now" })
    );
    fixture.change(CAROL, Join, CAROL).unwrap();
    assert_eq!(
        fixture.state(CAROL, "m.room.topic", "").unwrap(),
        json!({ "topic": "now" })
    );
}
