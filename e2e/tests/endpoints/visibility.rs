//! Who may read what: before joining, after leaving, when banned (attack 17).
//! spec: client-server-api §room-history-visibility, §getting-events-for-a-room

use selvage_e2e::api::{Account, percent, room_path};
use selvage_e2e::{Host, Server};
use serde_json::{Value, json};

use crate::scene::{Scene, bodies, sync_until, timeline, token};

cases!(
    strangers_sync_nothing,
    invitees_see_the_invite_and_no_more,
    those_who_left_see_what_was,
    the_banned_see_what_was,
    shared_history_is_seen_by_late_comers,
    history_since_the_invite,
    history_since_the_join,
    world_readable_history_is_seen_by_strangers,
    tokens_of_others_open_nothing,
);

const SECRET: &str = "a secret among us";

/// Nothing that this account can read anywhere has the secret.
#[track_caller]
fn knows_nothing(host: Host, account: &Account, room_id: &str, since: &str) {
    let include_leave = percent(&json!({"room": {"include_leave": true}}).to_string());
    for query in [
        "timeout=0",
        "timeout=0&full_state=true",
        &format!("timeout=0&filter={include_leave}"),
    ] {
        for since in ["", since] {
            let sync = account.sync_with(since, query);
            assert!(!sync.json.to_string().contains(SECRET), "{query}: {sync}");
        }
    }
    let mut rooms = vec![
        "messages?dir=b&limit=100",
        "state",
        "members",
        "state/m.room.topic/",
    ];
    // Synapse tells those who left what was said since, in this direction.
    if host != Host::Synapse {
        rooms.push("messages?dir=f&limit=100");
    }
    for rest in rooms {
        let text = account.get(&room_path(room_id, rest)).json.to_string();
        assert!(!text.contains(SECRET), "{rest}: {text}");
    }
}

fn next_batch(sync: &Value) -> String {
    sync["next_batch"].as_str().expect("a token").to_owned()
}

/// Says the secret and makes it the topic; when this returns, who may know it has been told.
fn tell_secret(scene: &Scene) {
    let topic = json!({"topic": SECRET});
    scene.alice.say(&scene.room_id, SECRET).ok();
    scene
        .alice
        .set_state(&scene.room_id, "m.room.topic", "", &topic)
        .ok();
    sync_until(&scene.alice, "", "timeout=0", |sync| {
        timeline(sync, &scene.room_id)
            .last()
            .is_some_and(|event| event["content"] == topic)
    });
}

fn strangers_sync_nothing(server: &mut Server) {
    let scene = Scene::new(server);
    let since = next_batch(&scene.eve.sync(""));
    tell_secret(&scene);
    knows_nothing(scene.host, &scene.eve, &scene.room_id, &since);
    let sync = scene.eve.sync("").to_string();
    assert!(
        !sync.contains(&scene.room_id),
        "not even that the room is there: {sync}"
    );
}

/// spec: client-server-api §stripped-state
fn invitees_see_the_invite_and_no_more(server: &mut Server) {
    let scene = Scene::new(server);
    let since = next_batch(&scene.eve.sync(""));
    scene.alice.invite(&scene.room_id, &scene.eve.user_id).ok();
    tell_secret(&scene);
    for since in ["", &since] {
        let sync = sync_until(&scene.eve, since, "timeout=0", |sync| {
            sync["rooms"]["invite"].get(&scene.room_id).is_some()
        });
        let room = format!("/rooms/invite/{}/invite_state/events", token(&scene.room_id));
        let stripped = sync
            .pointer(&room)
            .and_then(Value::as_array)
            .unwrap_or_else(|| panic!("no invite: {sync}"));
        let has = |kind: &str| stripped.iter().any(|event| event["type"] == kind);
        assert!(
            has("m.room.create") && has("m.room.name") && has("m.room.join_rules"),
            "{sync}"
        );
        let own = stripped
            .iter()
            .find(|event| event["state_key"] == scene.eve.user_id.as_str())
            .expect("the invite");
        assert_eq!(
            (&own["content"]["membership"], &own["sender"]),
            (&json!("invite"), &json!(scene.alice.user_id))
        );
        assert!(timeline(&sync, &scene.room_id).is_empty(), "{sync}");
    }
    knows_nothing(scene.host, &scene.eve, &scene.room_id, &since);
    for rest in [
        "messages?dir=b",
        "state",
        "members",
        "state/m.room.topic/",
        "joined_members",
    ] {
        let reply = scene.eve.get(&room_path(&scene.room_id, rest));
        scene.refused(&reply, 403, "M_FORBIDDEN");
    }
    scene.refused(&scene.eve.say(&scene.room_id, "hello?"), 403, "M_FORBIDDEN");
}

/// Bob reads the room as it was when he went, old messages and state and nothing since, or nothing at all.
fn sees_what_was(scene: &Scene, since: &str) {
    knows_nothing(scene.host, &scene.bob, &scene.room_id, since);
    if scene.bob.get(&room_path(&scene.room_id, "messages?dir=b")).status == 200 {
        assert_eq!(bodies(&scene.bob.history(&scene.room_id)), ["hello"]);
        let name = scene.bob.get_state(&scene.room_id, "m.room.name", "");
        assert_eq!(name.ok(), json!({"name": "A private room"}), "state as it was");
    }
    let path = room_path(&scene.room_id, "joined_members");
    scene.refused(&scene.bob.get(&path), 403, "M_FORBIDDEN");
    let sync = scene.bob.sync("");
    let joined = format!("/rooms/join/{}", token(&scene.room_id));
    assert!(sync.pointer(&joined).is_none(), "{sync}");
}

