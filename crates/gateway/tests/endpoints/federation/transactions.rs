//! spec: `server-server-api §transactions`, `§checks-performed-on-receipt-of-a-pdu`

use selvage_event::SigningKey;
use serde_json::{Value, json};

use super::peer::{HOUR_MS, Made, Peer, Room, Scene, document, key, signed};

const EVE: &str = "@eve:peer.test";

fn joined() -> (Scene, Room) {
    let scene = Scene::new();
    let room = scene.peer.joins(&scene.room_id, EVE);
    (scene, room)
}

/// Whether an event was refused: an error, or nothing at all where it has no id.
fn refused(said: Option<Value>) -> bool {
    said.is_none_or(|said| said["error"].is_string())
}

fn changed(made: &Made, change: impl FnOnce(&mut Value)) -> Made {
    let mut changed = made.clone();
    change(&mut changed.json);
    changed
}

fn body_of(scene: &Scene, event_id: &str) -> Value {
    let path = scene.alice.in_room(
        &scene.room_id,
        &format!("event/{}", crate::client::percent(event_id)),
    );
    scene.alice.get(&path).ok()["content"].clone()
}

#[test]
fn an_event_comes_in_and_is_seen() {
    let (scene, room) = joined();
    let message = room.message(&scene.peer, EVE, "hello");
    assert_eq!(scene.peer.push("1", &message), Some(json!({})));
    assert_eq!(scene.timeline().last(), Some(&message.id));
    assert_eq!(body_of(&scene, &message.id)["body"], "hello");
}

/// Attack 1: signatures.
#[test]
fn events_that_are_not_signed_by_their_senders_server_are_dropped() {
    let (scene, room) = joined();
    let before = scene.timeline();
    let message = room.message(&scene.peer, EVE, "hello");
    let third = Peer::new(&scene.alice, "third.test");
    let other_key = Peer {
        key: key(99),
        ..scene.peer.clone()
    };
    let same_id = Peer {
        key: SigningKey::from_seed(scene.peer.key.key_id(), &[99; 32]).unwrap(),
        ..scene.peer.clone()
    };
    let whole = changed(&message, |event| {
        let mut object = event.as_object().unwrap().clone();
        object.remove("signatures");
        *event = signed(Value::Object(object), "peer.test", &[&scene.peer.key]);
    });
    let cases = [
        (
            "no signature",
            changed(&message, |event| event["signatures"] = json!({})),
        ),
        (
            "no signatures at all",
            changed(&message, |event| {
                drop(event.as_object_mut().unwrap().remove("signatures"))
            }),
        ),
        ("another server's", room.message(&third, EVE, "hello")),
        ("an unknown key's", room.message(&other_key, EVE, "hello")),
        ("a wrong key's", room.message(&same_id, EVE, "hello")),
        ("over the whole event", whole),
        (
            "cut",
            changed(&message, |event| {
                event["signatures"]["peer.test"][scene.peer.key.key_id()] = json!("AAAA")
            }),
        ),
    ];
    for (at, (what, event)) in cases.iter().enumerate() {
        let said = scene.peer.push(&format!("t{at}"), event);
        assert!(refused(said.clone()), "{what}: {said:?}");
    }
    assert_eq!(scene.timeline(), before);
    assert_eq!(scene.peer.push("good", &message), Some(json!({})));
}

/// Attack 1: a key that ran out signs nothing that is later (spec: `rooms/v5 §signing-key-validity-period`).
#[test]
fn events_from_after_their_keys_time_are_dropped() {
    let (scene, room) = joined();
    let new = key(50);
    let expired_ts = scene.peer.now() + 1_000;
    let mut rotated = document("peer.test", &[&new], scene.peer.now() + 10 * HOUR_MS);
    let old = json!({ "key": scene.peer.key.public_key_base64(), "expired_ts": expired_ts });
    rotated["old_verify_keys"] = json!({ scene.peer.key.key_id(): old });
    scene.peer.publishes(&signed(rotated, "peer.test", &[&new]));
    scene.alice.house().pass_ms(2 * HOUR_MS);
    let rotated = Peer {
        key: new,
        ..scene.peer.clone()
    };
    let at = |ts: u64| {
        let mut event = room.event(EVE, "m.room.message", &json!({ "body": ts.to_string() }));
        event["origin_server_ts"] = json!(ts);
        scene.peer.build(&event, &room.version)
    };
    let (of_its_time, later) = (at(expired_ts), at(expired_ts + 1));
    assert_eq!(rotated.push("1", &of_its_time), Some(json!({})));
    assert!(refused(rotated.push("2", &later)));
    assert_eq!(scene.timeline().last(), Some(&of_its_time.id));
}

