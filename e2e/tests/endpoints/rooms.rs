//! Ways into rooms, and from one room to the next: knocks, restricted joins, upgrades, rooms of every version.
//! spec: client-server-api §knocking-on-rooms, §restricted-rooms, §room-upgrades

use selvage_e2e::Server;
use selvage_e2e::api::{Account, room_path};
use serde_json::{Value, json};

use crate::scene::refused;

cases!(
    a_knock_is_seen_and_answered,
    a_knock_needs_a_room_that_takes_knocks,
    members_of_another_room_join_a_restricted_room,
    nobody_else_joins_a_restricted_room,
    an_upgrade_takes_over_what_matters,
    an_upgrade_needs_the_right_to_end_the_room,
    rooms_of_every_version_work,
);

fn with_rule(owner: &Account, rule: &Value) -> String {
    owner.create_room(&json!({
        "preset": "private_chat",
        "initial_state": [{ "type": "m.room.join_rules", "state_key": "", "content": rule }],
    }))
}

fn knock(person: &Account, room_id: &str) -> selvage_e2e::Reply {
    let path = format!("/_matrix/client/v3/knock/{}", selvage_e2e::api::percent(room_id));
    person.post(&path, &json!({ "reason": "please" }))
}

fn membership(owner: &Account, room_id: &str, user: &Account) -> Value {
    owner.get_state(room_id, "m.room.member", &user.user_id).json["membership"].clone()
}

fn a_knock_is_seen_and_answered(server: &mut Server) {
    let api = server.api();
    let (alice, bob) = (api.register("alice"), api.register("bob"));
    let room_id = with_rule(&alice, &json!({ "join_rule": "knock" }));
    assert_eq!(knock(&bob, &room_id).ok()["room_id"], room_id.as_str());
    assert_eq!(membership(&alice, &room_id, &bob), "knock");
    let sync = bob.sync("");
    let knocked = &sync["rooms"]["knock"][&room_id]["knock_state"]["events"];
    assert!(
        knocked.as_array().is_some_and(|events| !events.is_empty()),
        "{sync}"
    );
    refused(server.host(), &bob.join(&room_id), 403, "M_FORBIDDEN");
    alice.invite(&room_id, &bob.user_id).ok();
    bob.join(&room_id).ok();
    assert_eq!(membership(&alice, &room_id, &bob), "join");
}

fn a_knock_needs_a_room_that_takes_knocks(server: &mut Server) {
    let api = server.api();
    let (alice, bob) = (api.register("alice"), api.register("bob"));
    for rule in ["invite", "public", "restricted"] {
        let room_id = with_rule(&alice, &json!({ "join_rule": rule }));
        refused(server.host(), &knock(&bob, &room_id), 403, "M_FORBIDDEN");
        assert_eq!(membership(&alice, &room_id, &bob), Value::Null, "{rule}");
    }
    let room_id = with_rule(&alice, &json!({ "join_rule": "knock" }));
    alice
        .membership(&room_id, "ban", &json!({ "user_id": bob.user_id }))
        .ok();
    refused(server.host(), &knock(&bob, &room_id), 403, "M_FORBIDDEN");
}

fn restricted_to(owner: &Account, lobby: &str) -> String {
    with_rule(
        owner,
        &json!({ "join_rule": "restricted", "allow": [{ "type": "m.room_membership", "room_id": lobby }] }),
    )
}

fn members_of_another_room_join_a_restricted_room(server: &mut Server) {
    let api = server.api();
    let (alice, bob) = (api.register("alice"), api.register("bob"));
    let lobby = alice.create_room(&json!({ "preset": "public_chat" }));
    let room_id = restricted_to(&alice, &lobby);
    refused(server.host(), &bob.join(&room_id), 403, "M_FORBIDDEN");
    bob.join(&lobby).ok();
    bob.join(&room_id).ok();
    let join = alice.get_state(&room_id, "m.room.member", &bob.user_id).ok();
    assert_eq!(
        join["join_authorised_via_users_server"],
        alice.user_id.as_str(),
        "{join}"
    );
    bob.say(&room_id, "hello").ok();
}

/// Attack 6: a restricted join without the right to it.
fn nobody_else_joins_a_restricted_room(server: &mut Server) {
    let api = server.api();
    let (alice, bob, eve) = (api.register("alice"), api.register("bob"), api.register("eve"));
    let lobby = alice.create_room(&json!({ "preset": "public_chat" }));
    let room_id = restricted_to(&alice, &lobby);
    bob.join(&lobby).ok();
    bob.leave(&lobby).ok();
    for person in [&bob, &eve] {
        refused(server.host(), &person.join(&room_id), 403, "M_FORBIDDEN");
        let forged = json!({ "membership": "join", "join_authorised_via_users_server": alice.user_id });
        let reply = person.set_state(&room_id, "m.room.member", &person.user_id, &forged);
        refused(server.host(), &reply, 403, "M_FORBIDDEN");
        assert_eq!(membership(&alice, &room_id, person), Value::Null);
    }
    eve.join(&lobby).ok();
    alice
        .membership(&room_id, "ban", &json!({ "user_id": eve.user_id }))
        .ok();
    refused(server.host(), &eve.join(&room_id), 403, "M_FORBIDDEN");
    assert_eq!(membership(&alice, &room_id, &eve), "ban");
}

