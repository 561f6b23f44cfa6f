//! The same request twice. spec: client-server-api §transaction-identifiers

use selvage_e2e::api::Account;
use selvage_e2e::{Host, Server};
use serde_json::{Value, json};

use crate::scene::{Scene, bodies, refused, sync_with_all, timeline};

cases!(
    a_transaction_twice_is_one_event,
    a_transaction_twice_is_one_event_over_a_crash,
    a_transaction_on_another_device_is_another_event,
    a_transaction_under_the_devices_next_token_is_one_event,
    a_transaction_in_another_room_or_of_another_type_is_another_event,
    a_transaction_sent_fifty_times_at_once_is_one_event,
    a_refused_transaction_may_be_tried_again,
    the_sender_sees_its_transaction_id_and_nobody_else_does,
    setting_the_same_state_twice_is_harmless,
    joining_twice_is_harmless,
);

fn text(body: &str) -> Value {
    json!({"msgtype": "m.text", "body": body})
}

fn said(account: &Account, scene: &Scene) -> Vec<String> {
    bodies(&account.history(&scene.room_id))
}

/// Attack 19. What the repetition says does not matter: the first counts.
fn a_transaction_twice_is_one_event(server: &mut Server) {
    let scene = Scene::new(server);
    let first = scene
        .alice
        .send(&scene.room_id, "t1", &text("once"))
        .string("/event_id");
    let second = scene
        .alice
        .send(&scene.room_id, "t1", &text("once"))
        .string("/event_id");
    let other = scene
        .alice
        .send(&scene.room_id, "t1", &text("something else"))
        .string("/event_id");
    assert_eq!((&first, &first), (&second, &other));
    assert_eq!(said(&scene.bob, &scene), ["hello", "once"]);
}

fn a_transaction_twice_is_one_event_over_a_crash(server: &mut Server) {
    let scene = Scene::new(server);
    let first = scene
        .alice
        .send(&scene.room_id, "t1", &text("once"))
        .string("/event_id");
    server.kill9();
    server.restart();
    let second = scene
        .alice
        .send(&scene.room_id, "t1", &text("once"))
        .string("/event_id");
    assert_eq!(first, second);
    assert_eq!(said(&scene.bob, &scene), ["hello", "once"]);
    assert_eq!(
        bodies(timeline(
            &sync_with_all(&scene.bob, "", "timeout=0", &scene.room_id, &["hello", "once"]),
            &scene.room_id
        )),
        ["hello", "once"]
    );
}

/// Attack 19: transaction ids are scoped to a device.
fn a_transaction_on_another_device_is_another_event(server: &mut Server) {
    let scene = Scene::new(server);
    let phone = scene.api.login(&scene.alice);
    let first = scene
        .alice
        .send(&scene.room_id, "t1", &text("from the desk"))
        .string("/event_id");
    let second = phone
        .send(&scene.room_id, "t1", &text("from the phone"))
        .string("/event_id");
    let third = scene
        .bob
        .send(&scene.room_id, "t1", &text("from Bob"))
        .string("/event_id");
    assert!(first != second && second != third);
    assert_eq!(
        said(&scene.bob, &scene),
        ["hello", "from the desk", "from the phone", "from Bob"]
    );
}

/// Signing in again on the same device gives a new token and keeps the device's transactions.
fn a_transaction_under_the_devices_next_token_is_one_event(server: &mut Server) {
    let scene = Scene::new(server);
    let first = scene
        .alice
        .send(&scene.room_id, "t1", &text("once"))
        .string("/event_id");
    let identifier = json!({"type": "m.id.user", "user": scene.alice.user_id});
    let body = json!({
        "type": "m.login.password", "identifier": identifier, "password": scene.alice.password,
        "device_id": scene.alice.device_id,
    });
    let again = scene
        .api
        .post("/_matrix/client/v3/login", &body)
        .string("/access_token");
    let second = scene
        .api
        .with_token(&again)
        .send(&scene.room_id, "t1", &text("once"))
        .string("/event_id");
    assert_eq!(first, second);
    assert_eq!(said(&scene.bob, &scene), ["hello", "once"]);
}

