//! spec: `server-server-api §backfilling-and-retrieving-missing-events`, `§retrieving-events`; attack 12.

use serde_json::{Value, json};

use super::peer::{Peer, Room, Scene};
use crate::client::{Reply, percent};

const EVE: &str = "@eve:peer.test";

fn joined() -> (Scene, Room) {
    let scene = Scene::new();
    let room = scene.peer.joins(&scene.room_id, EVE);
    (scene, room)
}

/// All ways to read something of a room, about one event in it.
fn ways(peer: &Peer, room_id: &str, event_id: &str) -> Vec<(&'static str, Reply)> {
    let (room, event) = (percent(room_id), percent(event_id));
    let missing = json!({ "earliest_events": [], "latest_events": [event_id], "limit": 10 });
    vec![
        ("state", peer.get(&format!("v1/state/{room}?event_id={event}"))),
        (
            "state_ids",
            peer.get(&format!("v1/state_ids/{room}?event_id={event}")),
        ),
        ("event_auth", peer.get(&format!("v1/event_auth/{room}/{event}"))),
        (
            "backfill",
            peer.get(&format!("v1/backfill/{room}?v={event}&limit=10")),
        ),
        (
            "missing",
            peer.post(&format!("v1/get_missing_events/{room}"), &missing),
        ),
    ]
}

fn event(peer: &Peer, event_id: &str) -> Reply {
    peer.get(&format!("v1/event/{}", percent(event_id)))
}

fn list<'a>(answer: &'a Value, name: &str) -> &'a Vec<Value> {
    answer[name].as_array().unwrap()
}

#[test]
fn a_server_in_the_room_reads_what_is_there() {
    let (scene, room) = joined();
    let said = scene.alice.say(&scene.room_id, "1", "hello");
    let later = scene.alice.say(&scene.room_id, "2", "hello again");
    for (what, reply) in ways(&scene.peer, &scene.room_id, &said) {
        let answer = reply.ok();
        match what {
            "state" => {
                assert_eq!(
                    list(&answer, "pdus").len(),
                    room.state.len() + 1,
                    "with Eve's join"
                );
                assert!(!list(&answer, "auth_chain").is_empty());
            }
            "state_ids" => assert_eq!(list(&answer, "pdu_ids").len(), room.state.len() + 1),
            "event_auth" => assert!(list(&answer, "auth_chain").len() >= 3),
            "backfill" => {
                assert_eq!(
                    (answer["origin"].as_str(), list(&answer, "pdus").len()),
                    (Some("example.org"), 10.min(list(&answer, "pdus").len()))
                );
                assert_eq!(list(&answer, "pdus")[0]["content"]["body"], "hello");
            }
            _ => assert!(list(&answer, "events").last().unwrap()["type"] == "m.room.member"),
        }
    }
    let answer = event(&scene.peer, &later).ok();
    assert_eq!(list(&answer, "pdus")[0]["content"]["body"], "hello again");
}

/// M1: outsiders learn nothing, not even whether there is such an event.
#[test]
fn a_server_that_is_not_in_the_room_reads_nothing() {
    let (scene, _) = joined();
    let said = scene.alice.say(&scene.room_id, "1", "hello");
    let outsider = Peer::new(&scene.alice, "outsider.test");
    for (what, reply) in ways(&outsider, &scene.room_id, &said) {
        assert_eq!(
            (reply.status, &reply.json["errcode"]),
            (403, &json!("M_FORBIDDEN")),
            "{what}: {reply}"
        );
    }
    event(&outsider, &said).refused(404, "M_NOT_FOUND");
    for (what, reply) in ways(&outsider, "!unknown:example.org", &said) {
        assert!([403, 404].contains(&reply.status), "{what}: {reply}");
    }
}

#[test]
fn a_server_whose_users_left_or_were_banned_reads_nothing() {
    for action in ["kick", "ban"] {
        let (scene, _) = joined();
        let path = scene.alice.in_room(&scene.room_id, action);
        scene.alice.post(&path, json!({ "user_id": EVE })).ok();
        let said = scene.alice.say(&scene.room_id, "1", "hello");
        for (what, reply) in ways(&scene.peer, &scene.room_id, &said) {
            assert_eq!(reply.status, 403, "{action}, {what}: {reply}");
        }
        event(&scene.peer, &said).refused(404, "M_NOT_FOUND");
    }
}

