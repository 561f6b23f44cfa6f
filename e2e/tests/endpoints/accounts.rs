//! Signing in and out, and what belongs to an account.

use selvage_e2e::api::{PASSWORD, percent, unique};
use selvage_e2e::{Host, Server};
use serde_json::json;

use crate::scene::{Scene, refused, sync_until};

cases!(
    login_with_a_wrong_password_is_refused,
    login_flows_that_prove_nothing_are_refused,
    login_takes_localparts_and_whole_ids,
    login_on_a_known_device_replaces_its_token,
    logout_ends_one_device,
    logout_of_all_ends_every_device,
    tokens_and_data_outlive_a_crash,
    profiles_are_public_and_reach_rooms,
    account_data_is_private_and_kept,
    reserved_account_data_is_refused,
    filters_belong_to_their_user,
);

const LOGIN: &str = "/_matrix/client/v3/login";
const WHOAMI: &str = "/_matrix/client/v3/account/whoami";

/// Attack 16. spec: client-server-api §post_matrixclientv3login
fn login_with_a_wrong_password_is_refused(server: &mut Server) {
    let api = server.api();
    let carol = api.register("carol");
    let wrong = format!("{PASSWORD} ");
    let long = "x".repeat(1_000);
    for password in ["", "wrong", &wrong, &PASSWORD.to_uppercase(), &long, "\0"] {
        refused(
            server.host(),
            &api.try_login(&carol.user_id, password),
            403,
            "M_FORBIDDEN",
        );
    }
    for user in ["@nobody:localhost", "nobody", "@carol:elsewhere.example.org", ""] {
        let reply = api.try_login(user, PASSWORD);
        assert!([400, 403].contains(&reply.status), "{user}: {reply}");
    }
}

/// Attack 16: types of login that need no secret, or somebody else's.
fn login_flows_that_prove_nothing_are_refused(server: &mut Server) {
    let api = server.api();
    let carol = api.register("carol");
    let identifier = json!({"type": "m.id.user", "user": carol.user_id});
    let attempts = [
        json!({"type": "m.login.dummy", "identifier": identifier}),
        json!({"type": "m.login.token", "identifier": identifier, "token": carol.token()}),
        json!({"type": "m.login.application_service", "identifier": identifier}),
        json!({"type": "org.example.unknown", "identifier": identifier}),
        json!({"type": "m.login.password", "identifier": identifier}),
        json!({"type": "m.login.password", "password": PASSWORD}),
        json!({"type": "m.login.password", "identifier": {"type": "org.example.unknown"}, "password": PASSWORD}),
        json!({"identifier": identifier, "password": PASSWORD}),
        json!({}),
    ];
    for body in attempts {
        let reply = api.post(LOGIN, &body);
        assert!([400, 401, 403].contains(&reply.status), "{body}: {reply}");
        assert!(reply.json.get("access_token").is_none(), "{body}: {reply}");
    }
}

/// spec: client-server-api §identifier-types
fn login_takes_localparts_and_whole_ids(server: &mut Server) {
    let api = server.api();
    let carol = api.register("carol");
    for user in [carol.user_id.as_str(), carol.localpart()] {
        let reply = api.try_login(user, PASSWORD);
        assert_eq!(reply.string("/user_id"), carol.user_id, "{reply}");
        assert_ne!(
            reply.string("/device_id"),
            carol.device_id,
            "each sign-in makes a device"
        );
    }
    // The older form of the same request, still used by clients.
    let body = json!({"type": "m.login.password", "user": carol.localpart(), "password": PASSWORD});
    assert_eq!(api.post(LOGIN, &body).string("/user_id"), carol.user_id);
}

/// spec: client-server-api §relationship-between-access-tokens-and-devices
fn login_on_a_known_device_replaces_its_token(server: &mut Server) {
    let api = server.api();
    let carol = api.register("carol");
    let identifier = json!({"type": "m.id.user", "user": carol.user_id});
    let body = json!({
        "type": "m.login.password", "identifier": identifier, "password": PASSWORD, "device_id": carol.device_id,
    });
    let again = api.post(LOGIN, &body);
    assert_eq!(again.string("/device_id"), carol.device_id);
    // Synapse lets the old token live.
    if server.host() != Host::Synapse {
        refused(server.host(), &carol.get(WHOAMI), 401, "M_UNKNOWN_TOKEN");
    }
    api.with_token(&again.string("/access_token")).get(WHOAMI).ok();
}

