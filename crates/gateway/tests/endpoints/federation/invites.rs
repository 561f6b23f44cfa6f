//! spec: `server-server-api §inviting-to-a-room`

use serde_json::{Value, json};

use super::peer::{Made, Peer, Scene};
use crate::client::{Client, Reply, percent, settings};

const EVE: &str = "@eve:peer.test";
const ALICE: &str = "@alice:example.org";
const ROOM: &str = "!room:peer.test";

fn scene() -> (Client, Peer) {
    let alice = Client::new().register("alice");
    let peer = Peer::new(&alice, "peer.test");
    (alice, peer)
}

fn fields(room_id: &str, membership: &str, sender: &str, user: &str) -> Value {
    json!({
        "room_id": room_id, "sender": sender, "type": "m.room.member", "state_key": user,
        "content": { "membership": membership }, "prev_events": ["$prev"], "auth_events": ["$auth"],
        "depth": 5, "origin_server_ts": 1_700_000_000_000_u64,
    })
}

fn invite(peer: &Peer) -> Made {
    peer.build(&fields(ROOM, "invite", EVE, ALICE), "11")
}

fn shown() -> Value {
    json!([
        { "type": "m.room.name", "state_key": "", "sender": EVE, "content": { "name": "Their room" }, "unsigned": { "x": 1 } },
        { "type": "m.room.message", "sender": EVE, "content": {} },
    ])
}

fn send(peer: &Peer, room_id: &str, invite: &Made, body: &Value) -> Reply {
    peer.put(
        &format!("v2/invite/{}/{}", percent(room_id), percent(&invite.id)),
        body,
    )
}

fn submit(peer: &Peer, invite: &Made) -> Reply {
    let body = json!({ "room_version": "11", "event": invite.json, "invite_room_state": shown() });
    send(peer, ROOM, invite, &body)
}

fn section<'a>(sync: &'a Value, section: &str) -> &'a Value {
    &sync["rooms"][section][ROOM]
}

