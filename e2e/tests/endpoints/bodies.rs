//! Hostile bodies, paths and parameters (attack 20): refused, or kept exactly, and nothing breaks.
//! spec: client-server-api §size-limits; appendices §canonical-json

use selvage_e2e::api::{percent, room_path, unique};
use selvage_e2e::{Host, Reply, Server};
use serde_json::json;

use crate::scene::{Scene, bodies, refused_with};

cases!(
    numbers_outside_canonical_json_are_refused,
    the_largest_numbers_are_kept,
    events_over_the_size_limit_are_refused,
    names_over_255_bytes_are_refused,
    deep_nesting_is_refused,
    broken_strings_are_refused,
    odd_strings_are_kept_exactly,
    doubled_keys_become_one,
    numbers_in_queries_are_checked,
    tokens_in_queries_are_checked,
    hostile_paths_are_refused,
    megabytes_of_filter_do_no_harm,
    state_in_create_room_is_checked,
);

/// The most bytes an event may have in canonical JSON, signatures and all.
const EVENT_BYTES_MAX: usize = 65_536;

/// Sends this text as an event's content.
fn send_text(scene: &Scene, content: &str) -> Reply {
    let path = room_path(&scene.room_id, &format!("send/org.example.test/{}", unique("t")));
    scene.alice.request("PUT", &path).bytes(content).send()
}

fn set_text(scene: &Scene, content: &str) -> Reply {
    let path = room_path(&scene.room_id, "state/org.example.test/key");
    scene.alice.request("PUT", &path).bytes(content).send()
}

/// Asserts that the server still works and that nobody saw anything of what was refused.
fn unharmed(scene: &Scene, server: &mut Server) {
    assert!(server.process().ended().is_none(), "the server is still there");
    scene.alice.say(&scene.room_id, "and on it goes").ok();
    let history = scene.bob.history(&scene.room_id);
    assert_eq!(bodies(&history), ["hello", "and on it goes"]);
    assert!(
        !history.iter().any(|event| event["type"] == "org.example.test"),
        "{history:?}"
    );
    scene.bob.sync("");
}

