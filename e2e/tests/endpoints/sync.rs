//! What sync says, and says again. spec: client-server-api §syncing, §filtering

use selvage_e2e::api::{percent, room_path};
use selvage_e2e::{Api, Host, Server};
use serde_json::{Value, json};

use crate::scene::{Scene, bodies, events, sync_until, sync_with_all, timeline, token};

cases!(
    the_first_sync_has_everything,
    a_token_says_the_same_whenever_it_is_used,
    a_waiting_sync_is_woken,
    an_idle_sync_ends_empty,
    a_short_timeline_can_be_paged_back_without_a_gap,
    state_changed_in_a_gap_is_told,
    filters_choose_events,
    lazy_loading_tells_the_members_that_spoke,
    full_state_tells_everything_again,
    joining_tells_the_room,
    receipts_and_typing_are_told,
    messages_can_be_paged_both_ways,
    local_names_and_ages_are_right,
);

fn next_batch(sync: &Value) -> String {
    sync["next_batch"].as_str().expect("a token").to_owned()
}

fn room<'a>(sync: &'a Value, room_id: &str) -> &'a Value {
    sync.pointer(&format!("/rooms/join/{}", token(room_id)))
        .unwrap_or_else(|| panic!("the room is not in {sync}"))
}

fn filtered(filter: &Value) -> String {
    format!("timeout=0&filter={}", percent(&filter.to_string()))
}

fn ids(events: &[Value]) -> Vec<String> {
    events
        .iter()
        .map(|event| event["event_id"].as_str().expect("an id").to_owned())
        .collect()
}

fn the_first_sync_has_everything(server: &mut Server) {
    let scene = Scene::new(server);
    for person in [&scene.alice, &scene.bob] {
        let sync = person.sync("");
        let room = room(&sync, &scene.room_id);
        assert!(
            room["timeline"]["limited"].is_boolean() || room["timeline"].get("limited").is_none(),
            "{room}"
        );
        let all: Vec<&Value> = events(room, "/state/events")
            .iter()
            .chain(events(room, "/timeline/events"))
            .collect();
        for kind in [
            "m.room.create",
            "m.room.power_levels",
            "m.room.join_rules",
            "m.room.name",
        ] {
            assert_eq!(
                all.iter().filter(|event| event["type"] == kind).count(),
                1,
                "{kind} once in {room}"
            );
        }
        let members: Vec<_> = all
            .iter()
            .filter(|event| event["type"] == "m.room.member")
            .collect();
        let joined = |user: &str| {
            members
                .iter()
                .any(|event| event["state_key"] == user && event["content"]["membership"] == "join")
        };
        assert!(
            joined(&scene.alice.user_id) && joined(&scene.bob.user_id),
            "{room}"
        );
        assert_eq!(bodies(events(room, "/timeline/events")), ["hello"]);
        for event in all {
            assert!(
                event.get("event_id").is_some() && event.get("sender").is_some(),
                "{event}"
            );
            assert!(
                event["origin_server_ts"].is_u64() && event["content"].is_object(),
                "{event}"
            );
            for internal in ["auth_events", "prev_events", "hashes", "signatures", "depth"] {
                assert!(
                    event.get(internal).is_none(),
                    "{internal} is not for clients: {event}"
                );
            }
        }
    }
    let rules = scene.alice.sync("");
    let push = events(&rules, "/account_data/events")
        .iter()
        .find(|event| event["type"] == "m.push_rules");
    assert!(push.expect("push rules")["content"]["global"]["override"].is_array());
}

fn a_token_says_the_same_whenever_it_is_used(server: &mut Server) {
    let scene = Scene::new(server);
    let since = next_batch(&scene.bob.sync(""));
    let phone = scene.api.login(&scene.bob);
    let now = |person: &Api, since: &str, expected: &[&str]| {
        sync_with_all(person, since, "timeout=0", &scene.room_id, expected)
    };
    scene.alice.say(&scene.room_id, "one").ok();
    let first = now(&scene.bob, &since, &["one"]);
    now(&scene.bob, &since, &["one"]);
    now(&phone, &since, &["one"]);
    let nothing = now(&scene.bob, &next_batch(&first), &[]);
    scene.alice.say(&scene.room_id, "two").ok();
    now(&scene.bob, &next_batch(&nothing), &["two"]);
    now(&scene.bob, &since, &["one", "two"]);
    server.kill9();
    server.restart();
    now(&scene.bob, &since, &["one", "two"]);
}