/// Attack 2: hashes.
#[test]
fn an_event_whose_content_was_changed_is_kept_redacted() {
    let (scene, room) = joined();
    let message = room.message(&scene.peer, EVE, "hello");
    let no_hash = changed(&message, |event| {
        drop(event.as_object_mut().unwrap().remove("hashes"))
    });
    assert!(refused(scene.peer.push("1", &no_hash)));
    let other_hash = changed(&message, |event| event["hashes"]["sha256"] = json!("AAAA"));
    assert!(refused(scene.peer.push("2", &other_hash)));
    let other_content = changed(&message, |event| event["content"]["body"] = json!("forged"));
    assert_eq!(scene.peer.push("3", &other_content), Some(json!({})));
    assert_eq!(scene.timeline().last(), Some(&message.id));
    assert_eq!(body_of(&scene, &message.id), json!({}));
}

/// Attack 3: in the name of others.
#[test]
fn events_in_the_name_of_others_are_dropped() {
    let (scene, room) = joined();
    let before = scene.timeline();
    let local = room.message(&scene.peer, "@alice:example.org", "I am Alice");
    let third = room.message(&scene.peer, "@bob:third.test", "I am Bob");
    for (at, event) in [local, third].iter().enumerate() {
        assert!(refused(scene.peer.push(&format!("t{at}"), event)));
    }
    let private = scene.alice.create_room(json!({ "room_version": "11" }));
    let mut elsewhere = room.event(EVE, "m.room.message", &json!({ "body": "x" }));
    elsewhere["room_id"] = json!(private);
    let elsewhere = scene.peer.build(&elsewhere, &room.version);
    scene.peer.push("elsewhere", &elsewhere);
    assert_eq!(scene.timeline(), before);
    let path = scene.alice.in_room(&private, "messages?dir=f&limit=100");
    assert!(!scene.alice.get(&path).to_string().contains(&elsewhere.id));
}

/// Any server may pass an event on that its sender's server signed.
#[test]
fn events_of_third_servers_may_be_passed_on() {
    let (scene, _) = joined();
    let third = Peer::new(&scene.alice, "third.test");
    let room = third.joins(&scene.room_id, "@bob:third.test");
    let message = room.message(&third, "@bob:third.test", "hello");
    assert_eq!(scene.peer.push("1", &message), Some(json!({})));
    assert_eq!(scene.timeline().last(), Some(&message.id));
}

/// C1, attack 10.
#[test]
fn transactions_have_a_size() {
    let (scene, room) = joined();
    let before = scene.timeline();
    let message = room.message(&scene.peer, EVE, "hello");
    let edu = json!({ "edu_type": "m.test", "content": {} });
    let reply = scene.peer.transaction("1", &[&message; 51], &[]);
    reply.refused(400, "M_INVALID_PARAM");
    let reply = scene.peer.transaction("1", &[&message], &vec![edu.clone(); 101]);
    reply.refused(400, "M_INVALID_PARAM");
    let huge = json!({ "pdus": [], "padding": "x".repeat(20 * 1024 * 1024) });
    scene.peer.put("v1/send/1", &huge).refused(413, "M_TOO_LARGE");
    assert_eq!(scene.timeline(), before);
    scene.peer.transaction("1", &[&message; 50], &vec![edu; 100]).ok();
    assert_eq!(scene.timeline().len(), before.len() + 1);
}