/// spec: client-server-api §transaction-identifiers: scoped to the path too
fn a_transaction_in_another_room_or_of_another_type_is_another_event(server: &mut Server) {
    let scene = Scene::new(server);
    let room = scene.alice.create_room(&json!({}));
    let first = scene
        .alice
        .send(&scene.room_id, "t1", &text("here"))
        .string("/event_id");
    let second = scene.alice.send(&room, "t1", &text("there")).string("/event_id");
    let path = selvage_e2e::api::room_path(&scene.room_id, "send/org.example.other/t1");
    let third = scene.alice.put(&path, &json!({})).string("/event_id");
    assert_ne!(first, second);
    // Synapse looks at the room and no further.
    assert!(first != third || scene.host == Host::Synapse);
    assert_eq!(bodies(&scene.alice.history(&room)), ["there"]);
}

fn a_transaction_sent_fifty_times_at_once_is_one_event(server: &mut Server) {
    let scene = Scene::new(server);
    let ids: Vec<String> = std::thread::scope(|scope| {
        let send = || {
            scene
                .alice
                .send(&scene.room_id, "t1", &text("once"))
                .string("/event_id")
        };
        let sending: Vec<_> = (0..50).map(|_| scope.spawn(send)).collect();
        sending
            .into_iter()
            .map(|thread| thread.join().expect("an answer"))
            .collect()
    });
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(said(&scene.bob, &scene), ["hello", "once"]);
}

fn a_refused_transaction_may_be_tried_again(server: &mut Server) {
    let scene = Scene::new(server);
    refused(
        scene.host,
        &scene.eve.send(&scene.room_id, "t1", &text("let me in")),
        403,
        "M_FORBIDDEN",
    );
    scene.alice.invite(&scene.room_id, &scene.eve.user_id).ok();
    scene.eve.join(&scene.room_id).ok();
    scene.eve.send(&scene.room_id, "t1", &text("let me in")).ok();
    assert_eq!(said(&scene.bob, &scene), ["hello", "let me in"]);
}

/// spec: client-server-api §transaction-identifiers, `unsigned.transaction_id`
fn the_sender_sees_its_transaction_id_and_nobody_else_does(server: &mut Server) {
    let scene = Scene::new(server);
    let phone = scene.api.login(&scene.alice);
    scene.alice.send(&scene.room_id, "t1", &text("echo")).ok();
    let seen = |account: &Account| {
        let sync = sync_with_all(account, "", "timeout=0", &scene.room_id, &["hello", "echo"]);
        timeline(&sync, &scene.room_id).last().expect("the message")["unsigned"]["transaction_id"].clone()
    };
    assert_eq!(seen(&scene.alice), "t1");
    assert_eq!(seen(&phone), Value::Null, "another device");
    assert_eq!(seen(&scene.bob), Value::Null, "another user");
}

fn setting_the_same_state_twice_is_harmless(server: &mut Server) {
    let scene = Scene::new(server);
    let topic = json!({"topic": "the same"});
    scene
        .alice
        .set_state(&scene.room_id, "m.room.topic", "", &topic)
        .ok();
    scene
        .alice
        .set_state(&scene.room_id, "m.room.topic", "", &topic)
        .ok();
    assert_eq!(
        scene.bob.get_state(&scene.room_id, "m.room.topic", "").ok(),
        topic
    );
}

fn joining_twice_is_harmless(server: &mut Server) {
    let scene = Scene::new(server);
    let before = scene.alice.history(&scene.room_id).len();
    assert_eq!(
        scene.bob.join(&scene.room_id).ok()["room_id"],
        scene.room_id.as_str()
    );
    assert_eq!(
        scene.alice.history(&scene.room_id).len(),
        before,
        "no second join"
    );
}
