//! What the operator does.

use futures_util::FutureExt as _;
use hmac::{Hmac, KeyInit, Mac};
use selvage_gateway::admin::accounts;
use serde_json::json;
use sha1::Sha1;

use crate::client::{Client, PASSWORD, Reply, settings};

const PATH: &str = "/_synapse/admin/v1/register";
const SECRET: &str = "secret";

fn with_secret() -> Client {
    let mut settings = settings();
    settings.registration_shared_secret = Some(SECRET.to_owned());
    Client::of(settings)
}

fn register(client: &Client, nonce: &str, name: &str, secret: &str, admin: bool) -> Reply {
    let mut mac = Hmac::<Sha1>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(
        [nonce, name, PASSWORD, if admin { "admin" } else { "notadmin" }]
            .join("\0")
            .as_bytes(),
    );
    let mac: String = mac
        .finalize()
        .into_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let body = json!({ "nonce": nonce, "username": name, "password": PASSWORD, "admin": admin, "mac": mac });
    client.post(PATH, body)
}

#[test]
fn the_shared_secret_makes_accounts() {
    let client = with_secret();
    for (name, admin) in [("alice", true), ("bob", false)] {
        let nonce = client.get(PATH).text("nonce");
        let done = register(&client, &nonce, name, SECRET, admin);
        client.signed_in(done.ok()).get("account/whoami").ok();
        register(&client, &nonce, name, SECRET, admin).refused(400, "M_USER_IN_USE");
    }
}

#[test]
fn nonces_are_given_out_and_end() {
    let client = with_secret();
    register(&client, "invented", "alice", SECRET, false).refused(400, "M_UNKNOWN");
    let nonce = client.get(PATH).text("nonce");
    register(&client, &nonce, "alice", "guess", false).refused(403, "M_FORBIDDEN");
    client.house().pass_ms(60_000);
    register(&client, &nonce, "alice", SECRET, false).refused(400, "M_UNKNOWN");
    let session = client.post("register", json!({})).json["session"]
        .as_str()
        .unwrap()
        .to_owned();
    register(&client, &session, "alice", SECRET, false).refused(400, "M_UNKNOWN");
    Client::new().get(PATH).refused(400, "M_UNKNOWN");
}

#[test]
fn accounts_are_made_changed_and_ended_by_name() {
    let client = Client::new();
    let gateway = &client.gateway;
    let create = |name: &str| {
        accounts::create_user(gateway, name, Some(PASSWORD), false)
            .now_or_never()
            .unwrap()
    };
    let log_in = |password: &str| {
        client.post(
            "login",
            json!({ "type": "m.login.password", "user": "alice", "password": password }),
        )
    };
    assert_eq!(create("Alice").as_deref(), Ok("@alice:example.org"));
    assert_eq!(create("alice").unwrap_err().errcode, "M_USER_IN_USE");
    assert_eq!(create("a b").unwrap_err().errcode, "M_INVALID_USERNAME");
    let alice = client.signed_in(log_in(PASSWORD).ok());
    let set = |name: &str| {
        accounts::set_password(gateway, name, "another", true)
            .now_or_never()
            .unwrap()
    };
    set("@alice:example.org").unwrap();
    assert_eq!(set("nobody").unwrap_err().errcode, "M_NOT_FOUND");
    alice.get("account/whoami").refused(401, "M_UNKNOWN_TOKEN");
    log_in("another").ok();
    accounts::deactivate(gateway, "alice")
        .now_or_never()
        .unwrap()
        .unwrap();
    let again = accounts::deactivate(gateway, "alice")
        .now_or_never()
        .unwrap()
        .unwrap_err();
    assert_eq!(again.errcode, "M_USER_DEACTIVATED");
    log_in("another").refused(403, "M_USER_DEACTIVATED");
}
