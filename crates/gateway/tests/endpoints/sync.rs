//! Sync.

use serde_json::{Value, json};

use crate::client::{Client, percent};

fn token(sync: &Value) -> String {
    sync["next_batch"].as_str().unwrap().to_owned()
}

fn bodies(room: &Value) -> Vec<&str> {
    let events = room["timeline"]["events"].as_array().unwrap().iter();
    events
        .filter_map(|event| event["content"]["body"].as_str())
        .collect()
}

fn kinds(events: &Value) -> Vec<&str> {
    events["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["type"].as_str().unwrap())
        .collect()
}

fn two_in_a_room() -> (Client, Client, String) {
    let client = Client::new();
    let (alice, bob) = (client.register("alice"), client.register("bob"));
    let room_id = alice.create_room(json!({ "name": "Room", "invite": [bob.user_id] }));
    bob.join(&room_id).ok();
    (alice, bob, room_id)
}

#[test]
fn the_first_sync_has_the_room_and_the_push_rules() {
    let (alice, _, room_id) = two_in_a_room();
    alice.say(&room_id, "1", "hello");
    let sync = alice.sync("timeout=30000");
    assert_eq!(alice.house().waits(), 0, "an initial sync is answered at once");
    let room = &sync["rooms"]["join"][&room_id];
    assert_eq!(bodies(room), ["hello"]);
    assert_eq!(room["summary"]["m.joined_member_count"], 2);
    assert!(room["timeline"]["prev_batch"].as_str().unwrap().starts_with('t'));
    assert_eq!(kinds(&sync["account_data"]), ["m.push_rules"]);
    assert_eq!(
        room.get("unread_notifications"),
        None,
        "they are not counted, so nothing is claimed"
    );
}

#[test]
fn only_rooms_that_changed_are_asked() {
    let (alice, _, room_id) = two_in_a_room();
    let others: Vec<String> = (0..10).map(|_| alice.create_room(json!({}))).collect();
    let since = token(&alice.sync("timeout=0"));
    alice.say(&room_id, "1", "hello");
    alice.house().take_asked();
    let sync = alice.sync(&format!("since={since}&timeout=30000"));
    let asked: Vec<(&str, u64)> = alice.house().take_asked().into_iter().collect();
    assert_eq!(asked, [("room", 1), ("user", 1)]);
    assert_eq!(bodies(&sync["rooms"]["join"][&room_id]), ["hello"]);
    assert_eq!(
        sync["rooms"]["join"].as_object().unwrap().len(),
        1,
        "{} others",
        others.len()
    );
    let again = alice.sync(&format!("since={since}&timeout=0"));
    assert_eq!(
        again["rooms"], sync["rooms"],
        "a token says the same when it is used again"
    );
}

#[test]
fn an_idle_sync_waits_and_ends_empty() {
    let (alice, _, _) = two_in_a_room();
    let since = token(&alice.sync("timeout=0"));
    alice.house().take_asked();
    let sync = alice.sync(&format!("since={since}&timeout=30000"));
    assert_eq!(alice.house().waits(), 1);
    assert_eq!(
        alice.house().take_asked().into_iter().collect::<Vec<_>>(),
        [("user", 2)]
    );
    assert_eq!(sync["rooms"]["join"], json!({}));
    assert_eq!(token(&sync), since);
}

#[test]
fn a_sync_that_may_not_wait_on_ends_empty() {
    let (alice, _, _) = two_in_a_room();
    let since = token(&alice.sync("timeout=0"));
    alice.house().stop();
    let sync = alice.sync(&format!("since={since}&timeout=30000"));
    assert_eq!(alice.house().waits(), 1);
    assert_eq!(sync["rooms"]["join"], json!({}));
    assert_eq!(token(&sync), since);
}

#[test]
fn a_waiting_sync_is_woken() {
    let (alice, bob, room_id) = two_in_a_room();
    let since = token(&alice.sync("timeout=0"));
    let room = room_id.clone();
    alice.house().meanwhile(move || {
        bob.say(&room, "1", "wake up");
    });
    let sync = alice.sync(&format!("since={since}&timeout=30000"));
    assert_eq!(bodies(&sync["rooms"]["join"][&room_id]), ["wake up"]);
}

#[test]
fn what_the_filter_hides_does_not_end_the_waiting() {
    let (alice, bob, room_id) = two_in_a_room();
    let filter = percent(
        &json!({ "room": { "timeline": { "types": ["m.room.topic"] }, "ephemeral": { "types": [] } } })
            .to_string(),
    );
    let since = token(&alice.sync(&format!("timeout=0&filter={filter}")));
    bob.say(&room_id, "1", "hidden");
    let (who, room) = (alice.clone(), room_id.clone());
    alice.house().meanwhile(move || {
        who.put(
            &who.in_room(&room, "state/m.room.topic"),
            json!({ "topic": "shown" }),
        )
        .ok();
    });
    let sync = alice.sync(&format!("since={since}&timeout=30000&filter={filter}"));
    let room = &sync["rooms"]["join"][&room_id];
    assert_eq!(kinds(&room["timeline"]), ["m.room.topic"], "{sync}");
}

#[test]
fn stored_filters_are_read_on_the_way() {
    let (alice, bob, room_id) = two_in_a_room();
    bob.say(&room_id, "1", "one");
    bob.say(&room_id, "2", "two");
    let filter = json!({ "room": { "timeline": { "limit": 1 } } });
    let id = alice
        .post("user/@alice:example.org/filter", filter)
        .text("filter_id");
    alice.house().take_asked();
    let sync = alice.sync(&format!("filter={id}"));
    assert_eq!(alice.house().take_asked()["user"], 1);
    let room = &sync["rooms"]["join"][&room_id];
    assert_eq!(
        (bodies(room), &room["timeline"]["limited"]),
        (vec!["two"], &json!(true))
    );
    alice.get("sync?filter=none").refused(400, "M_INVALID_PARAM");
}

#[test]
fn memberships_stand_in_their_sections() {
    let (alice, bob, room_id) = two_in_a_room();
    let since = token(&bob.sync("timeout=0"));
    let invited = alice.create_room(json!({ "invite": [bob.user_id], "name": "Come" }));
    bob.post(&bob.in_room(&room_id, "leave"), json!({})).ok();
    alice.say(&room_id, "9", "a secret");
    let sync = bob.sync(&format!("since={since}&timeout=0"));
    let stripped = &sync["rooms"]["invite"][&invited]["invite_state"];
    assert!(
        kinds(stripped).contains(&"m.room.create") && kinds(stripped).contains(&"m.room.name"),
        "{sync}"
    );
    assert!(
        sync["rooms"]["leave"][&room_id]["timeline"]["events"].is_array(),
        "{sync}"
    );
    assert!(!sync.to_string().contains("a secret"), "{sync}");
    assert_eq!(
        bob.sync(&format!("since={}&timeout=0", token(&sync)))["rooms"]["leave"],
        json!({}),
        "said once"
    );
    assert_eq!(bob.sync("timeout=0")["rooms"]["leave"], json!({}));
    let filter = json!({ "room": { "include_leave": true } });
    let id = bob
        .post("user/@bob:example.org/filter", filter.clone())
        .text("filter_id");
    for filter in [percent(&filter.to_string()), id] {
        let all = bob.sync(&format!("timeout=0&filter={filter}"));
        assert!(all["rooms"]["leave"].get(&room_id).is_some(), "{all}");
    }
}

#[test]
fn typing_receipts_and_account_data_are_told() {
    let (alice, bob, room_id) = two_in_a_room();
    let event_id = alice.say(&room_id, "1", "hello");
    let since = token(&alice.sync("timeout=0"));
    bob.put(
        &bob.in_room(&room_id, "typing/@bob:example.org"),
        json!({ "typing": true, "timeout": 30_000 }),
    )
    .ok();
    let receipt = bob.in_room(&room_id, &format!("receipt/m.read/{}", percent(&event_id)));
    bob.send("POST", &format!("/_matrix/client/v3/{receipt}"), "")
        .ok();
    let marker = json!({ "m.fully_read": event_id, "m.read": event_id, "m.read.private": event_id });
    alice.post(&alice.in_room(&room_id, "read_markers"), marker).ok();
    let sync = alice.sync(&format!("since={since}&timeout=0"));
    let room = &sync["rooms"]["join"][&room_id];
    let mut told = kinds(&room["ephemeral"]);
    told.sort_unstable();
    assert_eq!(told, ["m.receipt", "m.typing"], "{sync}");
    assert_eq!(kinds(&room["account_data"]), ["m.fully_read"]);
    alice
        .put(
            &alice.in_room(&room_id, "typing/@bob:example.org"),
            json!({ "typing": true }),
        )
        .refused(403, "M_FORBIDDEN");
    let unknown = bob.in_room(&room_id, &format!("receipt/m.other/{}", percent(&event_id)));
    bob.post(&unknown, json!({})).refused(400, "M_INVALID_PARAM");
}

/// spec: client-server-api §fully-read-markers
#[test]
fn the_fully_read_marker_does_not_move_back() {
    let (alice, bob, room_id) = two_in_a_room();
    let ids = ["1", "2", "3"].map(|txn| alice.say(&room_id, txn, txn));
    let path = format!(
        "user/{}/rooms/{}/account_data/m.fully_read",
        percent(&bob.user_id),
        percent(&room_id)
    );
    for (moved_to, stands_at) in [(1, 1), (0, 1), (1, 1), (2, 2), (0, 2)] {
        let marker = json!({ "m.fully_read": ids[moved_to] });
        bob.post(&bob.in_room(&room_id, "read_markers"), marker).ok();
        assert_eq!(bob.get(&path).ok(), json!({ "event_id": ids[stands_at] }));
    }
    let nothing = json!({ "m.fully_read": "$nothing" });
    bob.post(&bob.in_room(&room_id, "read_markers"), nothing)
        .refused(404, "M_NOT_FOUND");
    let stranger = alice.register("carol");
    let marker = json!({ "m.fully_read": ids[2] });
    stranger
        .post(&stranger.in_room(&room_id, "read_markers"), marker)
        .refused(404, "M_NOT_FOUND");
}

#[test]
fn state_after_is_answered_in_the_words_it_was_asked_in() {
    let (alice, _, room_id) = two_in_a_room();
    for (parameter, member) in [
        ("use_state_after", "state_after"),
        (
            "org.matrix.msc4222.use_state_after",
            "org.matrix.msc4222.state_after",
        ),
    ] {
        let sync = alice.sync(&format!("timeout=0&{parameter}=true"));
        let room = &sync["rooms"]["join"][&room_id];
        assert!(kinds(&room[member]).contains(&"m.room.name"), "{sync}");
        assert_eq!(room.get("state"), None);
    }
}

#[test]
fn full_state_is_answered_at_once_and_whole() {
    let (alice, _, room_id) = two_in_a_room();
    let since = token(&alice.sync("timeout=0"));
    let sync = alice.sync(&format!("since={since}&timeout=30000&full_state=true"));
    assert_eq!(alice.house().waits(), 0);
    let room = &sync["rooms"]["join"][&room_id];
    assert!(kinds(&room["state"]).contains(&"m.room.create"), "{sync}");
}

#[test]
fn many_rooms_are_streamed() {
    let alice = Client::new().register("alice");
    let rooms: Vec<String> = (0..70).map(|_| alice.create_room(json!({}))).collect();
    let reply = alice.get("sync?timeout=0");
    assert!(reply.headers.get("content-length").is_none());
    let sync = reply.ok();
    let joined = sync["rooms"]["join"].as_object().unwrap();
    assert_eq!(joined.len(), 70);
    assert!(rooms.iter().all(|room_id| joined.contains_key(room_id)));
}

#[test]
fn nonsense_is_refused() {
    let alice = Client::new().register("alice");
    for query in [
        "since=nonsense",
        "since=t1",
        "timeout=soon",
        "full_state=maybe",
        "filter=%7Bbroken",
    ] {
        assert_eq!(alice.get(&format!("sync?{query}")).status, 400, "{query}");
    }
}
