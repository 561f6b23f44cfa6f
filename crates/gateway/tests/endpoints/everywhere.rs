//! What holds for every request.

use selvage_gateway::{AskError, STORAGE_FULL, respond, respond_to_overload, respond_to_too_large};
use serde_json::json;

use crate::client::Client;

#[test]
fn unknown_paths_and_wrong_methods_are_unrecognized() {
    let client = Client::new();
    client.get("nothing").refused(404, "M_UNRECOGNIZED");
    client.get("keys/query").refused(404, "M_UNRECOGNIZED");
    client.get("createRoom").refused(405, "M_UNRECOGNIZED");
    client
        .send("BREW", "/_matrix/client/v3/sync", "")
        .refused(405, "M_UNRECOGNIZED");
}

#[test]
fn browsers_may_ask_from_anywhere() {
    let client = Client::new();
    for (method, path) in [
        ("GET", "/_matrix/client/versions"),
        ("GET", "/nothing"),
        ("OPTIONS", "/_matrix/client/v3/sync"),
    ] {
        let reply = client.send(method, path, "");
        assert_eq!(
            reply.headers["access-control-allow-origin"], "*",
            "{method} {path}"
        );
        assert!(
            reply.headers["access-control-allow-headers"]
                .to_str()
                .unwrap()
                .contains("Authorization")
        );
    }
    let preflight = client.send("OPTIONS", "/_matrix/client/v3/sync", "");
    assert_eq!((preflight.status, preflight.bytes.len()), (200, 0));
    assert_eq!(client.house().take_asked().len(), 0, "a preflight asks nobody");
}

#[test]
fn answers_may_move_between_threads() {
    fn moves(_: impl Send + 'static) {}
    let client = Client::new();
    let gateway = client.gateway.clone();
    moves(async move { respond(&gateway, http::Request::new(bytes::Bytes::new())).await });
}

#[test]
fn head_is_get_without_the_body() {
    let client = Client::new();
    let whole = client.send("GET", "/_matrix/client/versions", "");
    let head = client.send("HEAD", "/_matrix/client/versions", "");
    assert_eq!((head.status, head.bytes.len()), (200, 0));
    assert_eq!(head.headers["content-length"], whole.bytes.len().to_string());
}

#[test]
fn each_answer_names_its_request_and_its_endpoint() {
    let client = Client::new().register("alice");
    let path = "/_matrix/client/v3/rooms/%21nowhere/state";
    let (one, other) = (client.send("GET", path, ""), client.send("GET", path, ""));
    assert_ne!(one.headers["x-request-id"], other.headers["x-request-id"]);
    assert_eq!(one.endpoint, Some("/_matrix/client/v3/rooms/{room_id}/state"));
    assert_eq!(client.get("nothing").endpoint, None);
}

#[test]
fn large_bodies_are_refused_before_anybody_is_asked() {
    let client = Client::new().register("alice");
    client.house().take_asked();
    let body = json!({ "displayname": "x".repeat(70_000) });
    client
        .put("profile/@alice:example.org/displayname", body)
        .refused(413, "M_TOO_LARGE");
    assert_eq!(client.house().take_asked().len(), 0);
    assert_eq!(respond_to_too_large().status(), 413);
}

#[test]
fn bodies_are_json_objects() {
    let client = Client::new().register("alice");
    for (body, errcode) in [
        ("{", "M_NOT_JSON"),
        ("nonsense", "M_NOT_JSON"),
        ("{}{}", "M_NOT_JSON"),
        ("[]", "M_BAD_JSON"),
        ("null", "M_BAD_JSON"),
        ("5", "M_BAD_JSON"),
    ] {
        for (method, path) in [
            ("POST", "createRoom"),
            ("PUT", "rooms/!a/send/m.room.message/1"),
            ("PUT", "rooms/!a/state/m.room.topic"),
            ("POST", "rooms/!a/leave"),
            ("PUT", "user/@alice:example.org/account_data/x"),
            ("POST", "user/@alice:example.org/filter"),
        ] {
            let reply = client.send(method, &format!("/_matrix/client/v3/{path}"), body);
            reply.refused(400, errcode);
        }
    }
}

#[test]
fn tokens_are_asked_for_and_checked() {
    let client = Client::new();
    client.get("account/whoami").refused(401, "M_MISSING_TOKEN");
    let alice = client.register("alice");
    let real = alice.token.clone().unwrap();
    for token in ["nonsense", &real[..real.len() - 1], "sel_YWxpY2U_x", "sel_Ym9i_x"] {
        let other = Client {
            token: Some(token.to_owned()),
            ..client.clone()
        };
        other.get("account/whoami").refused(401, "M_UNKNOWN_TOKEN");
        other.get("sync").refused(401, "M_UNKNOWN_TOKEN");
    }
    let path = format!("account/whoami?access_token={real}");
    assert_eq!(client.get(&path).ok()["user_id"], "@alice:example.org");
}

#[test]
fn trouble_of_the_host_is_told_without_its_cause() {
    let alice = Client::new().register("alice");
    let trouble = |error| {
        alice.house().trouble(Some(error));
        alice.get("account/whoami")
    };
    let full = trouble(AskError::Unavailable(STORAGE_FULL.to_owned()));
    full.refused(503, "M_UNKNOWN");
    assert_eq!(full.json["error"], STORAGE_FULL);
    let other = trouble(AskError::Unavailable("/var/data: torn page".to_owned()));
    other.refused(503, "M_UNKNOWN");
    assert!(!other.to_string().contains("torn"), "{other}");
    let busy = trouble(AskError::Overloaded {
        retry_after_ms: 2_500,
    });
    busy.refused(429, "M_LIMIT_EXCEEDED");
    assert_eq!(
        (&busy.json["retry_after_ms"], &busy.headers["retry-after"]),
        (&json!(2_500), &"3".parse().unwrap())
    );
    assert_eq!(respond_to_overload(1).status(), 429);
}