fn numbers_outside_canonical_json_are_refused(server: &mut Server) {
    let scene = Scene::new(server);
    let numbers = [
        "1.5",
        "-0.5",
        "1e400",
        "1e3",
        "1.0",
        "9007199254740992",
        "-9007199254740992",
        "18446744073709551616",
        "123456789012345678901234567890",
    ];
    for number in numbers {
        for content in [
            format!(r#"{{"n": {number}}}"#),
            format!(r#"{{"deep": [{{"n": {number}}}]}}"#),
        ] {
            for reply in [send_text(&scene, &content), set_text(&scene, &content)] {
                refused_with(scene.host, &reply, &[400]);
            }
        }
    }
    for not_json in [
        r#"{"n": NaN}"#,
        r#"{"n": Infinity}"#,
        r#"{"n": 01}"#,
        r#"{"n": .5}"#,
        r#"{"n": +1}"#,
    ] {
        assert_eq!(send_text(&scene, not_json).status, 400, "{not_json}");
    }
    unharmed(&scene, server);
}

fn the_largest_numbers_are_kept(server: &mut Server) {
    let scene = Scene::new(server);
    let content = json!({"most": 9_007_199_254_740_991_i64, "least": -9_007_199_254_740_991_i64, "zero": 0});
    set_text(&scene, &content.to_string()).ok();
    assert_eq!(
        scene
            .bob
            .get_state(&scene.room_id, "org.example.test", "key")
            .ok(),
        content
    );
}

fn events_over_the_size_limit_are_refused(server: &mut Server) {
    let scene = Scene::new(server);
    for length in [
        EVENT_BYTES_MAX - 100,
        EVENT_BYTES_MAX,
        EVENT_BYTES_MAX + 1,
        1 << 20,
    ] {
        let content = json!({"msgtype": "m.text", "body": "x".repeat(length)});
        scene.refused(
            &scene.alice.send(&scene.room_id, &unique("t"), &content),
            413,
            "M_TOO_LARGE",
        );
        let topic = json!({"topic": "x".repeat(length)});
        scene.refused(
            &scene.alice.set_state(&scene.room_id, "m.room.topic", "", &topic),
            413,
            "M_TOO_LARGE",
        );
    }
    // Escaped, these are far more bytes on the wire than in canonical JSON; there, two bytes each.
    let escaped = format!(r#"{{"body": "{}"}}"#, r"\u00fc".repeat(40_000));
    scene.refused(&send_text(&scene, &escaped), 413, "M_TOO_LARGE");
    unharmed(&scene, server);
    let large = json!({"msgtype": "m.text", "body": "x".repeat(60_000)});
    let id = scene
        .alice
        .send(&scene.room_id, &unique("t"), &large)
        .string("/event_id");
    let last = scene.bob.history(&scene.room_id).pop().expect("the message");
    assert_eq!((&last["event_id"], &last["content"]), (&json!(id), &large));
}

fn names_over_255_bytes_are_refused(server: &mut Server) {
    let scene = Scene::new(server);
    let put = |rest: String| scene.alice.put(&room_path(&scene.room_id, &rest), &json!({}));
    for name in ["t".repeat(256), "ü".repeat(128), "t".repeat(5_000)] {
        let name = percent(&name);
        for reply in [
            put(format!("send/{name}/t")),
            put(format!("state/{name}/key")),
            put(format!("state/org.example.test/{name}")),
        ] {
            assert!([400, 413].contains(&reply.status), "{reply}");
        }
    }
    unharmed(&scene, server);
    let longest = "t".repeat(255);
    put(format!("send/{longest}/t")).ok();
    put(format!("state/{longest}/{longest}")).ok();
    scene.bob.get_state(&scene.room_id, &longest, &longest).ok();
}

fn deep_nesting_is_refused(server: &mut Server) {
    let scene = Scene::new(server);
    for depth in [5_000, 30_000] {
        let arrays = format!(r#"{{"a": {}{}}}"#, "[".repeat(depth), "]".repeat(depth));
        let objects = format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth));
        for content in [&arrays, &objects] {
            for reply in [send_text(&scene, content), set_text(&scene, content)] {
                assert!([400, 413].contains(&reply.status), "{depth}: {reply}");
            }
            let create = scene
                .alice
                .request("POST", "/_matrix/client/v3/createRoom")
                .bytes(content.as_str())
                .send();
            assert!([200, 400, 413].contains(&create.status), "{depth}: {create}");
        }
        let unclosed = "[".repeat(depth);
        assert_eq!(send_text(&scene, &unclosed).status, 400);
    }
    unharmed(&scene, server);
    let shallow = format!(r#"{{"a": {}{}}}"#, "[".repeat(30), "]".repeat(30));
    send_text(&scene, &shallow).ok();
}

fn broken_strings_are_refused(server: &mut Server) {
    let scene = Scene::new(server);
    let lone: [&str; 5] = [
        r#"{"a": "\ud800"}"#,
        r#"{"a": "\udc00x"}"#,
        r#"{"\ud83d": 1}"#,
        r#"{"a": "\ude00\ud83d"}"#,
        r#"{"a": "\x00"}"#,
    ];
    for content in lone {
        for reply in [send_text(&scene, content), set_text(&scene, content)] {
            refused_with(scene.host, &reply, &[400]);
        }
    }
    let raw: [&[u8]; 6] = [
        b"{\"a\": \"\xff\"}",
        b"{\"a\": \"\xed\xa0\x80\"}",
        b"{\"a\": \"\xc0\xaf\"}",
        b"{\"a\": \"\xf5\x80\x80\x80\"}",
        b"{\"a\": \"line\nbreak\"}",
        b"{\"a\": \"nul\0\"}",
    ];
    for content in raw {
        let path = room_path(&scene.room_id, &format!("send/org.example.test/{}", unique("t")));
        let reply = scene.alice.request("PUT", &path).bytes(content).send();
        scene.refused(&reply, 400, "M_NOT_JSON");
    }
    unharmed(&scene, server);
}

fn odd_strings_are_kept_exactly(server: &mut Server) {
    let scene = Scene::new(server);
    for text in [
        "\u{0}",
        "\u{1f600}",
        "\u{fffe}\u{ffff}",
        "\u{202e}rtl",
        "a\u{301}",
        "\u{7f}\u{1b}",
        "\"\\/",
        "\u{10ffff}",
    ] {
        let content = json!({"text": text, text: "as a key"});
        let reply = set_text(&scene, &content.to_string());
        assert_eq!(reply.status, 200, "{content}: {reply}");
        assert_eq!(
            scene
                .bob
                .get_state(&scene.room_id, "org.example.test", "key")
                .ok(),
            content
        );
    }
    // As a type and as a state key too.
    scene
        .alice
        .set_state(&scene.room_id, "org.example.test", "ключ/✓ %2F", &json!({"a": 1}))
        .ok();
    assert_eq!(
        scene
            .bob
            .get_state(&scene.room_id, "org.example.test", "ключ/✓ %2F")
            .ok(),
        json!({"a": 1})
    );
}

fn doubled_keys_become_one(server: &mut Server) {
    let scene = Scene::new(server);
    let reply = set_text(&scene, r#"{"a": 1, "a": 2, "b": {"c": 1, "c": 2}}"#);
    if reply.status == 200 {
        let path = room_path(&scene.room_id, "state/org.example.test/key");
        let kept = scene.bob.get(&path);
        let text = String::from_utf8(kept.bytes.clone()).expect("UTF-8");
        assert_eq!(
            (text.matches("\"a\"").count(), text.matches("\"c\"").count()),
            (1, 1),
            "{text}"
        );
    } else {
        scene.refused(&reply, 400, "M_BAD_JSON");
    }
    scene.bob.sync("");
}

fn numbers_in_queries_are_checked(server: &mut Server) {
    let scene = Scene::new(server);
    let messages = |query: &str| {
        scene
            .alice
            .get(&room_path(&scene.room_id, &format!("messages?{query}")))
    };
    for bad in [
        "dir=b&limit=-1",
        "dir=b&limit=ten",
        "dir=b&limit=1.5",
        "dir=x",
        "limit=5",
        "dir=b&limit=99999999999999999999",
    ] {
        let reply = messages(bad);
        // Synapse assumes a direction.
        if scene.host != Host::Synapse || bad != "limit=5" {
            refused_with(scene.host, &reply, &[400]);
        }
    }
    // A large limit is lowered, not obeyed.
    messages("dir=b&limit=2000000000").ok();
    for bad in [
        "timeout=-1",
        "timeout=soon",
        "timeout=99999999999999999999",
        "full_state=maybe",
        "set_presence=asleep",
    ] {
        let reply = scene.alice.sync_with("", bad);
        assert!([200, 400].contains(&reply.status), "{bad}: {reply}");
    }
    let filter = percent(r#"{"room":{"timeline":{"limit":-5}}}"#);
    let reply = scene.alice.sync_with("", &format!("timeout=0&filter={filter}"));
    assert!([200, 400].contains(&reply.status), "{reply}");
    unharmed(&scene, server);
}

fn tokens_in_queries_are_checked(server: &mut Server) {
    let scene = Scene::new(server);
    let long = "x".repeat(10_000);
    let bogus = [
        "nonsense",
        "-1",
        "0",
        "99999999999999999999",
        "s1_2_3",
        "%00",
        "t-99999999999999",
        "☃",
        &long,
        "' OR 1=1",
    ];
    for token in bogus {
        let token = percent(token);
        let sync = scene.alice.sync_with(&token, "timeout=0");
        assert!((200..500).contains(&sync.status), "{token}: {sync}");
        for rest in ["from", "to"] {
            let reply = scene.alice.get(&room_path(
                &scene.room_id,
                &format!("messages?dir=b&{rest}={token}"),
            ));
            assert!((200..500).contains(&reply.status), "{token}: {reply}");
        }
    }
    assert_eq!(scene.alice.sync_with("nonsense", "timeout=0").status, 400);
    assert_eq!(
        scene
            .alice
            .get(&room_path(&scene.room_id, "messages?dir=b&from=nonsense"))
            .status,
        400
    );
    unharmed(&scene, server);
}

fn hostile_paths_are_refused(server: &mut Server) {
    let scene = Scene::new(server);
    let long = "x".repeat(6_000);
    let parts = [
        "%00",
        "%2e%2e",
        "..%2f..",
        "%ff%fe",
        "%ed%a0%80",
        "!",
        "!%00:localhost",
        "%",
        "%zz",
        "!a%0d%0aX-Evil:%201",
        &long,
    ];
    for part in parts {
        for path in [
            format!("/_matrix/client/v3/rooms/{part}/state"),
            format!("/_matrix/client/v3/rooms/{part}/messages?dir=b"),
            format!("/_matrix/client/v3/user/{part}/filter/1"),
            format!("/_matrix/client/v3/profile/{part}"),
        ] {
            if let Ok(reply) = scene.alice.request("GET", &path).try_send() {
                assert!((400..500).contains(&reply.status), "{reply}");
                assert_eq!(reply.header("x-evil"), "");
            }
        }
    }
    unharmed(&scene, server);
}

fn megabytes_of_filter_do_no_harm(server: &mut Server) {
    let scene = Scene::new(server);
    let path = format!("/_matrix/client/v3/user/{}/filter", percent(&scene.alice.user_id));
    let names: Vec<String> = (0..200_000)
        .map(|number| format!("!room{number}:localhost"))
        .collect();
    let huge = json!({"room": {"rooms": names}});
    // A server may hang up in the middle of a body that is far too large.
    if let Ok(reply) = scene.alice.request("POST", &path).json(&huge).try_send() {
        assert!([200, 400, 413].contains(&reply.status), "{}", reply.status);
    }
    let wild = json!({"room": {"timeline": {"types": ["*".repeat(50_000), "a*".repeat(20_000)]}}});
    let reply = scene.alice.post(&path, &wild);
    assert!([200, 400, 413].contains(&reply.status), "{reply}");
    if reply.status == 200 {
        let query = format!("timeout=0&filter={}", reply.string("/filter_id"));
        scene.alice.sync_with("", &query).ok();
    }
    unharmed(&scene, server);
}

/// spec: client-server-api §post_matrixclientv3createroom
fn state_in_create_room_is_checked(server: &mut Server) {
    let scene = Scene::new(server);
    let wrong = [
        json!({"room_version": "no such version"}),
        json!({"initial_state": [{"type": "org.example.test", "content": {"n": 1.5}}]}),
        json!({"initial_state": [{"content": {}}]}),
        json!({"initial_state": [{"type": "org.example.test", "content": "text"}]}),
        json!({"initial_state": [{"type": "org.example.test", "content": {"x": "x".repeat(70_000)}}]}),
        json!({"invite": ["not a user"]}),
        json!({"creation_content": {"n": 1.5}}),
        json!({"power_level_content_override": {"users": {"@alice:localhost": "100"}}}),
        json!({"name": "x".repeat(70_000)}),
    ];
    let rooms =
        |scene: &Scene| scene.alice.get("/_matrix/client/v3/joined_rooms").ok()["joined_rooms"].clone();
    let before = rooms(&scene);
    for body in wrong {
        let reply = scene.alice.post("/_matrix/client/v3/createRoom", &body);
        refused_with(scene.host, &reply, &[400, 403, 413]);
    }
    let version = scene.alice.post(
        "/_matrix/client/v3/createRoom",
        &json!({"room_version": "no such version"}),
    );
    scene.refused(&version, 400, "M_UNSUPPORTED_ROOM_VERSION");
    if scene.host != Host::Synapse {
        assert_eq!(rooms(&scene), before, "no half-made room is left");
    }
}
