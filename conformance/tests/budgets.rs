//! What one operation costs on Workers: the counts that the platform bills, against the budgets of the project.

// Helpers of tests fail like tests.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    dead_code,
    unreachable_pub
)]

mod drivers;

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::Duration;

use drivers::process::Process;
use drivers::workerd;
use selvage_conformance::http;
use serde_json::{Value, json};

/// Rows that sending a message may write in the room.
const SEND_ROOM_ROWS_MAX: u64 = 12;

const VARIABLES: &[(&str, &str)] = &[
    ("SELVAGE_SERVER_NAME", "budgets.test"),
    ("SELVAGE_REGISTRATION", "open"),
    ("SELVAGE_RATE_LIMITS", "off"),
    ("SELVAGE_PASSWORD_HASH_MEMORY", "64"),
    ("SELVAGE_COUNTS", "on"),
];

type Counts = BTreeMap<String, u64>;

struct Server(Process);

struct Answer {
    body: Value,
    /// How many calls of shards the request waited for one after the other.
    depth: u64,
}

fn start() -> Server {
    Server(workerd::start(
        &workerd::product_bundle().join("workerd.capnp"),
        VARIABLES,
    ))
}

impl Server {
    fn call(&self, method: &str, path: &str, token: &str, body: &Value) -> Answer {
        let authorization = format!("Bearer {token}");
        let headers = [
            ("authorization", authorization.as_str()),
            ("content-type", "application/json"),
        ];
        let headers = if token.is_empty() {
            &headers[1..]
        } else {
            &headers[..]
        };
        let path = format!("/_matrix/client/v3/{path}");
        let sent = body.to_string();
        let response =
            http::send(self.0.remote().0, method, &path, headers, sent.as_bytes()).expect("an answer");
        let body: Value = serde_json::from_slice(&response.body).expect("JSON");
        assert!(
            response.status == 200 || body.get("flows").is_some(),
            "{path}: {body}"
        );
        let (_, depth) = response
            .head
            .split_once("depth=")
            .expect("the counts of the request");
        let depth: String = depth.chars().take_while(char::is_ascii_digit).collect();
        Answer {
            body,
            depth: depth.parse().expect("a number"),
        }
    }

    /// Registers a user; returns an access token.
    fn register(&self, name: &str) -> String {
        let mut body = json!({ "username": name, "password": "correct horse battery staple" });
        let flows = self.call("POST", "register", "", &body).body;
        if let Some(session) = flows.get("session") {
            body["auth"] = json!({ "type": "m.login.dummy", "session": session });
        }
        let registered = self.call("POST", "register", "", &body).body;
        registered["access_token"].as_str().expect("a token").to_owned()
    }

    /// Makes a room of all these users; returns its id.
    fn room_of(&self, tokens: &[String]) -> String {
        let room = json!({ "preset": "public_chat" });
        let created = self.call("POST", "createRoom", &tokens[0], &room).body;
        let id = created["room_id"]
            .as_str()
            .expect("a room id")
            .replace('!', "%21")
            .replace(':', "%3A");
        for token in &tokens[1..] {
            self.call("POST", &format!("join/{id}"), token, &json!({}));
        }
        id
    }

    fn send(&self, room: &str, token: &str, txn: u64) -> Answer {
        let message = json!({ "msgtype": "m.text", "body": "hello" });
        self.call(
            "PUT",
            &format!("rooms/{room}/send/m.room.message/{txn}"),
            token,
            &message,
        )
    }

    /// The counts, once nothing goes on in the background.
    fn counts(&self) -> Counts {
        let mut before = Counts::new();
        for _ in 0..600 {
            let response =
                http::send(self.0.remote().0, "GET", "/_selvage/counts", &[], b"").expect("an answer");
            let counts: Counts = serde_json::from_slice(&response.body).expect("numbers");
            if counts == before && counts.get("deliveries_started") == counts.get("deliveries_ended") {
                return counts;
            }
            before = counts;
            sleep(Duration::from_millis(50));
        }
        panic!("the background is never quiet: {before:?}");
    }

    /// What an operation costs, its background included.
    fn cost(&self, operation: impl FnOnce(&Self) -> Answer) -> (Answer, Counts) {
        let before = self.counts();
        let answer = operation(self);
        let mut cost = self.counts();
        cost.retain(|name, count| {
            *count -= before.get(name).copied().unwrap_or(0);
            *count > 0
        });
        (answer, cost)
    }
}

fn count(cost: &Counts, name: &str) -> u64 {
    cost.get(name).copied().unwrap_or(0)
}

/// One request, two calls one after the other, few rows in the room, one row a member, one call a shard of members.
#[test]
fn a_message_costs_what_it_may() {
    const MEMBERS: u64 = 8;
    let server = start();
    let tokens: Vec<String> = (0..MEMBERS)
        .map(|number| server.register(&format!("user{number}")))
        .collect();
    let room = server.room_of(&tokens);
    for txn in 0..5 {
        let (answer, cost) = server.cost(|server| server.send(&room, &tokens[0], txn));
        assert_eq!(answer.depth, 2, "{cost:?}");
        assert_eq!(count(&cost, "requests"), 1, "{cost:?}");
        assert_eq!(count(&cost, "shard_calls_user_ask"), 1, "{cost:?}");
        assert_eq!(count(&cost, "shard_calls_room_ask"), 1, "{cost:?}");
        let fan_out = count(&cost, "shard_calls_user_deliver");
        assert!((1..=MEMBERS).contains(&fan_out), "{cost:?}");
        assert_eq!(count(&cost, "shard_calls"), 2 + fan_out, "{cost:?}");
        assert!(
            count(&cost, "rows_written_room") <= SEND_ROOM_ROWS_MAX,
            "{cost:?}"
        );
        assert!(count(&cost, "rows_written_user") <= MEMBERS, "{cost:?}");
    }
}

/// A message that is sent again costs no rows.
#[test]
fn a_repeated_message_writes_nothing() {
    let server = start();
    let token = server.register("alone");
    let room = server.room_of(std::slice::from_ref(&token));
    let first = server.send(&room, &token, 1).body;
    let (again, cost) = server.cost(|server| server.send(&room, &token, 1));
    assert_eq!(again.body, first);
    assert_eq!(count(&cost, "rows_written"), 0, "{cost:?}");
}

/// Waiting for nothing neither writes nor reads rows, and opens one watch.
#[test]
fn an_idle_sync_costs_no_rows() {
    let server = start();
    let token = server.register("idle");
    server.room_of(std::slice::from_ref(&token));
    server.counts();
    let since = server.call("GET", "sync?timeout=0", &token, &Value::Null).body;
    let since = since["next_batch"].as_str().expect("a token").to_owned();
    let path = format!("sync?timeout=500&since={since}");
    let (_, cost) = server.cost(|server| server.call("GET", &path, &token, &Value::Null));
    assert_eq!(count(&cost, "rows_written"), 0, "{cost:?}");
    assert_eq!(count(&cost, "rows_read"), 0, "{cost:?}");
    assert_eq!(count(&cost, "shard_calls_user_watch"), 1, "{cost:?}");
    assert_eq!(count(&cost, "shard_calls_room_ask"), 0, "{cost:?}");
    assert_eq!(count(&cost, "alarms"), 0, "{cost:?}");
}
