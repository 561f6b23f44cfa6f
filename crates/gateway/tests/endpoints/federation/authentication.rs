//! spec: `server-server-api §request-authentication`

use serde_json::json;

use super::peer::{HOUR_MS, Peer, Scene, document, key};
use crate::client::{Client, settings};
use crate::house::SERVER;

/// Needs a signature and nothing else.
const PATH: &str = "/_matrix/federation/v1/publicRooms?limit=1%2F2";

fn peer() -> Peer {
    Peer::new(&Client::new(), "peer.test")
}

#[test]
fn a_signed_request_is_answered() {
    let peer = peer();
    peer.send("GET", PATH, None).ok();
    peer.send("POST", PATH, Some(&json!({ "limit": 1 }))).ok();
    let exchanged = peer.client.house().take_exchanged();
    assert_eq!(
        exchanged,
        ["GET peer.test/_matrix/key/v2/server"],
        "keys are fetched once"
    );
}

/// A1, A3: every part of the request is covered by the signature.
#[test]
fn a_request_that_is_not_signed_as_it_is_is_refused() {
    let peer = peer();
    let good = peer.header("GET", PATH, SERVER, None);
    let body = json!({ "limit": 1 });
    let other_key = Peer {
        key: key(77),
        ..peer.clone()
    };
    let cut = good.replace("sig=\"", "sig=\"AAAA");
    let unknown = good.replace(peer.key.key_id(), "ed25519:unknown");
    let headers = [
        ("no header", String::new()),
        ("another scheme", "Bearer abc".to_owned()),
        ("malformed", "X-Matrix nonsense".to_owned()),
        ("another method", peer.header("POST", PATH, SERVER, None)),
        (
            "another path",
            peer.header("GET", "/_matrix/federation/v1/publicRooms", SERVER, None),
        ),
        (
            "the path decoded",
            peer.header("GET", &PATH.replace("%2F", "/"), SERVER, None),
        ),
        (
            "a body that is not there",
            peer.header("GET", PATH, SERVER, Some(&body)),
        ),
        (
            "another key of the same id",
            other_key.header("GET", PATH, SERVER, None),
        ),
        ("a broken signature", cut),
        ("an unknown key", unknown),
    ];
    for (what, header) in headers {
        let reply = peer.with_headers("GET", PATH, &[&header], None);
        assert_eq!(
            (reply.status, &reply.json["errcode"]),
            (401, &json!("M_UNAUTHORIZED")),
            "{what}: {reply}"
        );
    }
    let with_body = peer.header("POST", PATH, SERVER, Some(&body));
    let other_body = peer.with_headers("POST", PATH, &[&with_body], Some(&json!({ "limit": 2 })));
    other_body.refused(401, "M_UNAUTHORIZED");
    peer.with_headers("GET", PATH, &[&good], None).ok();
}

/// A2: a request for another server is not taken, though it is signed.
#[test]
fn a_request_that_was_for_another_server_is_refused() {
    let peer = peer();
    let elsewhere = peer.header("GET", PATH, "elsewhere.test", None);
    peer.with_headers("GET", PATH, &[&elsewhere], None)
        .refused(401, "M_UNAUTHORIZED");
    let relabelled = elsewhere.replace("elsewhere.test", SERVER);
    peer.with_headers("GET", PATH, &[&relabelled], None)
        .refused(401, "M_UNAUTHORIZED");
    let silent = peer
        .header("GET", PATH, SERVER, None)
        .replace(&format!("destination=\"{SERVER}\","), "");
    peer.with_headers("GET", PATH, &[&silent], None).ok();
}

/// A4: keys that have run out, and old keys, sign no requests.
#[test]
fn only_keys_that_are_valid_now_sign_requests() {
    let peer = peer();
    peer.send("GET", PATH, None).ok();
    peer.client.house().pass_ms(HOUR_MS + 1);
    peer.send("GET", PATH, None).refused(401, "M_UNAUTHORIZED");
    let other = key(78);
    let mut rotated = document("peer.test", &[&other], peer.now() + HOUR_MS);
    let old = json!({ peer.key.key_id(): { "key": peer.key.public_key_base64(), "expired_ts": peer.now() } });
    rotated["old_verify_keys"] = old;
    peer.publishes(&super::peer::signed(rotated, "peer.test", &[&other]));
    peer.client.house().pass_ms(HOUR_MS / 2);
    peer.send("GET", PATH, None).refused(401, "M_UNAUTHORIZED");
    let rotated = Peer { key: other, ..peer };
    rotated.send("GET", PATH, None).ok();
}

/// A5: nobody speaks in the name of this server, whatever it publishes.
#[test]
fn this_server_makes_no_requests_to_itself() {
    let mut peer = Peer::new(&Client::new(), SERVER);
    peer.send("GET", PATH, None).refused(401, "M_UNAUTHORIZED");
    peer.key = selvage_event::SigningKey::from_seed("ed25519:1", &[7; 32]).unwrap();
    peer.send("GET", PATH, None).refused(401, "M_UNAUTHORIZED");
    assert_eq!(peer.client.house().take_exchanged().len(), 0);
}

