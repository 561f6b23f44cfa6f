//! Making accounts: user-interactive authentication, the closed door, and the shared secret.

use selvage_e2e::api::{PASSWORD, registration_mac, unique};
use selvage_e2e::{Api, Options, Reply, Server};
use serde_json::{Value, json};

use crate::scene::refused;

cases!(
    registration_asks_for_a_stage_and_then_signs_in,
    registration_in_one_step,
    stages_cannot_be_skipped_or_borrowed,
    names_are_checked,
    a_taken_name_is_refused,
    a_name_is_given_once_to_twenty_at_once,
    inhibit_login_makes_no_device,
    guests_are_refused,
    closed_registration_is_refused,
    shared_secret_makes_accounts,
    shared_secret_refuses_what_it_should,
);

const REGISTER: &str = "/_matrix/client/v3/register";
const SHARED_SECRET: &str = "/_synapse/admin/v1/register";
const SECRET: &str = "a secret of the tools";

/// spec: client-server-api §user-interactive-authentication-api
fn registration_asks_for_a_stage_and_then_signs_in(server: &mut Server) {
    let api = server.api();
    let name = unique("carol");
    let body = json!({"username": name, "password": PASSWORD});
    let first = api.post(REGISTER, &body);
    assert_eq!(first.status, 401, "{first}");
    assert!(first.json.get("session").is_some_and(Value::is_string), "{first}");
    assert!(first.json.get("params").is_some_and(Value::is_object), "{first}");
    assert!(
        first.json.get("errcode").is_none(),
        "nothing has failed yet: {first}"
    );
    let flows = first.json["flows"].as_array().expect("flows");
    assert!(flows.contains(&json!({"stages": ["m.login.dummy"]})), "{first}");

    let done = with_auth(
        &api,
        &body,
        json!({"type": "m.login.dummy", "session": first.json["session"]}),
    );
    assert_eq!(done.status, 200, "{done}");
    assert_eq!(done.string("/user_id"), format!("@{name}:localhost"));
    let whoami = api
        .with_token(&done.string("/access_token"))
        .get("/_matrix/client/v3/account/whoami");
    assert_eq!(whoami.string("/device_id"), done.string("/device_id"));
    assert_eq!(whoami.string("/user_id"), done.string("/user_id"));
}

/// The dummy stage done at once, without a session: SDKs do so.
fn registration_in_one_step(server: &mut Server) {
    let api = server.api();
    let body = json!({"username": unique("carol"), "password": PASSWORD, "device_id": "MYDEVICE"});
    let done = with_auth(&api, &body, json!({"type": "m.login.dummy"}));
    assert_eq!(done.status, 200, "{done}");
    assert_eq!(done.string("/device_id"), "MYDEVICE", "a device may be named");
}

/// Attack 16: a stage of another type, a session that was never given out, or one given for something else.
fn stages_cannot_be_skipped_or_borrowed(server: &mut Server) {
    let api = server.api();
    let name = unique("carol");
    let body = json!({"username": name, "password": PASSWORD});
    let session = api.post(REGISTER, &body).string("/session");
    let stages = [
        json!({"type": "m.login.password", "session": session}),
        json!({"type": "m.login.terms", "session": session}),
        json!({"type": "m.login.registration_token", "session": session, "token": "guess"}),
        json!({"type": "m.login.dummy", "session": "never given out"}),
        json!({"session": session}),
        json!({}),
    ];
    for auth in stages {
        let reply = with_auth(&api, &body, auth.clone());
        assert!([400, 401, 403].contains(&reply.status), "{auth}: {reply}");
        assert!(reply.json.get("access_token").is_none(), "{auth}: {reply}");
    }
    for auth in [json!("m.login.dummy"), json!([]), json!(5)] {
        refused(server.host(), &with_auth(&api, &body, auth), 400, "M_BAD_JSON");
    }
    let login = api.try_login(&name, PASSWORD);
    refused(server.host(), &login, 403, "M_FORBIDDEN");
}

/// spec: appendices §user-identifiers
fn names_are_checked(server: &mut Server) {
    let api = server.api();
    let long = "a".repeat(255);
    for name in [
        "",
        "two words",
        "per%cent",
        "@at:localhost",
        "a:b",
        "tab\t",
        "ümlaut",
        "new\nline",
        "nul\0",
        &long,
    ] {
        let reply = api.try_register(name, PASSWORD);
        // Synapse gives the empty name a number.
        if server.host() != selvage_e2e::Host::Synapse || !name.is_empty() {
            refused(server.host(), &reply, 400, "M_INVALID_USERNAME");
        }
    }
    let available = |name: &str| api.get(&format!("{REGISTER}/available?username={name}"));
    assert_eq!(available(&unique("free")).ok()["available"], true);
    refused(
        server.host(),
        &available("two%20words"),
        400,
        "M_INVALID_USERNAME",
    );
}

/// spec: client-server-api §post_matrixclientv3register
fn a_taken_name_is_refused(server: &mut Server) {
    let api = server.api();
    let carol = api.register("carol");
    let again = api.try_register(carol.localpart(), "another password");
    refused(server.host(), &again, 400, "M_USER_IN_USE");
    let available = api.get(&format!("{REGISTER}/available?username={}", carol.localpart()));
    refused(server.host(), &available, 400, "M_USER_IN_USE");
    refused(
        server.host(),
        &api.try_login(&carol.user_id, "another password"),
        403,
        "M_FORBIDDEN",
    );
    api.try_login(&carol.user_id, PASSWORD).ok();
    // Names are compared after folding to lower case, as they are stored.
    let shouted = api.try_register(&carol.localpart().to_uppercase(), "another password");
    assert_eq!(shouted.status, 400, "{shouted}");
}

