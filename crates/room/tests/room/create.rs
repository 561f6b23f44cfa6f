//! spec: client-server-api §creation.

use selvage_protocol::room::{Create, Messages};
use selvage_protocol::user::Profile;
use selvage_sim::Server;
use selvage_sim::asks::{self, errcode, state, viewer};
use selvage_sim::sync::told;
use serde_json::json;

use crate::fixture::{ALICE, BOB, Fixture};

fn timeline(server: &mut Server, room: &selvage_object::ObjectKey) -> Vec<String> {
    let page = Messages {
        viewer: viewer(ALICE),
        from: None,
        to: None,
        backwards: false,
        limit: 100,
        filter: Default::default(),
        lazy_load_members: false,
    };
    told(&server.ask(room, page).unwrap().chunk)
}

fn server() -> Server {
    let mut server = Server::new("test", Default::default(), 1);
    for user in [ALICE, BOB] {
        asks::register(&mut server, user, asks::DEVICE);
    }
    server
}

#[test]
fn events_come_in_the_order_asked_for() {
    for version in ["10", "11", "12"] {
        let mut server = server();
        let mut states = asks::usual_state(ALICE, version, "invite", "joined");
        states.push(state("m.room.name", "", &json!({ "name": "den" })));
        states.push(state("m.room.member", BOB, &json!({ "membership": "invite" })));
        let (room, create) = asks::create(&server, ALICE, version, "order", states);
        server.ask(&room, create).unwrap();
        let expected = [
            "create||",
            "member|@alice:test|join",
            "power_levels||",
            "join_rules||invite",
            "history_visibility||joined",
            "name||den",
            "member|@bob:test|invite",
        ];
        assert_eq!(timeline(&mut server, &room), expected, "version {version}");
    }
}

#[test]
fn a_repetition_changes_nothing_and_another_room_of_the_id_is_refused() {
    let mut server = server();
    let states = || asks::usual_state(ALICE, "11", "public", "shared");
    let (room, create) = asks::create(&server, ALICE, "11", "twice", states());
    let first = server.ask(&room, create.clone()).unwrap();
    server.ask(&room, asks::message(ALICE, "1", "hello")).unwrap();
    let before = timeline(&mut server, &room);
    assert_eq!(server.ask(&room, create).unwrap(), first);
    assert_eq!(timeline(&mut server, &room), before);
    server.tick(1_000);
    let (_, other) = asks::create(&server, ALICE, "11", "twice", states());
    assert_eq!(errcode(server.ask(&room, other)), "M_ROOM_IN_USE");
    assert_eq!(timeline(&mut server, &room), before);
}

#[test]
fn a_refusal_leaves_nothing() {
    let mut server = server();
    let (room, good) = asks::create(&server, ALICE, "11", "bad", Vec::new());
    let (_, elsewhere) = asks::create(&server, ALICE, "11", "elsewhere", Vec::new());
    let with = |state| Create {
        state: vec![asks::state("m.room.topic", "", &json!({ "topic": "tea" })), state],
        ..good.clone()
    };
    let forged = good.create.get().replace("org.example.name", "org.example.other");
    let cases = [
        ("another room's create event", "M_INVALID_PARAM", elsewhere),
        (
            "an unknown version",
            "M_UNSUPPORTED_ROOM_VERSION",
            Create {
                version: "99".to_owned(),
                ..good.clone()
            },
        ),
        (
            "a second create",
            "M_FORBIDDEN",
            with(state("m.room.create", "", &json!({}))),
        ),
        (
            "a join of somebody else",
            "M_FORBIDDEN",
            with(state("m.room.member", BOB, &json!({ "membership": "join" }))),
        ),
        (
            "a float",
            "M_BAD_JSON",
            with(state("m.room.topic", "", &json!({ "topic": 0.5 }))),
        ),
        (
            "no object",
            "M_BAD_JSON",
            with(state("m.room.topic", "", &json!([]))),
        ),
        (
            "levels that are no integers",
            "M_FORBIDDEN",
            with(state("m.room.power_levels", "", &json!({ "ban": "50" }))),
        ),
        (
            "a forged event",
            "",
            Create {
                create: serde_json::from_str(&forged).unwrap(),
                ..good.clone()
            },
        ),
    ];
    for (what, code, create) in cases {
        let refused = errcode(server.ask(&room, create));
        assert!(code.is_empty() || refused == code, "{what}: {refused}");
        let shard = server.shard_of(&room);
        for table in [
            "SELECT count(*) FROM room_events",
            "SELECT count(*) FROM room_head",
            "SELECT count(*) FROM room_nodes",
        ] {
            assert_eq!(
                server.rows(&shard, table, &[])[0].number(0).unwrap(),
                0,
                "{what}: {table}"
            );
        }
        assert_eq!(
            errcode(server.ask(&room, asks::message(ALICE, "1", "hello"))),
            "M_FORBIDDEN",
            "{what}"
        );
    }
    server.ask(&room, good).unwrap();
    assert_eq!(
        timeline(&mut server, &room),
        ["create||", "member|@alice:test|join"]
    );
}

#[test]
fn the_creator_joins_with_a_profile() {
    let mut server = server();
    let (room, mut create) = asks::create(&server, ALICE, "11", "named", Vec::new());
    create.profile = Profile {
        displayname: Some("Alice".to_owned()),
        avatar_url: Some("mxc://test/a".to_owned()),
    };
    server.ask(&room, create).unwrap();
    let mut fixture = Fixture { server, room };
    let member = fixture.state(ALICE, "m.room.member", ALICE).unwrap();
    assert_eq!(
        member,
        json!({ "membership": "join", "displayname": "Alice", "avatar_url": "mxc://test/a" })
    );
}
