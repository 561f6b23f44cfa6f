//! What members without power, strangers and the banned try to do (attack 17).
//! spec: rooms/v12 §authorization-rules; client-server-api §permissions

use selvage_e2e::api::{Account, room_path};
use selvage_e2e::{Host, Reply, Server};
use serde_json::{Value, json};

use crate::scene::{Scene, bodies, refused, refused_with};

cases!(
    state_needs_power,
    creation_cannot_be_repeated,
    power_cannot_be_taken,
    power_below_ones_own_can_be_given,
    memberships_of_others_cannot_be_written,
    a_private_room_is_closed,
    kicks_and_bans_need_power,
    the_banned_stay_out,
    the_kicked_are_silent,
    an_invite_can_be_declined_and_withdrawn,
    invites_need_membership_and_power,
    muted_members_cannot_speak,
    a_public_room_is_open,
);

/// Asserts the refusal of each, and that the room's state is what it was.
fn all_refused(scene: &Scene, replies: impl FnOnce() -> Vec<Reply>) {
    let before = scene.state_as_seen(&scene.alice);
    for reply in replies() {
        scene.refused(&reply, 403, "M_FORBIDDEN");
    }
    assert_eq!(scene.state_as_seen(&scene.alice), before, "nothing changed");
}

fn membership(scene: &Scene, user: &Account) -> Value {
    scene
        .alice
        .get_state(&scene.room_id, "m.room.member", &user.user_id)
        .json["membership"]
        .clone()
}

fn state_needs_power(server: &mut Server) {
    let scene = Scene::new(server);
    let attempts = [
        ("m.room.name", "", json!({"name": "Mine"})),
        ("m.room.topic", "", json!({"topic": "Mine"})),
        ("m.room.join_rules", "", json!({"join_rule": "public"})),
        (
            "m.room.history_visibility",
            "",
            json!({"history_visibility": "world_readable"}),
        ),
        ("m.room.guest_access", "", json!({"guest_access": "can_join"})),
        (
            "m.room.server_acl",
            "",
            json!({"allow": ["*"], "deny": ["other.test"]}),
        ),
        (
            "m.room.tombstone",
            "",
            json!({"body": "gone", "replacement_room": "!x:localhost"}),
        ),
        (
            "m.room.encryption",
            "",
            json!({"algorithm": "m.megolm.v1.aes-sha2"}),
        ),
        ("m.room.canonical_alias", "", json!({})),
        ("m.room.pinned_events", "", json!({"pinned": []})),
        ("org.example.anything", "key", json!({})),
        (
            "m.room.power_levels",
            "",
            json!({"users": {scene.bob.user_id.as_str(): 100}}),
        ),
    ];
    for person in [&scene.bob, &scene.eve] {
        all_refused(&scene, || {
            let set = |(kind, key, content): &(&str, &str, Value)| {
                person.set_state(&scene.room_id, kind, key, content)
            };
            attempts.iter().map(set).collect()
        });
    }
    // Sent as if it were a message, a state event's type stays without effect on the state.
    let before = scene.state_as_seen(&scene.alice);
    scene.bob.put(
        &room_path(&scene.room_id, "send/m.room.topic/t1"),
        &json!({"topic": "Mine"}),
    );
    assert_eq!(scene.state_as_seen(&scene.alice), before);
}

fn creation_cannot_be_repeated(server: &mut Server) {
    let scene = Scene::new(server);
    let create = scene.alice.get_state(&scene.room_id, "m.room.create", "").ok();
    let before = scene.state_as_seen(&scene.alice);
    for person in [&scene.alice, &scene.bob, &scene.eve] {
        for content in [
            create.clone(),
            json!({}),
            json!({"room_version": "1", "creator": person.user_id}),
        ] {
            let reply = person.set_state(&scene.room_id, "m.room.create", "", &content);
            refused_with(scene.host, &reply, &[400, 403]);
        }
    }
    assert_eq!(scene.state_as_seen(&scene.alice), before, "nothing changed");
}