/// J16
#[test]
fn an_invite_is_signed_and_shown() {
    let (alice, peer) = scene();
    let invite = invite(&peer);
    let since = alice.sync("timeout=0")["next_batch"].as_str().unwrap().to_owned();
    let answer = submit(&peer, &invite).ok();
    let mut event = answer["event"].clone();
    let own = event["signatures"].as_object_mut().unwrap().remove("example.org");
    assert!(own.unwrap()["ed25519:1"].is_string());
    assert_eq!(event, invite.json, "nothing else is changed");
    let sync = alice.sync(&format!("timeout=0&since={since}"));
    let events = section(&sync, "invite")["invite_state"]["events"]
        .as_array()
        .unwrap();
    let kinds: Vec<&str> = events
        .iter()
        .map(|event| event["type"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["m.room.name", "m.room.member"]);
    assert!(
        events.iter().all(|event| event.as_object().unwrap().len() == 4),
        "stripped"
    );
    submit(&peer, &invite).ok();
    let next = sync["next_batch"].as_str().unwrap();
    assert_eq!(
        alice.sync(&format!("timeout=0&since={next}"))["rooms"]["invite"][ROOM],
        Value::Null
    );
}

/// J13
#[test]
fn only_invites_of_users_here_by_the_servers_own_are_signed() {
    let (alice, peer) = scene();
    let good = invite(&peer);
    let third = Peer::new(&alice, "third.test");
    let unsigned = Made {
        json: {
            let mut event = good.json.clone();
            event["signatures"] = json!({});
            event
        },
        ..good.clone()
    };
    let changed = Made {
        json: {
            let mut event = good.json.clone();
            event["content"]["displayname"] = json!("forged");
            event
        },
        ..good.clone()
    };
    let of = |membership: &str, sender: &str, user: &str| {
        peer.build(&fields(ROOM, membership, sender, user), "11")
    };
    let topic = {
        let mut topic = fields(ROOM, "invite", EVE, ALICE);
        topic["type"] = json!("m.room.topic");
        peer.build(&topic, "11")
    };
    let cases = [
        ("unsigned", unsigned),
        ("changed", changed),
        (
            "signed by another",
            third.build(&fields(ROOM, "invite", EVE, ALICE), "11"),
        ),
        ("a join", of("join", EVE, ALICE)),
        ("a ban", of("ban", EVE, ALICE)),
        ("of another's user", of("invite", "@eve:third.test", ALICE)),
        ("by a user here", of("invite", ALICE, ALICE)),
        ("for another's user", of("invite", EVE, "@bob:third.test")),
        ("no membership", topic),
    ];
    for (what, event) in &cases {
        let reply = submit(&peer, event);
        assert_eq!(
            (reply.status, &reply.json["errcode"]),
            (400, &json!("M_INVALID_PARAM")),
            "{what}: {reply}"
        );
    }
    let body = json!({ "room_version": "11", "event": good.json });
    send(&peer, "!other:peer.test", &good, &body).refused(400, "M_INVALID_PARAM");
    let renamed = Made {
        id: "$other".to_owned(),
        ..good.clone()
    };
    submit(&peer, &renamed).refused(400, "M_INVALID_PARAM");
    let body = json!({ "room_version": "99", "event": good.json });
    let reply = send(&peer, ROOM, &good, &body);
    reply.refused(400, "M_INCOMPATIBLE_ROOM_VERSION");
    assert_eq!(reply.json["room_version"], "99");
    submit(&third, &good).refused(400, "M_INVALID_PARAM");
    assert_eq!(section(&alice.sync("timeout=0"), "invite"), &Value::Null);
}

/// J13: version 1 of the endpoint is for the first room versions.
#[test]
fn servers_of_old_invite_to_rooms_of_old() {
    let (alice, peer) = scene();
    let mut event = fields(ROOM, "invite", EVE, ALICE);
    event["prev_events"] = json!(["$prev:peer.test"]);
    event["auth_events"] = json!(["$auth:peer.test"]);
    let mut invite = peer.build(&event, "1");
    invite.json["unsigned"] = json!({ "invite_room_state": shown() });
    let path = format!("v1/invite/{}/{}", percent(ROOM), percent(&invite.id));
    let answer = peer.put(&path, &invite.json).ok();
    assert_eq!(answer[0], 200);
    assert!(answer[1]["event"]["signatures"]["example.org"].is_object());
    let sync = alice.sync("timeout=0");
    assert_eq!(
        section(&sync, "invite")["invite_state"]["events"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    let newer = self::invite(&peer);
    let path = format!("v1/invite/{}/{}", percent(ROOM), percent(&newer.id));
    peer.put(&path, &newer.json).refused(400, "M_INVALID_PARAM");
}

/// J14: from version 12 on, what is shown of the room proves itself.
#[test]
fn what_a_newer_room_shows_must_be_its_own() {
    let (alice, peer) = scene();
    let create = json!({
        "sender": EVE, "type": "m.room.create", "state_key": "", "content": { "room_version": "12" },
        "prev_events": [], "auth_events": [], "depth": 1, "origin_server_ts": 1_700_000_000_000_u64,
    });
    let create = peer.build(&create, "12");
    let room_id = create.id.replacen('$', "!", 1);
    let invite = peer.build(&fields(&room_id, "invite", EVE, ALICE), "12");
    let name = |room_id: &str| {
        let mut name = fields(room_id, "invite", EVE, "");
        name["type"] = json!("m.room.name");
        peer.build(&name, "12").json
    };
    let mut unsigned = create.json.clone();
    unsigned["signatures"] = json!({});
    let cases = [
        ("nothing", json!([]), "M_MISSING_PARAM"),
        ("no create event", json!([name(&room_id)]), "M_MISSING_PARAM"),
        (
            "stripped",
            json!([{ "type": "m.room.create", "state_key": "", "sender": EVE, "content": {} }]),
            "M_INVALID_PARAM",
        ),
        ("unsigned", json!([unsigned]), "M_INVALID_PARAM"),
        (
            "of another room",
            json!([create.json, name("!other:peer.test")]),
            "M_INVALID_PARAM",
        ),
    ];
    for (what, state, errcode) in cases {
        let body = json!({ "room_version": "12", "event": invite.json, "invite_room_state": state });
        let reply = send(&peer, &room_id, &invite, &body);
        assert_eq!(
            (reply.status, &reply.json["errcode"]),
            (400, &json!(errcode)),
            "{what}: {reply}"
        );
    }
    let many = json!(vec![create.json.clone(); 64]);
    let body = json!({ "room_version": "12", "event": invite.json, "invite_room_state": many });
    send(&peer, &room_id, &invite, &body).refused(400, "M_INVALID_PARAM");
    assert_eq!(alice.sync("timeout=0")["rooms"]["invite"][&room_id], Value::Null);
    let state = json!([create.json, name(&room_id)]);
    let body = json!({ "room_version": "12", "event": invite.json, "invite_room_state": state });
    send(&peer, &room_id, &invite, &body).ok();
    assert_ne!(alice.sync("timeout=0")["rooms"]["invite"][&room_id], Value::Null);
}

/// J15
#[test]
fn users_that_are_not_there_are_not_invited() {
    let (_, peer) = scene();
    let nobody = peer.build(&fields(ROOM, "invite", EVE, "@nobody:example.org"), "11");
    submit(&peer, &nobody).refused(404, "M_NOT_FOUND");
}

/// J15: nobody floods a user with invites.
#[test]
fn invites_are_counted() {
    let mut settings = settings();
    settings.rate_limits = true;
    let alice = Client::of(settings).register("alice");
    let peer = Peer::new(&alice, "peer.test");
    let invite = |n: usize| {
        let room_id = format!("!{n}:peer.test");
        let invite = peer.build(&fields(&room_id, "invite", EVE, ALICE), "11");
        send(
            &peer,
            &room_id,
            &invite,
            &json!({ "room_version": "11", "event": invite.json }),
        )
    };
    for n in 0..20 {
        invite(n).ok();
    }
    invite(20).refused(429, "M_LIMIT_EXCEEDED");
}

/// C7: spec: `server-server-api §inviting-to-a-room`: an invite is taken back by who sent it.
#[test]
fn an_invite_is_taken_back() {
    let (alice, peer) = scene();
    let third = Peer::new(&alice, "third.test");
    let invited = invite(&peer);
    submit(&peer, &invited).ok();
    let leave = |peer: &Peer, sender: &str| {
        let mut leave = fields(ROOM, "leave", sender, ALICE);
        leave["auth_events"] = json!([invited.id]);
        peer.build(&leave, "11")
    };
    let others = leave(&peer, "@mallory:peer.test");
    let mut forged = leave(&peer, EVE);
    forged.json["signatures"] = json!({});
    let foreign = leave(&third, EVE);
    assert_eq!(peer.push("1", &others), None);
    assert_eq!(peer.push("2", &forged), None);
    assert_eq!(third.push("1", &foreign), None);
    assert_eq!(
        third.push("2", &leave(&peer, EVE)),
        None,
        "passed on by another server"
    );
    // It does not cite the invite, so it ended another one.
    peer.push("earlier", &peer.build(&fields(ROOM, "leave", EVE, ALICE), "11"));
    let sync = alice.sync("timeout=0");
    assert_ne!(section(&sync, "invite"), &Value::Null);
    let taken_back = leave(&peer, EVE);
    assert_eq!(peer.push("3", &taken_back), Some(json!({})));
    let next = sync["next_batch"].as_str().unwrap();
    let sync = alice.sync(&format!("timeout=0&since={next}"));
    assert_ne!(section(&sync, "leave"), &Value::Null);
    assert_eq!(section(&alice.sync("timeout=0"), "invite"), &Value::Null);
}

/// J22: an invite to a room that this server is in is the room's to know.
#[test]
fn an_invite_to_a_room_here_is_given_to_the_room() {
    let levels = json!({ "invite": 0 });
    let scene = Scene::of(
        json!({ "preset": "public_chat", "room_version": "11", "power_level_content_override": levels }),
    );
    let bob = scene.alice.register("bob");
    let room = scene.peer.joins(&scene.room_id, EVE);
    let mut event = room.event(EVE, "m.room.member", &json!({ "membership": "invite" }));
    event["state_key"] = json!(bob.user_id);
    // An invite cites the join rules and no other membership than the inviter's, which is what a message cites too.
    let rules = scene
        .peer
        .make("join", &scene.room_id, "@x:peer.test", &["11"])
        .ok();
    event["auth_events"] = merged(&event["auth_events"], &rules["event"]["auth_events"]);
    let invite = scene.peer.build(&event, "11");
    let body = json!({ "room_version": "11", "event": invite.json });
    send(&scene.peer, &scene.room_id, &invite, &body).ok();
    assert_eq!(scene.membership(&bob.user_id), "invite");
    assert_ne!(
        bob.sync("timeout=0")["rooms"]["invite"][&scene.room_id],
        Value::Null
    );
    assert_eq!(scene.peer.push("1", &invite), Some(json!({})));
    bob.join(&scene.room_id).ok();
    scene.deny(&["peer.test"]);
    send(&scene.peer, &scene.room_id, &invite, &body).refused(403, "M_FORBIDDEN");
}

fn merged(one: &Value, other: &Value) -> Value {
    let mut all = one.as_array().unwrap().clone();
    for id in other.as_array().unwrap() {
        if !all.contains(id) {
            all.push(id.clone());
        }
    }
    Value::from(all)
}