/// Bob's next sync says that he is out, and says it once.
fn told_of_leaving(scene: &Scene, before: &str) {
    let left = format!("/rooms/leave/{}", token(&scene.room_id));
    let sync = sync_until(&scene.bob, before, "timeout=0", |sync| {
        sync.pointer(&left).is_some()
    });
    let after = scene.bob.sync(&next_batch(&sync));
    assert!(after.pointer(&left).is_none(), "it says so once: {after}");
}

fn those_who_left_see_what_was(server: &mut Server) {
    let scene = Scene::new(server);
    let before = next_batch(&scene.bob.sync(""));
    scene.bob.leave(&scene.room_id).ok();
    tell_secret(&scene);
    told_of_leaving(&scene, &before);
    sees_what_was(&scene, &before);
    scene.bob.get(&room_path(&scene.room_id, "messages?dir=b")).ok();
}

fn the_banned_see_what_was(server: &mut Server) {
    let scene = Scene::new(server);
    let before = next_batch(&scene.bob.sync(""));
    let bob = json!({"user_id": scene.bob.user_id});
    scene.alice.membership(&scene.room_id, "ban", &bob).ok();
    tell_secret(&scene);
    told_of_leaving(&scene, &before);
    sees_what_was(&scene, &before);
}

/// Alice speaks before the invite, after it and after the join; returns what Eve finds.
fn late_comer(scene: &Scene, visibility: &str) -> Vec<String> {
    let state = json!([{"type": "m.room.history_visibility", "content": {"history_visibility": visibility}}]);
    let room_id = scene
        .alice
        .create_room(&json!({"preset": "private_chat", "initial_state": state}));
    scene.alice.say(&room_id, "before the invite").ok();
    scene.alice.invite(&room_id, &scene.eve.user_id).ok();
    scene.alice.say(&room_id, "before the join").ok();
    scene.eve.join(&room_id).ok();
    scene.alice.say(&room_id, "after the join").ok();
    let found = bodies(&scene.eve.history(&room_id));
    let sync = sync_until(&scene.eve, "", "timeout=0", |sync| {
        bodies(timeline(sync, &room_id))
            .last()
            .is_some_and(|body| body == "after the join")
    });
    let synced = bodies(timeline(&sync, &room_id));
    assert!(
        found.ends_with(&synced),
        "sync shows no more than /messages: {synced:?} {found:?}"
    );
    assert_eq!(bodies(&scene.alice.history(&room_id)).len(), 3);
    found
}

fn shared_history_is_seen_by_late_comers(server: &mut Server) {
    let found = late_comer(&Scene::new(server), "shared");
    assert_eq!(found, ["before the invite", "before the join", "after the join"]);
}

fn history_since_the_invite(server: &mut Server) {
    assert_eq!(
        late_comer(&Scene::new(server), "invited"),
        ["before the join", "after the join"]
    );
}

fn history_since_the_join(server: &mut Server) {
    assert_eq!(late_comer(&Scene::new(server), "joined"), ["after the join"]);
}

fn world_readable_history_is_seen_by_strangers(server: &mut Server) {
    let scene = Scene::new(server);
    let state =
        json!([{"type": "m.room.history_visibility", "content": {"history_visibility": "world_readable"}}]);
    let room_id = scene
        .alice
        .create_room(&json!({"preset": "private_chat", "initial_state": state}));
    scene.alice.say(&room_id, "to everybody").ok();
    assert_eq!(bodies(&scene.eve.history(&room_id)), ["to everybody"]);
    scene.eve.get(&room_path(&room_id, "state")).ok();
    scene.refused(&scene.eve.say(&room_id, "thanks"), 403, "M_FORBIDDEN");
    scene.refused(&scene.eve.join(&room_id), 403, "M_FORBIDDEN");
}

/// Attack 20: pagination and sync tokens that were given to somebody else.
fn tokens_of_others_open_nothing(server: &mut Server) {
    let scene = Scene::new(server);
    let since = next_batch(&scene.alice.sync(""));
    tell_secret(&scene);
    let end = scene
        .alice
        .get(&room_path(&scene.room_id, "messages?dir=b&limit=1"))
        .string("/end");
    knows_nothing(scene.host, &scene.eve, &scene.room_id, &since);
    let stolen = room_path(&scene.room_id, &format!("messages?dir=b&from={}", percent(&end)));
    scene.refused(&scene.eve.get(&stolen), 403, "M_FORBIDDEN");
    // Used for a room of her own, another room's token shows that room, or is refused.
    let own = scene.eve.create_room(&json!({}));
    scene.eve.say(&own, "mine").ok();
    for token in [&end, &since] {
        for direction in ["b", "f"] {
            let reply = scene.eve.get(&room_path(
                &own,
                &format!("messages?dir={direction}&from={}", percent(token)),
            ));
            assert!([200, 400, 403].contains(&reply.status), "{reply}");
            assert!(!reply.json.to_string().contains(SECRET), "{reply}");
        }
    }
}