/// D4: and to those who are not in the room nothing is said of whom it does not let take part.
#[test]
fn a_server_that_may_not_take_part_reads_nothing() {
    let (scene, _) = joined();
    let outsider = Peer::new(&scene.alice, "outsider.test");
    scene.deny(&["peer.test", "outsider.test"]);
    let said = scene.alice.say(&scene.room_id, "1", "hello");
    for (what, reply) in ways(&scene.peer, &scene.room_id, &said) {
        assert_eq!(reply.status, 403, "{what}: {reply}");
        assert!(reply.to_string().contains("take part"), "{what}: {reply}");
    }
    event(&scene.peer, &said).refused(404, "M_NOT_FOUND");
    for (what, reply) in ways(&outsider, &scene.room_id, &said) {
        assert!(!reply.to_string().contains("take part"), "{what}: {reply}");
    }
}

/// M1, spec: `client-server-api §room-history-visibility`
#[test]
fn what_was_hidden_from_the_server_comes_redacted() {
    let scene = Scene::new();
    scene.state(
        "m.room.history_visibility",
        json!({ "history_visibility": "joined" }),
    );
    let hidden = scene.alice.say(&scene.room_id, "1", "secret");
    scene.peer.joins(&scene.room_id, EVE);
    let shown = scene.alice.say(&scene.room_id, "2", "hello");
    let path = format!(
        "v1/backfill/{}?v={}&limit=20",
        percent(&scene.room_id),
        percent(&shown)
    );
    let reply = scene.peer.get(&path);
    assert!(
        !reply.to_string().contains("secret") && reply.to_string().contains("hello"),
        "{reply}"
    );
    let answer = event(&scene.peer, &hidden).ok();
    assert_eq!(list(&answer, "pdus")[0]["content"], json!({}));
}

#[test]
fn what_is_asked_for_must_be_said() {
    let (scene, _) = joined();
    let room = percent(&scene.room_id);
    scene
        .peer
        .get(&format!("v1/state/{room}"))
        .refused(400, "M_MISSING_PARAM");
    scene
        .peer
        .get(&format!("v1/state_ids/{room}"))
        .refused(400, "M_MISSING_PARAM");
    scene
        .peer
        .get(&format!("v1/backfill/{room}?v=$a"))
        .refused(400, "M_MISSING_PARAM");
    scene
        .peer
        .post(&format!("v1/get_missing_events/{room}"), &json!({}))
        .refused(400, "M_BAD_JSON");
    let many: Vec<String> = (0..101).map(|n| format!("v=%24{n}")).collect();
    let path = format!("v1/backfill/{room}?limit=1&{}", many.join("&"));
    scene.peer.get(&path).refused(400, "M_INVALID_PARAM");
    scene
        .peer
        .get(&format!("v1/state/{room}?event_id=%24unknown"))
        .refused(404, "M_NOT_FOUND");
}

/// M4, M5: spec: `server-server-api §querying-for-information`
#[test]
fn only_users_here_are_told_of() {
    let scene = Scene::new();
    let path = "profile/@alice:example.org/displayname";
    scene.alice.put(path, json!({ "displayname": "Alice" })).ok();
    let profile = |query: &str| scene.peer.get(&format!("v1/query/profile?user_id={query}"));
    assert_eq!(profile("@alice:example.org").ok()["displayname"], "Alice");
    assert_eq!(profile("@alice:example.org&field=avatar_url").ok(), json!({}));
    profile("@nobody:example.org").refused(404, "M_NOT_FOUND");
    profile("@alice:peer.test").refused(404, "M_NOT_FOUND");
    profile("alice").refused(400, "M_INVALID_PARAM");
    let devices = |user: &str| scene.peer.get(&format!("v1/user/devices/{user}"));
    assert_eq!(devices("@alice:example.org").ok()["devices"], json!([]));
    devices("@nobody:example.org").refused(404, "M_NOT_FOUND");
    devices("@alice:peer.test").refused(404, "M_NOT_FOUND");
    let alias = scene.peer.get("v1/query/directory?room_alias=%23a:example.org");
    alias.refused(404, "M_NOT_FOUND");
    assert_eq!(scene.peer.get("v1/publicRooms").ok()["chunk"], json!([]));
}