/// Attack 5, as far as clients can try it.
fn power_cannot_be_taken(server: &mut Server) {
    let scene = Scene::new(server);
    let (bob, eve) = (scene.bob.user_id.as_str(), scene.eve.user_id.as_str());
    let levels = scene
        .alice
        .get_state(&scene.room_id, "m.room.power_levels", "")
        .ok();
    let with = |changes: &[(&str, Value)]| {
        let mut levels = levels.clone();
        levels["users"][bob] = json!(50);
        levels["users"]["@dora:localhost"] = json!(50);
        for (pointer, value) in changes {
            set(&mut levels, pointer, value.clone());
        }
        levels
    };
    let set_levels = |person: &Account, levels: &Value| {
        person.set_state(&scene.room_id, "m.room.power_levels", "", levels)
    };
    // Now Bob may send the event itself, and nothing of this may be in it.
    let lowered = with(&[("/events/m.room.power_levels", json!(50))]);
    set_levels(&scene.alice, &lowered).ok();
    let attempts = [
        ("raising himself", format!("/users/{bob}"), json!(51)),
        (
            "raising a friend above himself",
            format!("/users/{eve}"),
            json!(100),
        ),
        ("lowering an equal", "/users/@dora:localhost".to_owned(), json!(0)),
        ("raising what he may not do", "/ban".to_owned(), json!(51)),
        ("raising everybody", "/users_default".to_owned(), json!(100)),
        (
            "raising an event beyond himself",
            "/events/m.room.message".to_owned(),
            json!(100),
        ),
        (
            "an entry that is not a number",
            format!("/users/{eve}"),
            json!("50"),
        ),
        ("an entry that is not whole", format!("/users/{eve}"), json!(0.5)),
        ("an entry that is no user", "/users/eve".to_owned(), json!(0)),
        ("a list of users", "/users".to_owned(), json!([])),
        (
            "an event's level that is not a number",
            "/events/m.room.message".to_owned(),
            json!("0"),
        ),
    ];
    let before = scene.state_as_seen(&scene.alice);
    for (what, pointer, value) in attempts {
        let mut levels = lowered.clone();
        set(&mut levels, &pointer, value);
        let reply = set_levels(&scene.bob, &levels);
        assert!([400, 403].contains(&reply.status), "{what}: {reply}");
    }
    assert_eq!(scene.state_as_seen(&scene.alice), before, "nothing changed");
}

fn power_below_ones_own_can_be_given(server: &mut Server) {
    let scene = Scene::new(server);
    let mut levels = scene
        .alice
        .get_state(&scene.room_id, "m.room.power_levels", "")
        .ok();
    levels["users"][scene.bob.user_id.as_str()] = json!(50);
    scene
        .alice
        .set_state(&scene.room_id, "m.room.power_levels", "", &levels)
        .ok();
    scene
        .bob
        .set_state(&scene.room_id, "m.room.name", "", &json!({"name": "Ours"}))
        .ok();
    assert_eq!(
        scene.alice.get_state(&scene.room_id, "m.room.name", "").ok(),
        json!({"name": "Ours"})
    );
    let mut lowered = levels.clone();
    lowered["users"][scene.bob.user_id.as_str()] = json!(0);
    scene
        .alice
        .set_state(&scene.room_id, "m.room.power_levels", "", &lowered)
        .ok();
    let late = scene
        .bob
        .set_state(&scene.room_id, "m.room.name", "", &json!({"name": "Mine again"}));
    scene.refused(&late, 403, "M_FORBIDDEN");
}

/// Attacks 6 and 17: a member event is about its own sender, or an act of power.
fn memberships_of_others_cannot_be_written(server: &mut Server) {
    let scene = Scene::new(server);
    let member = |person: &Account, user: &str, membership: &str| {
        person.set_state(
            &scene.room_id,
            "m.room.member",
            user,
            &json!({"membership": membership}),
        )
    };
    all_refused(&scene, || {
        vec![
            member(&scene.alice, &scene.eve.user_id, "join"),
            member(&scene.bob, &scene.eve.user_id, "join"),
            member(&scene.eve, &scene.eve.user_id, "join"),
            member(&scene.eve, &scene.eve.user_id, "invite"),
            member(&scene.eve, &scene.eve.user_id, "leave"),
            member(&scene.eve, &scene.bob.user_id, "leave"),
            member(&scene.bob, &scene.alice.user_id, "leave"),
            member(&scene.bob, &scene.alice.user_id, "ban"),
            member(&scene.bob, &scene.eve.user_id, "ban"),
            member(&scene.bob, &scene.bob.user_id, "ban"),
            member(&scene.bob, &scene.bob.user_id, "invite"),
        ]
    });
    let before = scene.state_as_seen(&scene.alice);
    for (key, content) in [
        (scene.alice.user_id.as_str(), json!({"membership": "king"})),
        (scene.alice.user_id.as_str(), json!({"membership": 5})),
        (scene.alice.user_id.as_str(), json!({})),
        ("alice", json!({"membership": "join"})),
        ("", json!({"membership": "join"})),
    ] {
        let reply = scene
            .alice
            .set_state(&scene.room_id, "m.room.member", key, &content);
        assert!([400, 403].contains(&reply.status), "{key} {content}: {reply}");
    }
    assert_eq!(scene.state_as_seen(&scene.alice), before, "nothing changed");
}