fn a_waiting_sync_is_woken(server: &mut Server) {
    let scene = Scene::new(server);
    let mut since = next_batch(&scene.bob.sync(""));
    for text in ["one", "two", "three"] {
        since = std::thread::scope(|scope| {
            let waiting = scope.spawn(|| scene.bob.sync_with(&since, "timeout=30000").ok());
            std::thread::sleep(std::time::Duration::from_millis(300));
            scene.alice.say(&scene.room_id, text).ok();
            let sync = waiting.join().expect("an answer");
            assert_eq!(bodies(timeline(&sync, &scene.room_id)), [text], "{sync}");
            next_batch(&sync)
        });
    }
    // An invite wakes too, and so does one's own message from another device.
    let eve = next_batch(&scene.eve.sync(""));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| scene.eve.sync_with(&eve, "timeout=30000").ok());
        std::thread::sleep(std::time::Duration::from_millis(300));
        scene.alice.invite(&scene.room_id, &scene.eve.user_id).ok();
        let sync = waiting.join().expect("an answer");
        assert!(sync["rooms"]["invite"].get(&scene.room_id).is_some(), "{sync}");
    });
}

fn an_idle_sync_ends_empty(server: &mut Server) {
    let scene = Scene::new(server);
    let mut since = next_batch(&scene.bob.sync(""));
    for _ in 0..3 {
        let sync = scene.bob.sync_with(&since, "timeout=200").ok();
        let joined = sync.pointer("/rooms/join").and_then(Value::as_object);
        assert!(joined.is_none_or(serde_json::Map::is_empty), "{sync}");
        since = next_batch(&sync);
    }
}

fn a_short_timeline_can_be_paged_back_without_a_gap(server: &mut Server) {
    let scene = Scene::new(server);
    let since = next_batch(&scene.bob.sync(""));
    let sent: Vec<String> = (0..25)
        .map(|number| {
            scene
                .alice
                .say(&scene.room_id, &format!("m{number}"))
                .string("/event_id")
        })
        .collect();
    let filter = json!({"room": {"timeline": {"limit": 5}}});
    let sync = sync_until(&scene.bob, &since, &filtered(&filter), |sync| {
        bodies(timeline(sync, &scene.room_id))
            .last()
            .is_some_and(|body| body == "m24")
    });
    let cut = room(&sync, &scene.room_id);
    assert_eq!(cut["timeline"]["limited"], true, "{cut}");
    let mut found = ids(timeline(&sync, &scene.room_id));
    assert_eq!(found, sent[20..]);
    let mut from = cut["timeline"]["prev_batch"]
        .as_str()
        .expect("prev_batch")
        .to_owned();
    while found.len() < 25 {
        let path = room_path(
            &scene.room_id,
            &format!("messages?dir=b&limit=7&from={}", percent(&from)),
        );
        let page = scene.bob.get(&path).ok();
        let chunk = ids(events(&page, "/chunk"));
        assert!(!chunk.is_empty(), "{page}");
        found.splice(0..0, chunk.into_iter().rev());
        from = page["end"].as_str().expect("end").to_owned();
    }
    assert_eq!(found[found.len() - 25..], sent, "each once and in order");
}

fn state_changed_in_a_gap_is_told(server: &mut Server) {
    let scene = Scene::new(server);
    let since = next_batch(&scene.bob.sync(""));
    scene
        .alice
        .set_state(&scene.room_id, "m.room.topic", "", &json!({"topic": "old"}))
        .ok();
    scene
        .alice
        .set_state(&scene.room_id, "m.room.topic", "", &json!({"topic": "new"}))
        .ok();
    for number in 0..10 {
        scene.alice.say(&scene.room_id, &format!("m{number}")).ok();
    }
    let filter = json!({"room": {"timeline": {"limit": 3}}});
    let sync = sync_until(&scene.bob, &since, &filtered(&filter), |sync| {
        bodies(timeline(sync, &scene.room_id))
            .last()
            .is_some_and(|body| body == "m9")
    });
    let state = events(room(&sync, &scene.room_id), "/state/events");
    assert_eq!(state.len(), 1, "only what changed: {sync}");
    assert_eq!(state[0]["content"], json!({"topic": "new"}));
    assert!(
        scene
            .bob
            .sync(&next_batch(&sync))
            .pointer(&format!("/rooms/join/{}/state/events/0", token(&scene.room_id)))
            .is_none()
    );
}