/// spec: client-server-api §post_matrixclientv3logout
fn logout_ends_one_device(server: &mut Server) {
    let api = server.api();
    let carol = api.register("carol");
    let other = api.login(&carol);
    assert_eq!(
        carol.post("/_matrix/client/v3/logout", &json!({})).ok(),
        json!({})
    );
    refused(server.host(), &carol.get(WHOAMI), 401, "M_UNKNOWN_TOKEN");
    other.get(WHOAMI).ok();
    // Clients send no body at all.
    let third = api.login(&carol);
    third
        .request("POST", "/_matrix/client/v3/logout")
        .bytes("")
        .send()
        .ok();
    refused(server.host(), &third.get(WHOAMI), 401, "M_UNKNOWN_TOKEN");
}

/// spec: client-server-api §post_matrixclientv3logoutall
fn logout_of_all_ends_every_device(server: &mut Server) {
    let api = server.api();
    let carol = api.register("carol");
    let other = api.login(&carol);
    carol.post("/_matrix/client/v3/logout/all", &json!({})).ok();
    for account in [&carol, &other] {
        refused(server.host(), &account.get(WHOAMI), 401, "M_UNKNOWN_TOKEN");
    }
    api.login(&carol).get(WHOAMI).ok();
}

fn tokens_and_data_outlive_a_crash(server: &mut Server) {
    let scene = Scene::new(server);
    let gone = scene.api.login(&scene.alice);
    gone.post("/_matrix/client/v3/logout", &json!({})).ok();
    let note = format!(
        "/_matrix/client/v3/user/{}/account_data/org.example.note",
        percent(&scene.alice.user_id)
    );
    scene.alice.put(&note, &json!({"kept": true})).ok();
    let state = scene.state_as_seen(&scene.alice);

    server.kill9();
    server.restart();

    scene.alice.get(WHOAMI).ok();
    refused(scene.host, &gone.get(WHOAMI), 401, "M_UNKNOWN_TOKEN");
    assert_eq!(scene.alice.get(&note).ok(), json!({"kept": true}));
    assert_eq!(scene.state_as_seen(&scene.alice), state);
    assert_eq!(
        scene.bob.history(&scene.room_id).last().expect("a message")["event_id"],
        scene.event_id.as_str()
    );
}

/// spec: client-server-api §profiles
fn profiles_are_public_and_reach_rooms(server: &mut Server) {
    let scene = Scene::new(server);
    let path = |user: &str, key: &str| format!("/_matrix/client/v3/profile/{}{key}", percent(user));
    let name = path(&scene.alice.user_id, "/displayname");
    scene.alice.put(&name, &json!({"displayname": "Alice Ω"})).ok();
    assert_eq!(scene.api.get(&name).ok(), json!({"displayname": "Alice Ω"}));
    assert_eq!(
        scene.eve.get(&path(&scene.alice.user_id, "")).ok()["displayname"],
        "Alice Ω"
    );
    refused(
        scene.host,
        &scene.eve.put(&name, &json!({"displayname": "Mallory"})),
        403,
        "M_FORBIDDEN",
    );
    refused(
        scene.host,
        &scene.api.get(&path("@nobody:localhost", "")),
        404,
        "M_NOT_FOUND",
    );
    assert_eq!(scene.api.get(&name).ok(), json!({"displayname": "Alice Ω"}));
    selvage_e2e::wait::until(
        "the new name in the room",
        std::time::Duration::from_secs(30),
        || {
            let member = scene
                .bob
                .get_state(&scene.room_id, "m.room.member", &scene.alice.user_id)
                .ok();
            (member["displayname"] == "Alice Ω" && member["membership"] == "join").then_some(())
        },
    );
}