fn a_private_room_is_closed(server: &mut Server) {
    let scene = Scene::new(server);
    all_refused(&scene, || {
        vec![
            scene.eve.join(&scene.room_id),
            scene.eve.say(&scene.room_id, "hello?"),
        ]
    });
    for missing in [
        "!nothing:localhost",
        "!nothing:elsewhere.invalid",
        "!jyYmmkzFXUNPnaRMGzVlHAqkVbQSGkVqcGaXbGQwLXw",
    ] {
        let reply = scene.eve.join(missing);
        assert!(
            (400..505).contains(&reply.status) && reply.status != 500,
            "{reply}"
        );
    }
    for malformed in ["nothing", "#alias:localhost", "@user:localhost", "!", "%00"] {
        let reply = scene.eve.join(malformed);
        assert!((400..500).contains(&reply.status), "{malformed}: {reply}");
    }
    assert_eq!(bodies(&scene.bob.history(&scene.room_id)), ["hello"]);
}

fn kicks_and_bans_need_power(server: &mut Server) {
    let scene = Scene::new(server);
    for (person, victim) in [(&scene.bob, &scene.alice), (&scene.eve, &scene.bob)] {
        all_refused(&scene, || {
            let verbs = ["kick", "ban", "unban"];
            let body = json!({"user_id": victim.user_id});
            verbs
                .iter()
                .map(|verb| person.membership(&scene.room_id, verb, &body))
                .collect()
        });
    }
    assert_eq!(
        (membership(&scene, &scene.alice), membership(&scene, &scene.bob)),
        (json!("join"), json!("join"))
    );
    for verb in ["kick", "ban", "unban"] {
        refused(
            scene.host,
            &scene.alice.membership(&scene.room_id, verb, &json!({})),
            400,
            "M_BAD_JSON",
        );
    }
}

/// Attack 6, as far as clients can try it.
fn the_banned_stay_out(server: &mut Server) {
    let scene = Scene::new(server);
    let bob = json!({"user_id": scene.bob.user_id});
    scene
        .alice
        .membership(
            &scene.room_id,
            "ban",
            &json!({"user_id": scene.bob.user_id, "reason": "spam"}),
        )
        .ok();
    let banned = scene
        .alice
        .get_state(&scene.room_id, "m.room.member", &scene.bob.user_id)
        .ok();
    assert_eq!(
        (&banned["membership"], &banned["reason"]),
        (&json!("ban"), &json!("spam"))
    );
    scene
        .alice
        .set_state(
            &scene.room_id,
            "m.room.join_rules",
            "",
            &json!({"join_rule": "public"}),
        )
        .ok();
    all_refused(&scene, || {
        vec![
            scene.bob.join(&scene.room_id),
            scene.bob.leave(&scene.room_id),
            scene.bob.say(&scene.room_id, "I am back"),
            scene.bob.membership(&scene.room_id, "unban", &bob),
            scene.bob.set_state(
                &scene.room_id,
                "m.room.member",
                &scene.bob.user_id,
                &json!({"membership": "join"}),
            ),
            scene.alice.invite(&scene.room_id, &scene.bob.user_id),
        ]
    });
    scene.alice.membership(&scene.room_id, "unban", &bob).ok();
    assert_eq!(membership(&scene, &scene.bob), "leave");
    scene.bob.join(&scene.room_id).ok();
}