/// C2: what a body says of its origin does not count.
#[test]
fn a_transaction_is_its_signers() {
    let (scene, room) = joined();
    let message = room.message(&scene.peer, EVE, "hello");
    let body = json!({ "origin": "third.test", "pdus": [message.json] });
    let reply = scene.peer.put("v1/send/1", &body).ok();
    assert_eq!(reply["pdus"], json!({ message.id: {} }));
}

/// C3: spec: `server-server-api §put_matrixfederationv1sendtxnid`
#[test]
fn a_transaction_is_taken_in_once() {
    let (scene, room) = joined();
    let (one, two) = (
        room.message(&scene.peer, EVE, "1"),
        room.message(&scene.peer, EVE, "2"),
    );
    let first = scene.peer.transaction("1", &[&one], &[]).ok();
    let again = scene.peer.transaction("1", &[&one], &[]).ok();
    let other_body = scene.peer.transaction("1", &[&two], &[]).ok();
    assert_eq!((&first, &first), (&again, &other_body));
    assert!(!scene.timeline().contains(&two.id));
    let third = Peer::new(&scene.alice, "third.test");
    let of_third = third.transaction("1", &[&two], &[]).ok();
    assert_ne!(of_third, first, "ids are each server's own");
}

/// C4, C5, C6: what is wrong with one event is no matter of the others.
#[test]
fn one_bad_event_does_not_spoil_the_others() {
    let (scene, room) = joined();
    let good = room.message(&scene.peer, EVE, "hello");
    let bad = changed(&good, |event| event["signatures"] = json!({}));
    let unknown = changed(&good, |event| event["room_id"] = json!("!unknown:peer.test"));
    let nowhere = changed(&good, |event| {
        drop(event.as_object_mut().unwrap().remove("room_id"))
    });
    let no_event = Made {
        id: String::new(),
        json: json!([1]),
    };
    let all = [&bad, &unknown, &nowhere, &no_event, &good];
    let reply = scene
        .peer
        .transaction("1", &all, &[json!("no edu"), json!({})])
        .ok();
    assert_eq!(reply["pdus"].as_object().unwrap().len(), 1, "{reply}");
    assert!(scene.timeline().contains(&good.id));
}

/// C7: a room that nobody here is in any more takes nothing.
#[test]
fn a_room_that_was_left_takes_nothing() {
    let (scene, room) = joined();
    scene
        .alice
        .post(&scene.alice.in_room(&scene.room_id, "leave"), json!({}))
        .ok();
    let message = room.message(&scene.peer, EVE, "hello");
    assert_eq!(scene.peer.push("1", &message), None);
}

/// C8, D5, D7: the server that sends counts, and not the sender's.
#[test]
fn a_server_that_may_not_take_part_sends_in_vain() {
    let (scene, room) = joined();
    let third = Peer::new(&scene.alice, "third.test");
    let of_third = third.joins(&scene.room_id, "@bob:third.test");
    scene.deny(&["PEER.*"]);
    let before = scene.timeline();
    let message = room.message(&scene.peer, EVE, "hello");
    let said = scene.peer.push("1", &message).unwrap();
    assert!(said["error"].as_str().unwrap().contains("take part"), "{said}");
    assert_eq!(scene.timeline(), before);
    let bobs = of_third.message(&third, "@bob:third.test", "hello");
    assert_eq!(third.push("1", &message), Some(json!({})), "it may be passed on");
    assert_eq!(third.push("2", &bobs), Some(json!({})));
    assert_eq!(scene.timeline().len(), before.len() + 2);
}

/// C9: what has failed here is sent again, and then taken in.
#[test]
fn a_transaction_that_failed_here_can_be_sent_again() {
    let (scene, room) = joined();
    let message = room.message(&scene.peer, EVE, "hello");
    let trouble = selvage_gateway::AskError::Unavailable("disk".to_owned());
    scene.alice.house().trouble(Some(trouble));
    assert_eq!(scene.peer.transaction("1", &[&message], &[]).status, 503);
    scene.alice.house().trouble(None);
    assert_eq!(scene.peer.push("1", &message), Some(json!({})));
}
