//! spec: `server-server-api §edus`

use serde_json::{Value, json};

use super::peer::{Peer, Room, Scene};

const EVE: &str = "@eve:peer.test";

fn joined() -> (Scene, Room) {
    let scene = Scene::new();
    let room = scene.peer.joins(&scene.room_id, EVE);
    (scene, room)
}

fn typing(room_id: &str, user_id: &str, typing: bool) -> Value {
    json!({ "edu_type": "m.typing", "content": { "room_id": room_id, "user_id": user_id, "typing": typing } })
}

fn receipt(room_id: &str, kind: &str, user_id: &str, event_id: &str) -> Value {
    let read = json!({ "event_ids": ["$other", event_id], "data": { "ts": 1 } });
    json!({ "edu_type": "m.receipt", "content": { room_id: { kind: { user_id: read } } } })
}

/// The content of one kind of ephemeral event in Alice's room, in an initial sync.
fn ephemeral(scene: &Scene, kind: &str) -> Value {
    let sync = scene.alice.sync("timeout=0");
    let room = &sync["rooms"]["join"][&scene.room_id];
    let events = room["ephemeral"]["events"].as_array().unwrap();
    let found = events.iter().find(|event| event["type"] == kind);
    found.map_or(Value::Null, |event| event["content"].clone())
}

fn send(peer: &Peer, txn_id: &str, edu: Value) {
    let reply = peer.transaction(txn_id, &[], &[edu]).ok();
    assert_eq!(reply, json!({ "pdus": {} }), "others than events have no results");
}

/// K1
#[test]
fn typing_is_of_the_servers_own_users_in_the_room() {
    let (scene, _) = joined();
    let (room, peer) = (scene.room_id.as_str(), &scene.peer);
    let third = Peer::new(&scene.alice, "third.test");
    send(&third, "1", typing(room, EVE, true));
    send(peer, "1", typing(room, "@alice:example.org", true));
    send(peer, "2", typing(room, "@stranger:peer.test", true));
    send(peer, "3", typing("!unknown:peer.test", EVE, true));
    assert_eq!(ephemeral(&scene, "m.typing"), Value::Null);
    send(peer, "4", typing(room, EVE, true));
    assert_eq!(ephemeral(&scene, "m.typing"), json!({ "user_ids": [EVE] }));
    send(peer, "5", typing(room, EVE, false));
    assert_eq!(ephemeral(&scene, "m.typing"), Value::Null);
    send(peer, "6", typing(room, EVE, true));
    scene.alice.house().pass_ms(30_001);
    assert_eq!(ephemeral(&scene, "m.typing"), Value::Null, "it ends by itself");
}

/// K2
#[test]
fn receipts_are_of_the_servers_own_users_in_the_room() {
    let (scene, _) = joined();
    let (room, peer) = (scene.room_id.as_str(), &scene.peer);
    let event_id = scene.alice.say(room, "1", "hello");
    let third = Peer::new(&scene.alice, "third.test");
    send(&third, "1", receipt(room, "m.read", EVE, &event_id));
    send(
        peer,
        "1",
        receipt(room, "m.read", "@alice:example.org", &event_id),
    );
    send(
        peer,
        "2",
        receipt(room, "m.read", "@stranger:peer.test", &event_id),
    );
    send(peer, "3", receipt(room, "m.read.private", EVE, &event_id));
    send(peer, "4", receipt(room, "m.read", EVE, "$unknown"));
    assert_eq!(ephemeral(&scene, "m.receipt"), Value::Null);
    send(peer, "5", receipt(room, "m.read", EVE, &event_id));
    let content = ephemeral(&scene, "m.receipt");
    assert_eq!(content, json!({ event_id: { "m.read": { EVE: { "ts": 1 } } } }));
}

/// K1, K2, D5
#[test]
fn a_server_that_may_not_take_part_is_not_heard() {
    let (scene, _) = joined();
    let (room, peer) = (scene.room_id.as_str(), &scene.peer);
    let event_id = scene.alice.say(room, "1", "hello");
    scene.deny(&["peer.test"]);
    send(peer, "1", typing(room, EVE, true));
    send(peer, "2", receipt(room, "m.read", EVE, &event_id));
    assert_eq!(ephemeral(&scene, "m.typing"), Value::Null);
    assert_eq!(ephemeral(&scene, "m.receipt"), Value::Null);
}

/// K7, K8: what is unknown or malformed is no matter of what comes with it.
#[test]
fn what_is_malformed_is_passed_over_by_itself() {
    let (scene, _) = joined();
    let room = scene.room_id.as_str();
    let event_id = scene.alice.say(room, "1", "hello");
    let mut odd_receipt = receipt(room, "m.read", EVE, &event_id);
    odd_receipt["content"][room]["m.read"]["@odd:peer.test"] = json!(1);
    let edus = [
        json!({ "edu_type": "m.unknown", "content": {} }),
        json!({ "edu_type": "m.typing" }),
        json!({ "edu_type": "m.typing", "content": { "room_id": 1 } }),
        json!({ "edu_type": "m.receipt", "content": [] }),
        json!({ "edu_type": "m.presence", "content": { "push": [] } }),
        json!(1),
        odd_receipt,
        typing(room, EVE, true),
    ];
    scene.peer.transaction("1", &[], &edus).ok();
    assert_eq!(ephemeral(&scene, "m.typing"), json!({ "user_ids": [EVE] }));
    assert_ne!(ephemeral(&scene, "m.receipt"), Value::Null);
}