fn upgrade(person: &Account, room_id: &str, version: &str) -> selvage_e2e::Reply {
    person.post(&room_path(room_id, "upgrade"), &json!({ "new_version": version }))
}

fn an_upgrade_takes_over_what_matters(server: &mut Server) {
    let api = server.api();
    let (alice, bob, eve) = (api.register("alice"), api.register("bob"), api.register("eve"));
    for (old_version, new_version) in [("10", "12"), ("12", "11"), ("11", "11")] {
        let old = alice.create_room(&json!({
            "preset": "public_chat", "name": "The name", "topic": "The topic", "room_version": old_version,
            "creation_content": { "type": "m.space" },
        }));
        bob.join(&old).ok();
        alice
            .membership(&old, "ban", &json!({ "user_id": eve.user_id }))
            .ok();
        let levels = alice.get_state(&old, "m.room.power_levels", "").ok();
        let mut changed = levels.clone();
        changed["users"][&bob.user_id] = json!(50);
        alice.set_state(&old, "m.room.power_levels", "", &changed).ok();
        let new = upgrade(&alice, &old, new_version).string("/replacement_room");

        let state = |room: &str, kind: &str| alice.get_state(room, kind, "").ok();
        assert_eq!(state(&old, "m.room.tombstone")["replacement_room"], new.as_str());
        let create = state(&new, "m.room.create");
        assert_eq!(create["predecessor"]["room_id"], old.as_str());
        assert_eq!(
            (&create["type"], &create["room_version"]),
            (&json!("m.space"), &json!(new_version))
        );
        assert_eq!(state(&new, "m.room.name")["name"], "The name");
        assert_eq!(state(&new, "m.room.topic")["topic"], "The topic");
        assert_eq!(state(&new, "m.room.join_rules")["join_rule"], "public");
        assert_eq!(membership(&alice, &new, &eve), "ban");
        assert_eq!(state(&new, "m.room.power_levels")["users"][&bob.user_id], 50);
        // The maker has the power in the new room that it had in the old.
        alice
            .set_state(
                &new,
                "m.room.power_levels",
                "",
                &state(&new, "m.room.power_levels"),
            )
            .ok();
        alice
            .set_state(&new, "m.room.name", "", &json!({ "name": "New" }))
            .ok();
        // Who has no power cannot go on in the old room.
        let after = state(&old, "m.room.power_levels");
        assert_eq!(
            (&after["events_default"], &after["invite"]),
            (&json!(50), &json!(50))
        );
        refused(server.host(), &eve.join(&new), 403, "M_FORBIDDEN");
        bob.join(&new).ok();
    }
}

fn an_upgrade_needs_the_right_to_end_the_room(server: &mut Server) {
    let api = server.api();
    let (alice, bob, eve) = (api.register("alice"), api.register("bob"), api.register("eve"));
    let room_id = alice.create_room(&json!({ "preset": "public_chat" }));
    bob.join(&room_id).ok();
    for person in [&bob, &eve] {
        refused(
            server.host(),
            &upgrade(person, &room_id, "11"),
            403,
            "M_FORBIDDEN",
        );
    }
    refused(
        server.host(),
        &upgrade(&alice, &room_id, "13"),
        400,
        "M_UNSUPPORTED_ROOM_VERSION",
    );
    let tombstone = alice.get_state(&room_id, "m.room.tombstone", "");
    assert_eq!(tombstone.status, 404, "nothing changed");
}

fn rooms_of_every_version_work(server: &mut Server) {
    let api = server.api();
    let (alice, bob) = (api.register("alice"), api.register("bob"));
    for version in 1..=12 {
        let version = version.to_string();
        let room_id = alice.create_room(&json!({ "preset": "private_chat", "room_version": version }));
        alice.invite(&room_id, &bob.user_id).ok();
        bob.join(&room_id).ok();
        let event_id = bob.say(&room_id, "hello").string("/event_id");
        let redact = format!("redact/{}/t{version}", selvage_e2e::api::percent(&event_id));
        alice.put(&room_path(&room_id, &redact), &json!({})).ok();
        let history = bob.history(&room_id);
        let redacted = history
            .iter()
            .find(|event| event["event_id"] == event_id.as_str());
        let redacted = redacted.expect("the event is there");
        assert_eq!(redacted["content"], json!({}), "version {version}: {redacted}");
        let create = bob.get_state(&room_id, "m.room.create", "").ok();
        assert_eq!(create["room_version"].as_str().unwrap_or("1"), version);
        assert_eq!(!room_id.contains(':'), version == "12", "{room_id}");
    }
}