fn filters_choose_events(server: &mut Server) {
    let scene = Scene::new(server);
    let other = scene.alice.create_room(&json!({}));
    scene.alice.say(&other, "elsewhere").ok();
    scene.bob.say(&scene.room_id, "from Bob").ok();
    scene
        .alice
        .set_state(&scene.room_id, "org.example.flag", "", &json!({}))
        .ok();
    sync_with_all(
        &scene.alice,
        "",
        "timeout=0",
        &scene.room_id,
        &["hello", "from Bob"],
    );
    sync_with_all(&scene.alice, "", "timeout=0", &other, &["elsewhere"]);
    let seen = |timeline_filter: Value| {
        let sync = scene
            .alice
            .sync_with("", &filtered(&json!({"room": {"timeline": timeline_filter}})))
            .ok();
        bodies(timeline(&sync, &scene.room_id))
    };
    assert_eq!(seen(json!({"types": ["m.room.message"]})), ["hello", "from Bob"]);
    assert_eq!(seen(json!({"types": ["m.room.mess*"]})), ["hello", "from Bob"]);
    assert_eq!(seen(json!({"not_types": ["m.room.message"]})), [""; 0]);
    assert_eq!(seen(json!({"senders": [scene.bob.user_id]})), ["from Bob"]);
    assert_eq!(seen(json!({"not_senders": [scene.bob.user_id]})), ["hello"]);
    // The limit counts what the filter lets through.
    assert_eq!(
        seen(json!({"types": ["m.room.message"], "limit": 2})),
        ["hello", "from Bob"]
    );
    let one = scene
        .alice
        .sync_with("", &filtered(&json!({"room": {"rooms": [other]}})))
        .ok();
    let joined: Vec<&String> = one["rooms"]["join"].as_object().expect("rooms").keys().collect();
    assert_eq!(joined, [&other]);
    let none = scene
        .alice
        .sync_with("", &filtered(&json!({"room": {"not_rooms": [other]}})))
        .ok();
    let joined: Vec<&String> = none["rooms"]["join"].as_object().expect("rooms").keys().collect();
    // Synapse heeds this for other parts of the answer only.
    assert!(
        joined == [&scene.room_id] || scene.host == Host::Synapse,
        "{none}"
    );
}

/// spec: client-server-api §lazy-loading-room-members
fn lazy_loading_tells_the_members_that_spoke(server: &mut Server) {
    let scene = Scene::new(server);
    let filter = json!({"room": {"timeline": {"limit": 1}, "state": {"lazy_load_members": true}}});
    let sync = scene.bob.sync_with("", &filtered(&filter)).ok();
    let room = room(&sync, &scene.room_id);
    let members: Vec<&Value> = events(room, "/state/events")
        .iter()
        .filter(|event| event["type"] == "m.room.member")
        .collect();
    assert!(
        members
            .iter()
            .any(|event| event["state_key"] == scene.alice.user_id.as_str()),
        "who spoke: {room}"
    );
    assert!(
        events(room, "/state/events")
            .iter()
            .any(|event| event["type"] == "m.room.create"),
        "{room}"
    );
    assert_eq!(room["summary"]["m.joined_member_count"], 2, "{room}");
}

fn full_state_tells_everything_again(server: &mut Server) {
    let scene = Scene::new(server);
    let since = next_batch(&scene.bob.sync(""));
    let sync = scene.bob.sync_with(&since, "timeout=0&full_state=true").ok();
    let state = events(room(&sync, &scene.room_id), "/state/events");
    assert_eq!(state.len(), scene.state_as_seen(&scene.bob).len(), "{sync}");
}

fn joining_tells_the_room(server: &mut Server) {
    let scene = Scene::new(server);
    let since = next_batch(&scene.eve.sync(""));
    scene.alice.invite(&scene.room_id, &scene.eve.user_id).ok();
    let is_in = |sync: &Value, part: &str| sync["rooms"][part].get(&scene.room_id).is_some();
    let invited = sync_until(&scene.eve, &since, "timeout=0", |sync| is_in(sync, "invite"));
    scene.eve.join(&scene.room_id).ok();
    let joined = |since: &str| sync_until(&scene.eve, since, "timeout=0", |sync| is_in(sync, "join"));
    // From after the invite, from before it, and from nothing.
    for since in [&next_batch(&invited), &since, ""] {
        let sync = joined(since);
        let room = room(&sync, &scene.room_id);
        let told = events(room, "/state/events")
            .iter()
            .chain(events(room, "/timeline/events"));
        let creations = told.filter(|event| event["type"] == "m.room.create").count();
        assert_eq!(creations, 1, "the whole state, not only changes: {room}");
        assert!(!is_in(&sync, "invite"), "{sync}");
    }
}