/// A6: with whom the operator does not want to speak is refused before anything is asked of it.
#[test]
fn servers_that_are_denied_are_refused() {
    let mut settings = settings();
    settings.federation.deny = vec![selvage_gateway::ServerPattern::parse("*.test").unwrap()];
    let client = Client::of(settings);
    let (denied, other) = (Peer::new(&client, "peer.test"), Peer::new(&client, "peer.org"));
    denied.send("GET", PATH, None).refused(403, "M_FORBIDDEN");
    assert_eq!(client.house().take_exchanged().len(), 0);
    other.send("GET", PATH, None).ok();
}

/// A7: nothing is done for a body that is none.
#[test]
fn bodies_are_json_objects() {
    let peer = peer();
    for (body, errcode) in [
        ("{", "M_NOT_JSON"),
        ("nonsense", "M_NOT_JSON"),
        ("[]", "M_BAD_JSON"),
    ] {
        let header = peer.header("PUT", "/_matrix/federation/v1/send/1", SERVER, None);
        let request = http::Request::builder()
            .method("PUT")
            .uri("/_matrix/federation/v1/send/1")
            .header("Authorization", header);
        let reply = peer.client.respond(request.body(body.into()).unwrap());
        reply.refused(400, errcode);
    }
    assert_eq!(peer.client.house().take_exchanged().len(), 0);
}

/// A8
#[test]
fn unknown_paths_and_wrong_methods_are_unrecognized() {
    let peer = peer();
    peer.get("v1/nothing").refused(404, "M_UNRECOGNIZED");
    peer.send("DELETE", PATH, None).refused(405, "M_UNRECOGNIZED");
}

/// A9: one server does not take all of this one.
#[test]
fn a_server_that_asks_too_much_is_told_to_wait() {
    let mut settings = settings();
    settings.rate_limits = true;
    let client = Client::of(settings);
    let (busy, other) = (Peer::new(&client, "busy.test"), Peer::new(&client, "other.test"));
    for _ in 0..500 {
        busy.send("GET", PATH, None).ok();
    }
    let refused = busy.send("GET", PATH, None);
    refused.refused(429, "M_LIMIT_EXCEEDED");
    assert!(refused.json["retry_after_ms"].as_u64().unwrap() > 0);
    other.send("GET", PATH, None).ok();
    client.house().pass_ms(1_000);
    busy.send("GET", PATH, None).ok();
}

/// All endpoints but those of keys and the version need a signature.
#[test]
fn what_is_not_signed_is_not_answered() {
    let scene = Scene::new();
    scene.peer.joins(&scene.room_id, "@eve:peer.test");
    let room = crate::client::percent(&scene.room_id);
    let endpoints = [
        ("PUT", "v1/send/1".to_owned()),
        ("GET", format!("v1/make_join/{room}/@a:peer.test")),
        ("GET", format!("v1/make_leave/{room}/@a:peer.test")),
        ("GET", format!("v1/make_knock/{room}/@a:peer.test")),
        ("PUT", format!("v1/send_join/{room}/$a")),
        ("PUT", format!("v2/send_join/{room}/$a")),
        ("PUT", format!("v1/send_leave/{room}/$a")),
        ("PUT", format!("v2/send_leave/{room}/$a")),
        ("PUT", format!("v1/send_knock/{room}/$a")),
        ("PUT", format!("v1/invite/{room}/$a")),
        ("PUT", format!("v2/invite/{room}/$a")),
        ("GET", "v1/event/$a".to_owned()),
        ("GET", format!("v1/state/{room}?event_id=$a")),
        ("GET", format!("v1/state_ids/{room}?event_id=$a")),
        ("GET", format!("v1/event_auth/{room}/$a")),
        ("GET", format!("v1/backfill/{room}?v=$a&limit=1")),
        ("POST", format!("v1/get_missing_events/{room}")),
        ("GET", "v1/publicRooms".to_owned()),
        ("POST", "v1/publicRooms".to_owned()),
        ("GET", "v1/query/profile?user_id=@alice:example.org".to_owned()),
        ("GET", "v1/query/directory?room_alias=%23a:example.org".to_owned()),
        ("GET", "v1/user/devices/@alice:example.org".to_owned()),
    ];
    for (method, path) in endpoints {
        let path = format!("/_matrix/federation/{path}");
        let body = json!({});
        let body = (method != "GET").then_some(&body);
        let reply = scene.peer.with_headers(method, &path, &[], body);
        assert_eq!(
            (reply.status, &reply.json["errcode"]),
            (401, &json!("M_UNAUTHORIZED")),
            "{method} {path}: {reply}"
        );
    }
    let version = scene.alice.send("GET", "/_matrix/federation/v1/version", "").ok();
    assert_eq!(version["server"]["name"], "Selvage");
}
