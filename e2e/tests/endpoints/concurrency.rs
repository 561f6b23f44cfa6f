//! Many at once (attack 23): one order, no gaps, no half of a change.

use std::collections::BTreeSet;

use selvage_e2e::api::{Account, percent};
use selvage_e2e::{Host, Server};
use serde_json::{Value, json};

use crate::scene::{Scene, bodies, sync_until, timeline};

cases!(
    a_hundred_sends_at_once_have_one_order,
    a_join_and_a_ban_at_once_end_in_a_ban,
    twenty_people_join_at_once,
    state_set_at_once_ends_as_the_last_one_set_it,
    fifty_waiting_clients_are_woken_by_one_message,
);

/// A timeline long enough that no sync of these tests is cut short.
fn whole_timeline() -> String {
    format!(
        "filter={}",
        percent(&json!({"room": {"timeline": {"limit": 1_000}}}).to_string())
    )
}

fn next_batch(sync: &Value) -> String {
    sync["next_batch"].as_str().expect("a token").to_owned()
}

/// Syncs on and on until this many messages have come; returns their bodies in order.
fn follow(account: &Account, room_id: &str, mut since: String, count: usize) -> Vec<String> {
    let query = format!("timeout=10000&{}", whole_timeline());
    let mut seen = Vec::new();
    let mut idle = 0;
    while seen.len() < count && idle < 6 {
        let sync = account.sync_with(&since, &query).ok();
        let news = bodies(timeline(&sync, room_id));
        idle = if news.is_empty() { idle + 1 } else { 0 };
        seen.extend(news);
        since = next_batch(&sync);
    }
    let late = account
        .sync_with(&since, &format!("timeout=0&{}", whole_timeline()))
        .ok();
    seen.extend(bodies(timeline(&late, room_id)));
    seen
}

fn a_hundred_sends_at_once_have_one_order(server: &mut Server) {
    let scene = Scene::new(server);
    let (alice, bob) = (next_batch(&scene.alice.sync("")), next_batch(&scene.bob.sync("")));
    let (by_alice, by_bob) = std::thread::scope(|scope| {
        let by_alice = scope.spawn(|| follow(&scene.alice, &scene.room_id, alice, 100));
        let by_bob = scope.spawn(|| follow(&scene.bob, &scene.room_id, bob, 100));
        for number in 0..100 {
            let sender = if number % 2 == 0 { &scene.alice } else { &scene.bob };
            let room_id = &scene.room_id;
            scope.spawn(move || sender.say(room_id, &format!("message {number}")).ok());
        }
        (
            by_alice.join().expect("Alice's sync"),
            by_bob.join().expect("Bob's sync"),
        )
    });
    let distinct: BTreeSet<&String> = by_alice.iter().collect();
    assert_eq!(
        (by_alice.len(), distinct.len()),
        (100, 100),
        "each once, without a gap"
    );
    assert_eq!(by_alice, by_bob, "one order");
    let history = bodies(&scene.alice.history(&scene.room_id));
    assert_eq!(history[1..], by_alice, "and the same in /messages");
}

fn a_join_and_a_ban_at_once_end_in_a_ban(server: &mut Server) {
    let scene = Scene::new(server);
    for _ in 0..10 {
        let room_id = scene.alice.create_room(&json!({"preset": "public_chat"}));
        let eve = json!({"user_id": scene.eve.user_id});
        std::thread::scope(|scope| {
            scope.spawn(|| scene.alice.membership(&room_id, "ban", &eve).ok());
            scope.spawn(|| {
                let reply = scene.eve.join(&room_id);
                assert!([200, 403].contains(&reply.status), "{reply}");
            });
        });
        let member = scene
            .alice
            .get_state(&room_id, "m.room.member", &scene.eve.user_id)
            .ok();
        assert_eq!(member["membership"], "ban");
        scene.refused(&scene.eve.say(&room_id, "in?"), 403, "M_FORBIDDEN");
        let joined = scene.eve.get("/_matrix/client/v3/joined_rooms").ok();
        assert!(!joined.to_string().contains(&room_id), "{joined}");
    }
}

fn twenty_people_join_at_once(server: &mut Server) {
    let api = server.api();
    let alice = api.register("alice");
    let room_id = alice.create_room(&json!({"preset": "public_chat"}));
    let people: Vec<Account> = (0..20).map(|_| api.register("guest")).collect();
    std::thread::scope(|scope| {
        for person in &people {
            scope.spawn(|| person.join(&room_id).ok());
        }
    });
    let members = alice
        .get(&selvage_e2e::api::room_path(&room_id, "joined_members"))
        .ok();
    assert_eq!(members["joined"].as_object().expect("members").len(), 21);
    for person in &people {
        let sync = sync_until(person, "", "timeout=0", |sync| {
            sync["rooms"]["join"].get(&room_id).is_some()
        });
        let joined = sync["rooms"]["join"].as_object().expect("rooms");
        assert!(joined.contains_key(&room_id), "{sync}");
    }
}

fn state_set_at_once_ends_as_the_last_one_set_it(server: &mut Server) {
    let scene = Scene::new(server);
    std::thread::scope(|scope| {
        for number in 0..30 {
            let scene = &scene;
            let content = json!({"topic": format!("topic {number}")});
            scope.spawn(move || {
                scene
                    .alice
                    .set_state(&scene.room_id, "m.room.topic", "", &content)
                    .ok()
            });
        }
    });
    let history = scene.alice.history(&scene.room_id);
    let topics: Vec<&Value> = history
        .iter()
        .filter(|event| event["type"] == "m.room.topic")
        .collect();
    assert_eq!(topics.len(), 30);
    if scene.host == Host::Synapse {
        // It lets them fork, and resolves the state.
        return;
    }
    let current = scene.bob.get_state(&scene.room_id, "m.room.topic", "").ok();
    assert_eq!(current, topics.last().expect("thirty")["content"]);
}

fn fifty_waiting_clients_are_woken_by_one_message(server: &mut Server) {
    let scene = Scene::new(server);
    let since = next_batch(&scene.bob.sync(""));
    std::thread::scope(|scope| {
        let wait = || scene.bob.sync_with(&since, "timeout=30000").ok();
        let waiting: Vec<_> = (0..50).map(|_| scope.spawn(wait)).collect();
        std::thread::sleep(std::time::Duration::from_secs(1));
        scene.alice.say(&scene.room_id, "wake up").ok();
        for thread in waiting {
            let sync = thread.join().expect("an answer");
            assert_eq!(bodies(timeline(&sync, &scene.room_id)), ["wake up"], "{sync}");
        }
    });
}