/// spec: client-server-api §receipts, §typing-notifications
fn receipts_and_typing_are_told(server: &mut Server) {
    let scene = Scene::new(server);
    let since = next_batch(&scene.alice.sync(""));
    let event = percent(&scene.event_id);
    scene
        .bob
        .post(
            &room_path(&scene.room_id, &format!("receipt/m.read/{event}")),
            &json!({}),
        )
        .ok();
    let typing = room_path(&scene.room_id, &format!("typing/{}", percent(&scene.bob.user_id)));
    scene
        .bob
        .put(&typing, &json!({"typing": true, "timeout": 30_000}))
        .ok();
    let told = |since: &str, kind: &str| {
        selvage_e2e::wait::until(kind, std::time::Duration::from_secs(30), || {
            let sync = scene.alice.sync(since);
            let found = events(
                &sync,
                &format!("/rooms/join/{}/ephemeral/events", token(&scene.room_id)),
            )
            .iter()
            .find(|event| event["type"] == kind)
            .cloned();
            found.map(|event| (event["content"].clone(), next_batch(&sync)))
        })
    };
    let (receipt, _) = told(&since, "m.receipt");
    assert!(
        receipt[&scene.event_id]["m.read"][&scene.bob.user_id]["ts"].is_u64(),
        "{receipt}"
    );
    let (typists, then) = told(&since, "m.typing");
    assert_eq!(typists, json!({"user_ids": [scene.bob.user_id]}));
    scene.bob.put(&typing, &json!({"typing": false})).ok();
    assert_eq!(told(&then, "m.typing").0, json!({"user_ids": []}));
    let forged = room_path(
        &scene.room_id,
        &format!("typing/{}", percent(&scene.alice.user_id)),
    );
    scene.refused(
        &scene.bob.put(&forged, &json!({"typing": true})),
        403,
        "M_FORBIDDEN",
    );
}

/// spec: client-server-api §get_matrixclientv3roomsroomidmessages
fn messages_can_be_paged_both_ways(server: &mut Server) {
    let scene = Scene::new(server);
    for number in 0..30 {
        scene.alice.say(&scene.room_id, &format!("m{number}")).ok();
    }
    let backwards = ids(&scene.bob.history(&scene.room_id));
    let mut forwards = Vec::new();
    let mut from = String::new();
    for _ in 0..100 {
        let page = scene
            .bob
            .get(&room_path(
                &scene.room_id,
                &format!("messages?dir=f&limit=4{from}"),
            ))
            .ok();
        let chunk = ids(events(&page, "/chunk"));
        assert!(chunk.len() <= 4, "the limit is kept");
        forwards.extend(chunk);
        match page["end"].as_str() {
            Some(end) if !events(&page, "/chunk").is_empty() => from = format!("&from={}", percent(end)),
            _ => break,
        }
    }
    assert_eq!(
        forwards, backwards,
        "the same events in the same order, each once"
    );
    let filter = percent(r#"{"types":["m.room.name"]}"#);
    let named = scene
        .bob
        .get(&room_path(
            &scene.room_id,
            &format!("messages?dir=b&limit=100&filter={filter}"),
        ))
        .ok();
    assert_eq!(events(&named, "/chunk").len(), 1, "{named}");
}

/// spec: client-server-api §room-event-format
fn local_names_and_ages_are_right(server: &mut Server) {
    let scene = Scene::new(server);
    let history = scene.bob.history(&scene.room_id);
    for event in &history {
        assert_eq!(event["room_id"], scene.room_id.as_str(), "{event}");
    }
    let message = history.last().expect("a message");
    assert_eq!(
        (&message["sender"], &message["event_id"]),
        (&json!(scene.alice.user_id), &json!(scene.event_id))
    );
    assert!(message.get("state_key").is_none(), "{message}");
    let renamed = scene
        .alice
        .set_state(&scene.room_id, "m.room.name", "", &json!({"name": "New"}));
    assert_eq!(renamed.status, 200, "{renamed}");
    let latest = |sync: &Value| timeline(sync, &scene.room_id).last().cloned().unwrap_or_default();
    let name = latest(&sync_until(&scene.bob, "", "timeout=0", |sync| {
        latest(sync)["content"]["name"] == "New"
    }));
    assert_eq!(
        name["unsigned"]["prev_content"],
        json!({"name": "A private room"}),
        "{name}"
    );
}
