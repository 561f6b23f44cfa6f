//! Registering, signing in and out, and what belongs to an account.

use futures_util::FutureExt as _;
use selvage_gateway::{Registration, admin};
use serde_json::{Value, json};

use crate::client::{Client, PASSWORD, settings};

fn login(client: &Client, user: &str, password: &str) -> crate::client::Reply {
    let identifier = json!({ "type": "m.id.user", "user": user });
    client.post(
        "login",
        json!({ "type": "m.login.password", "identifier": identifier, "password": password }),
    )
}

#[test]
fn registration_shows_its_flow_and_takes_the_session_back() {
    let client = Client::new();
    let first = client.post("register", json!({}));
    assert_eq!((first.status, first.json.get("errcode")), (401, None), "{first}");
    assert_eq!(first.json["flows"], json!([{ "stages": ["m.login.dummy"] }]));
    let auth = json!({ "type": "m.login.dummy", "session": first.json["session"] });
    let body = json!({ "username": "Alice", "password": PASSWORD, "device_id": "D", "auth": auth });
    let done = client.post("register", body).ok();
    assert_eq!(
        (&done["user_id"], &done["device_id"]),
        (&json!("@alice:example.org"), &json!("D"))
    );
}

#[test]
fn sessions_are_bound_to_their_request_and_end() {
    let client = Client::new();
    let session = client.post("register", json!({})).json["session"].clone();
    let alice = client.register("alice");
    let with = |session: &Value| json!({ "type": "m.login.dummy", "session": session });
    let register = |name: &str, session: &Value| {
        client.post(
            "register",
            json!({ "username": name, "password": PASSWORD, "auth": with(session) }),
        )
    };
    register("bob", &json!("invented")).refused(403, "M_FORBIDDEN");
    let password = json!({ "new_password": "another", "auth": {
        "type": "m.login.password", "session": session, "password": PASSWORD,
        "identifier": { "type": "m.id.user", "user": "alice" } } });
    alice
        .post("account/password", password)
        .refused(403, "M_FORBIDDEN");
    client.house().pass_ms(16 * 60 * 1_000);
    let late = register("bob", &session);
    assert_eq!(late.status, 401, "{late}");
    assert!(
        late.json["session"].is_string(),
        "a new session is offered: {late}"
    );
}

#[test]
fn a_session_for_one_body_does_not_serve_another() {
    let alice = Client::new().register("alice");
    let change = |new: &str, session: Option<&Value>| {
        let auth = session.map(|session| {
            json!({ "type": "m.login.password", "session": session, "password": PASSWORD, "user": "alice" })
        });
        alice.post("account/password", json!({ "new_password": new, "auth": auth }))
    };
    let session = change("one", None).json["session"].clone();
    change("two", Some(&session)).refused(403, "M_FORBIDDEN");
    change("one", Some(&session)).ok();
    login(&alice, "alice", "one").ok();
    login(&alice, "alice", PASSWORD).refused(403, "M_FORBIDDEN");
}

#[test]
fn closed_and_token_registration_refuse_strangers() {
    let mut closed = settings();
    closed.registration = Registration::Closed;
    let client = Client::of(closed);
    let body = json!({ "username": "a", "password": PASSWORD, "auth": { "type": "m.login.dummy" } });
    client.post("register", body.clone()).refused(403, "M_FORBIDDEN");

    let mut by_token = settings();
    by_token.registration = Registration::Token;
    let client = Client::of(by_token);
    client.post("register", body).refused(401, "M_FORBIDDEN");
    let token = admin::create_registration_token(&client.gateway, Some(1), None)
        .now_or_never()
        .unwrap()
        .unwrap();
    let register = |name: &str, token: &str| {
        let auth = json!({ "type": "m.login.registration_token", "token": token });
        client.post(
            "register",
            json!({ "username": name, "password": PASSWORD, "auth": auth }),
        )
    };
    let validity = |token: &str| {
        client
            .get(&format!(
                "/_matrix/client/v1/register/m.login.registration_token/validity?token={token}"
            ))
            .ok()
    };
    register("alice", "guess").refused(401, "M_FORBIDDEN");
    assert_eq!(validity(&token), json!({ "valid": true }));
    register("alice", &token).ok();
    assert_eq!(validity(&token), json!({ "valid": false }));
    register("bob", &token).refused(401, "M_FORBIDDEN");
}