fn the_kicked_are_silent(server: &mut Server) {
    let scene = Scene::new(server);
    scene
        .alice
        .membership(&scene.room_id, "kick", &json!({"user_id": scene.bob.user_id}))
        .ok();
    assert_eq!(membership(&scene, &scene.bob), "leave");
    all_refused(&scene, || {
        vec![
            scene.bob.say(&scene.room_id, "ouch"),
            scene.bob.join(&scene.room_id),
            scene.bob.invite(&scene.room_id, &scene.eve.user_id),
            scene
                .alice
                .membership(&scene.room_id, "kick", &json!({"user_id": scene.eve.user_id})),
        ]
    });
    assert_eq!(bodies(&scene.alice.history(&scene.room_id)), ["hello"]);
}

fn an_invite_can_be_declined_and_withdrawn(server: &mut Server) {
    let scene = Scene::new(server);
    scene.alice.invite(&scene.room_id, &scene.eve.user_id).ok();
    assert_eq!(membership(&scene, &scene.eve), "invite");
    scene.eve.leave(&scene.room_id).ok();
    assert_eq!(membership(&scene, &scene.eve), "leave");
    scene.refused(&scene.eve.join(&scene.room_id), 403, "M_FORBIDDEN");
    scene.alice.invite(&scene.room_id, &scene.eve.user_id).ok();
    scene
        .alice
        .membership(&scene.room_id, "kick", &json!({"user_id": scene.eve.user_id}))
        .ok();
    scene.refused(&scene.eve.join(&scene.room_id), 403, "M_FORBIDDEN");
}

fn invites_need_membership_and_power(server: &mut Server) {
    let scene = Scene::new(server);
    scene.refused(
        &scene.eve.invite(&scene.room_id, "@dora:localhost"),
        403,
        "M_FORBIDDEN",
    );
    scene.refused(
        &scene.alice.invite(&scene.room_id, &scene.bob.user_id),
        403,
        "M_FORBIDDEN",
    );
    let mut levels = scene
        .alice
        .get_state(&scene.room_id, "m.room.power_levels", "")
        .ok();
    levels["invite"] = json!(50);
    scene
        .alice
        .set_state(&scene.room_id, "m.room.power_levels", "", &levels)
        .ok();
    all_refused(&scene, || {
        vec![scene.bob.invite(&scene.room_id, &scene.eve.user_id)]
    });
}

fn muted_members_cannot_speak(server: &mut Server) {
    let scene = Scene::new(server);
    let mut levels = scene
        .alice
        .get_state(&scene.room_id, "m.room.power_levels", "")
        .ok();
    levels["events_default"] = json!(10);
    scene
        .alice
        .set_state(&scene.room_id, "m.room.power_levels", "", &levels)
        .ok();
    scene.refused(&scene.bob.say(&scene.room_id, "mmf"), 403, "M_FORBIDDEN");
    scene.alice.say(&scene.room_id, "quiet now").ok();
    assert_eq!(bodies(&scene.bob.history(&scene.room_id)), ["hello", "quiet now"]);
}

fn a_public_room_is_open(server: &mut Server) {
    let scene = Scene::new(server);
    let room_id = scene.alice.create_room(&json!({"preset": "public_chat"}));
    scene.eve.join(&room_id).ok();
    scene.eve.say(&room_id, "hello all").ok();
    let refusal = scene
        .eve
        .set_state(&room_id, "m.room.name", "", &json!({"name": "Mine"}));
    scene.refused(&refusal, 403, "M_FORBIDDEN");
    assert_eq!(bodies(&scene.alice.history(&room_id)), ["hello all"]);
    if scene.host != Host::Synapse {
        let version = scene.alice.get_state(&room_id, "m.room.create", "").ok()["room_version"].clone();
        let default = scene.alice.get("/_matrix/client/v3/capabilities").ok();
        assert_eq!(
            version, default["capabilities"]["m.room_versions"]["default"],
            "rooms are of the default version"
        );
    }
}

/// Sets a value at a pointer of which all but the last part exist.
fn set(value: &mut Value, pointer: &str, new: Value) {
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
    value.pointer_mut(parent).expect("its parent")[name] = new;
}