fn a_name_is_given_once_to_twenty_at_once(server: &mut Server) {
    let name = unique("popular");
    let api = server.api();
    let replies: Vec<Reply> = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..20)
            .map(|_| scope.spawn(|| api.try_register(&name, PASSWORD)))
            .collect();
        asking
            .into_iter()
            .map(|thread| thread.join().expect("an answer"))
            .collect()
    });
    let given = replies.iter().filter(|reply| reply.status == 200).count();
    assert_eq!(given, 1, "the name was given {given} times");
    for reply in replies.iter().filter(|reply| reply.status != 200) {
        refused(server.host(), reply, 400, "M_USER_IN_USE");
    }
}

/// spec: client-server-api §post_matrixclientv3register
fn inhibit_login_makes_no_device(server: &mut Server) {
    let api = server.api();
    let body = json!({"username": unique("carol"), "password": PASSWORD, "inhibit_login": true});
    let done = with_auth(&api, &body, json!({"type": "m.login.dummy"}));
    assert_eq!(done.status, 200, "{done}");
    assert!(
        done.json.get("access_token").is_none() && done.json.get("device_id").is_none(),
        "{done}"
    );
    api.try_login(&done.string("/user_id"), PASSWORD).ok();
}

fn guests_are_refused(server: &mut Server) {
    let api = server.api();
    let reply = api.post(&format!("{REGISTER}?kind=guest"), &json!({}));
    refused(server.host(), &reply, 403, "M_GUEST_ACCESS_FORBIDDEN");
    let reply = api.post(&format!("{REGISTER}?kind=king"), &json!({}));
    assert_eq!(reply.status, 400, "{reply}");
}

fn closed(server: &Server, secret: Option<&str>) -> Server {
    let registration_shared_secret = secret.map(str::to_owned);
    let options = Options {
        registration: "closed",
        registration_shared_secret,
        ..Options::default()
    };
    Server::start_with(server.host(), options)
}

/// spec: client-server-api §post_matrixclientv3register
fn closed_registration_is_refused(server: &mut Server) {
    let server = closed(server, None);
    let api = server.api();
    let body = json!({"username": "carol", "password": PASSWORD});
    refused(server.host(), &api.post(REGISTER, &body), 403, "M_FORBIDDEN");
    refused(
        server.host(),
        &with_auth(&api, &body, json!({"type": "m.login.dummy"})),
        403,
        "M_FORBIDDEN",
    );
    refused(
        server.host(),
        &api.try_login("carol", PASSWORD),
        403,
        "M_FORBIDDEN",
    );
    // Without a secret there is nothing to prove.
    let forged = registration_mac("", "nonce", "carol", PASSWORD, true);
    let body =
        json!({"nonce": "nonce", "username": "carol", "password": PASSWORD, "admin": true, "mac": forged});
    assert!((400..500).contains(&api.post(SHARED_SECRET, &body).status));
}

fn nonce(api: &Api) -> String {
    let reply = api.get(SHARED_SECRET);
    assert_eq!(reply.status, 200, "{reply}");
    reply.string("/nonce")
}

/// Registration as tools do it, on a server that is closed to others, with and without the admin flag.
fn shared_secret_makes_accounts(server: &mut Server) {
    let server = closed(server, Some(SECRET));
    let api = server.api();
    for admin in [false, true] {
        let (nonce, name) = (nonce(&api), unique("dora"));
        let mac = registration_mac(SECRET, &nonce, &name, PASSWORD, admin);
        let body =
            json!({"nonce": nonce, "username": name, "password": PASSWORD, "admin": admin, "mac": mac});
        let done = api.post(SHARED_SECRET, &body);
        assert_eq!(done.status, 200, "{done}");
        assert_eq!(done.string("/user_id"), format!("@{name}:localhost"));
        api.with_token(&done.string("/access_token"))
            .get("/_matrix/client/v3/account/whoami")
            .ok();
        api.try_login(&name, PASSWORD).ok();
        // A nonce is good for one account.
        assert_eq!(api.post(SHARED_SECRET, &body).status, 400);
    }
}

fn shared_secret_refuses_what_it_should(server: &mut Server) {
    let server = closed(server, Some(SECRET));
    let api = server.api();
    let attempt = |nonce: &str, mac: String, admin: bool| {
        let body =
            json!({"nonce": nonce, "username": "mallory", "password": PASSWORD, "admin": admin, "mac": mac});
        api.post(SHARED_SECRET, &body)
    };
    let fresh = nonce(&api);
    let wrong_secret = attempt(
        &fresh,
        registration_mac("guess", &fresh, "mallory", PASSWORD, false),
        false,
    );
    refused(server.host(), &wrong_secret, 403, "M_FORBIDDEN");
    let fresh = nonce(&api);
    let promoted = attempt(
        &fresh,
        registration_mac(SECRET, &fresh, "mallory", PASSWORD, false),
        true,
    );
    refused(server.host(), &promoted, 403, "M_FORBIDDEN");
    let invented = attempt(
        "invented",
        registration_mac(SECRET, "invented", "mallory", PASSWORD, false),
        false,
    );
    assert_eq!(invented.status, 400, "{invented}");
    let fresh = nonce(&api);
    let empty = attempt(&fresh, String::new(), false);
    assert!((400..500).contains(&empty.status), "{empty}");
    refused(
        server.host(),
        &api.post(SHARED_SECRET, &json!({})),
        400,
        "M_BAD_JSON",
    );
    refused(
        server.host(),
        &api.try_login("mallory", PASSWORD),
        403,
        "M_FORBIDDEN",
    );
}

fn with_auth(api: &Api, body: &Value, auth: Value) -> Reply {
    let mut body = body.clone();
    body.as_object_mut()
        .expect("an object")
        .insert("auth".to_owned(), auth);
    api.post(REGISTER, &body)
}