#[test]
fn names_and_kinds_are_checked() {
    let client = Client::new();
    let alice = client.register("alice");
    let available = |name: &str| client.get(&format!("register/available?username={name}"));
    assert_eq!(available("bob").ok(), json!({ "available": true }));
    available("ALICE").refused(400, "M_USER_IN_USE");
    available("two%20words").refused(400, "M_INVALID_USERNAME");
    client
        .post("register?kind=guest", json!({}))
        .refused(403, "M_GUEST_ACCESS_FORBIDDEN");
    let body = json!({ "username": "alice", "password": PASSWORD, "auth": { "type": "m.login.dummy" } });
    client.post("register", body).refused(400, "M_USER_IN_USE");
    let body = json!({ "username": "bob", "password": "", "auth": { "type": "m.login.dummy" } });
    client.post("register", body).refused(400, "M_WEAK_PASSWORD");
    let body = json!({ "username": "bob", "password": "x", "inhibit_login": true, "auth": { "type": "m.login.dummy" } });
    let done = client.post("register", body).ok();
    assert_eq!(
        (done.get("access_token"), &done["user_id"]),
        (None, &json!("@bob:example.org"))
    );
    alice.get("account/whoami").ok();
}

#[test]
fn login_knows_users_by_localpart_and_id() {
    let client = Client::new();
    client.register("alice");
    for user in ["alice", "@alice:example.org", "ALICE"] {
        assert_eq!(
            login(&client, user, PASSWORD).ok()["user_id"],
            "@alice:example.org",
            "{user}"
        );
    }
    let old = client.post(
        "login",
        json!({ "type": "m.login.password", "user": "alice", "password": PASSWORD }),
    );
    assert_eq!(old.ok()["user_id"], "@alice:example.org");
    for (user, password) in [
        ("alice", "wrong"),
        ("alice", ""),
        ("nobody", PASSWORD),
        ("@alice:elsewhere.org", PASSWORD),
    ] {
        login(&client, user, password).refused(403, "M_FORBIDDEN");
    }
    client
        .post("login", json!({ "type": "m.login.dummy", "user": "alice" }))
        .refused(400, "M_UNKNOWN");
    client
        .post("login", json!({ "type": "m.login.password", "user": "alice" }))
        .refused(400, "M_MISSING_PARAM");
}

#[test]
fn unknown_users_cost_as_much_as_wrong_passwords() {
    let client = Client::new();
    client.register("alice");
    for user in ["alice", "nobody"] {
        let before = client.house().computed();
        login(&client, user, "wrong").refused(403, "M_FORBIDDEN");
        assert_eq!(client.house().computed() - before, 1, "{user}");
    }
}

#[test]
fn too_many_tries_to_log_in_are_refused() {
    let mut limited = settings();
    limited.rate_limits = true;
    let client = Client::of(limited);
    client.register("alice");
    let tries = (0..20).map(|_| login(&client, "alice", "wrong").status);
    let refused = tries.filter(|status| *status == 429).count();
    assert!(refused > 0);
    let reply = login(&client, "alice", PASSWORD);
    reply.refused(429, "M_LIMIT_EXCEEDED");
    assert!(reply.json["retry_after_ms"].as_u64().unwrap() > 0, "{reply}");
}

#[test]
fn logout_ends_sessions() {
    let client = Client::new();
    let alice = client.register("alice");
    assert_eq!(alice.get("account/whoami").ok()["device_id"], alice.device_id);
    let other = client.signed_in(login(&client, "alice", PASSWORD).ok());
    alice.send("POST", "/_matrix/client/v3/logout", "").ok();
    alice.get("account/whoami").refused(401, "M_UNKNOWN_TOKEN");
    let third = client.signed_in(login(&client, "alice", PASSWORD).ok());
    third.post("logout/all", json!({})).ok();
    other.get("account/whoami").refused(401, "M_UNKNOWN_TOKEN");
}

#[test]
fn deactivation_takes_the_password_and_ends_the_account() {
    let client = Client::new();
    let alice = client.register("alice");
    let bob = client.register("bob");
    let end = |user: &str, password: &str| {
        let auth = json!({ "type": "m.login.password", "user": user, "password": password });
        alice.post("account/deactivate", json!({ "auth": auth }))
    };
    assert_eq!(alice.post("account/deactivate", json!({})).status, 401);
    end("alice", "wrong").refused(401, "M_FORBIDDEN");
    end("bob", PASSWORD).refused(401, "M_FORBIDDEN");
    end("alice", PASSWORD).ok();
    alice.get("account/whoami").refused(401, "M_UNKNOWN_TOKEN");
    login(&client, "alice", PASSWORD).refused(403, "M_USER_DEACTIVATED");
    bob.get("account/whoami").ok();
}