/// spec: client-server-api §client-config
fn account_data_is_private_and_kept(server: &mut Server) {
    let scene = Scene::new(server);
    let of = |user: &str, rest: &str| format!("/_matrix/client/v3/user/{}/{rest}", percent(user));
    let global = of(&scene.alice.user_id, "account_data/org.example.a");
    let room = of(
        &scene.alice.user_id,
        &format!("rooms/{}/account_data/org.example.b", percent(&scene.room_id)),
    );
    let since = scene.alice.sync("")["next_batch"]
        .as_str()
        .expect("a token")
        .to_owned();
    for path in [&global, &room] {
        refused(scene.host, &scene.alice.get(path), 404, "M_NOT_FOUND");
        scene
            .alice
            .put(path, &json!({"secret": [1, {"deep": true}]}))
            .ok();
        refused(scene.host, &scene.eve.get(path), 403, "M_FORBIDDEN");
        refused(scene.host, &scene.eve.put(path, &json!({})), 403, "M_FORBIDDEN");
        assert_eq!(scene.alice.get(path).ok(), json!({"secret": [1, {"deep": true}]}));
    }
    let sync = sync_until(&scene.alice, &since, "timeout=0", |sync| {
        let text = sync.to_string();
        text.contains("org.example.a") && text.contains("org.example.b")
    });
    assert!(
        sync["rooms"]["join"][&scene.room_id]["account_data"]
            .to_string()
            .contains("org.example.b"),
        "{sync}"
    );
    for other in [&scene.bob, &scene.eve] {
        assert!(
            !other.sync("").to_string().contains("org.example"),
            "nobody else's sync has it"
        );
    }
}

/// spec: client-server-api §put_matrixclientv3useruseridaccount_datatype
fn reserved_account_data_is_refused(server: &mut Server) {
    let scene = Scene::new(server);
    let user = percent(&scene.alice.user_id);
    let rules = format!("/_matrix/client/v3/user/{user}/account_data/m.push_rules");
    refused(
        scene.host,
        &scene.alice.put(&rules, &json!({})),
        405,
        "M_BAD_JSON",
    );
    let room = percent(&scene.room_id);
    let read = format!("/_matrix/client/v3/user/{user}/rooms/{room}/account_data/m.fully_read");
    refused(scene.host, &scene.alice.put(&read, &json!({})), 405, "M_BAD_JSON");
}

/// Attack 18, for filters. spec: client-server-api §filtering
fn filters_belong_to_their_user(server: &mut Server) {
    let scene = Scene::new(server);
    let of = |user: &str, rest: &str| format!("/_matrix/client/v3/user/{}/filter{rest}", percent(user));
    let filter =
        json!({"room": {"timeline": {"types": ["m.room.message"], "limit": 3}}, "event_fields": ["content"]});
    let id = scene
        .alice
        .post(&of(&scene.alice.user_id, ""), &filter)
        .string("/filter_id");
    assert!(!id.starts_with('{'), "a filter id cannot be taken for a filter");
    let stored = scene.alice.get(&of(&scene.alice.user_id, &format!("/{id}"))).ok();
    assert_eq!(stored["room"]["timeline"], filter["room"]["timeline"]);
    for missing in ["999999", "nothing", &unique("x")] {
        refused(
            scene.host,
            &scene.alice.get(&of(&scene.alice.user_id, &format!("/{missing}"))),
            404,
            "M_NOT_FOUND",
        );
    }
    refused(
        scene.host,
        &scene.eve.get(&of(&scene.alice.user_id, &format!("/{id}"))),
        403,
        "M_FORBIDDEN",
    );
    refused(
        scene.host,
        &scene.eve.post(&of(&scene.alice.user_id, ""), &filter),
        403,
        "M_FORBIDDEN",
    );
    let stale = scene.eve.sync_with("", "timeout=0&filter=999999");
    assert!([400, 404].contains(&stale.status), "{stale}");
    let inline = scene
        .alice
        .sync_with("", &format!("timeout=0&filter={}", percent(&filter.to_string())));
    assert_eq!(inline.status, 200, "{inline}");
    let broken = scene.alice.sync_with("", "timeout=0&filter=%7Bbroken");
    assert_eq!(broken.status, 400, "{broken}");
}