#[test]
fn profiles_filters_and_account_data_belong_to_their_user() {
    let client = Client::new();
    let (alice, eve) = (client.register("alice"), client.register("eve"));
    let own = "user/@alice:example.org";
    alice
        .put(
            "profile/@alice:example.org/displayname",
            json!({ "displayname": "Alice" }),
        )
        .ok();
    assert_eq!(
        client.get("profile/@alice:example.org/displayname").ok(),
        json!({ "displayname": "Alice" })
    );
    eve.put(
        "profile/@alice:example.org/displayname",
        json!({ "displayname": "Eve" }),
    )
    .refused(403, "M_FORBIDDEN");
    client
        .get("profile/@nobody:example.org")
        .refused(404, "M_NOT_FOUND");
    client
        .get("profile/@alice:elsewhere.org")
        .refused(502, "M_UNKNOWN");

    let filter = json!({ "room": { "timeline": { "limit": 3 } } });
    let id = alice
        .post(&format!("{own}/filter"), filter.clone())
        .text("filter_id");
    assert_eq!(alice.get(&format!("{own}/filter/{id}")).ok(), filter);
    alice
        .get(&format!("{own}/filter/none"))
        .refused(404, "M_NOT_FOUND");
    eve.get(&format!("{own}/filter/{id}")).refused(403, "M_FORBIDDEN");
    alice
        .post(&format!("{own}/filter"), json!({ "event_fields": "x" }))
        .refused(400, "M_BAD_JSON");

    alice
        .put(&format!("{own}/account_data/x"), json!({ "a": 1 }))
        .ok();
    assert_eq!(
        alice.get(&format!("{own}/account_data/x")).ok(),
        json!({ "a": 1 })
    );
    eve.get(&format!("{own}/account_data/x"))
        .refused(403, "M_FORBIDDEN");
    alice
        .get(&format!("{own}/account_data/y"))
        .refused(404, "M_NOT_FOUND");
    alice
        .put(&format!("{own}/account_data/m.push_rules"), json!({}))
        .refused(405, "M_BAD_JSON");
    alice
        .put(&format!("{own}/rooms/!a/account_data/m.fully_read"), json!({}))
        .refused(405, "M_BAD_JSON");
}

#[test]
fn what_clients_ask_at_start_is_answered() {
    let alice = Client::new().register("alice");
    assert!(
        alice.get("/_matrix/client/versions").ok()["versions"]
            .as_array()
            .unwrap()
            .contains(&json!("v1.1"))
    );
    let capabilities = alice.get("capabilities").ok();
    assert_eq!(capabilities["capabilities"]["m.room_versions"]["default"], "12");
    assert_eq!(alice.get("voip/turnServer").ok(), json!({}));
    assert_eq!(alice.get("thirdparty/protocols").ok(), json!({}));
    assert_eq!(alice.get("pushers").ok(), json!({ "pushers": [] }));
    let rules = alice.get("pushrules/").ok();
    assert_eq!(rules["global"], alice.get("pushrules/global/").ok());
    let master = alice.get("pushrules/global/override/.m.rule.master").ok();
    assert_eq!(master, rules["global"]["override"][0]);
    alice
        .get("pushrules/global/override/none")
        .refused(404, "M_NOT_FOUND");
    alice
        .get("/.well-known/matrix/client")
        .refused(404, "M_NOT_FOUND");
}

#[test]
fn well_known_says_what_the_operator_set() {
    let mut published = settings();
    published.public_base_url = Some("https://matrix.example.org".to_owned());
    published.federation_address = Some("matrix.example.org:443".to_owned());
    published.support.email_address = Some("help@example.org".to_owned());
    let client = Client::of(published);
    let at = |name: &str| client.get(&format!("/.well-known/matrix/{name}")).ok();
    assert_eq!(
        at("client"),
        json!({ "m.homeserver": { "base_url": "https://matrix.example.org" } })
    );
    assert_eq!(at("server"), json!({ "m.server": "matrix.example.org:443" }));
    let contact = json!({ "role": "m.role.admin", "email_address": "help@example.org" });
    assert_eq!(at("support"), json!({ "contacts": [contact] }));
}
