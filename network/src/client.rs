//! A user's client, which calls the gateway's one function.

use std::fmt;

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::{Method, Request};
use selvage_gateway::{Gateway, respond};
use serde_json::{Value, json};

use crate::{House, Network, whole};

const PASSWORD: &str = "correct horse";

/// A user of a server.
#[derive(Clone)]
pub struct Client {
    network: Network,
    gateway: Gateway<House>,
    token: String,
    /// The user's id.
    pub user_id: String,
}

/// A whole answer.
pub struct Reply {
    /// The status; 0 when the request died on its way.
    pub status: u16,
    /// The body.
    pub json: Value,
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status, self.json)
    }
}

impl Reply {
    /// The body of an answer that must be good.
    ///
    /// # Panics
    /// When it is not.
    #[track_caller]
    #[allow(
        clippy::must_use_candidate,
        reason = "what matters is often that the answer is good"
    )]
    pub fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{self}");
        self.json
    }

    /// The answer must be this error.
    ///
    /// # Panics
    /// When it is not.
    #[track_caller]
    pub fn refused(&self, status: u16, errcode: &str) {
        let said = (self.status, self.json["errcode"].as_str().unwrap_or_default());
        assert_eq!(said, (status, errcode), "{self}");
    }
}

/// A segment of a path.
fn percent(text: &str) -> String {
    let kept = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    text.bytes()
        .map(|byte| {
            if kept(byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}

impl Client {
    pub(crate) fn register(network: &Network, server: &str, name: &str) -> Self {
        let mut client = Self {
            network: network.clone(),
            gateway: network.gateway(server),
            token: String::new(),
            user_id: String::new(),
        };
        let body = json!({ "username": name, "password": PASSWORD, "auth": { "type": "m.login.dummy" } });
        let answer = client.post("register", &body).ok();
        answer["access_token"]
            .as_str()
            .expect("a token")
            .clone_into(&mut client.token);
        answer["user_id"]
            .as_str()
            .expect("a user id")
            .clone_into(&mut client.user_id);
        client
    }

    /// The host of the user's server.
    #[must_use]
    pub fn house(&self) -> &House {
        self.gateway.host()
    }

    /// Makes a request, and runs nothing that it causes.
    pub fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Reply {
        let path = if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("/_matrix/client/v3/{path}")
        };
        let mut request = Request::builder()
            .method(Method::from_bytes(method.as_bytes()).expect("a method"))
            .uri(path);
        if !self.token.is_empty() {
            request = request.header("Authorization", format!("Bearer {}", self.token));
        }
        let bytes = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        let request = request.body(bytes).expect("a request");
        let Some(response) = respond(&self.gateway, request).now_or_never() else {
            return Reply {
                status: 0,
                json: Value::Null,
            };
        };
        let status = response.status().as_u16();
        let bytes = whole(response).unwrap_or_default();
        Reply {
            status,
            json: serde_json::from_slice(&bytes).unwrap_or_default(),
        }
    }

    fn settled(&self, method: &str, path: &str, body: Option<&Value>) -> Reply {
        let reply = self.send(method, path, body);
        self.network.settle_with_deaths();
        reply
    }

    /// A GET, and all that follows from it.
    #[must_use]
    pub fn get(&self, path: &str) -> Reply {
        self.settled("GET", path, None)
    }

    /// A POST, and all that follows from it.
    pub fn post(&self, path: &str, body: &Value) -> Reply {
        self.settled("POST", path, Some(body))
    }

    /// A PUT, and all that follows from it.
    pub fn put(&self, path: &str, body: &Value) -> Reply {
        self.settled("PUT", path, Some(body))
    }

    /// Makes a room.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn create_room(&self, body: &Value) -> String {
        let made = self.post("createRoom", body).ok();
        made["room_id"].as_str().expect("a room id").to_owned()
    }

    /// Joins, by way of these servers.
    pub fn join(&self, room_id: &str, via: &[&str]) -> Reply {
        let via: Vec<String> = via.iter().map(|server| format!("via={server}")).collect();
        self.post(
            &format!("join/{}?{}", percent(room_id), via.join("&")),
            &json!({}),
        )
    }

    /// Joins or leaves or does something about another user: `leave`, `invite`, `kick`, `ban`, `unban`.
    pub fn act(&self, action: &str, room_id: &str, user: Option<&Self>) -> Reply {
        let body = user.map_or_else(|| json!({}), |user| json!({ "user_id": user.user_id }));
        self.post(&in_room(room_id, action), &body)
    }

    /// Sends a message, of a transaction id that its text is.
    ///
    /// # Panics
    /// When it is refused.
    pub fn say(&self, room_id: &str, text: &str) -> String {
        let path = in_room(room_id, &format!("send/m.room.message/{}", percent(text)));
        let sent = self
            .put(&path, &json!({ "msgtype": "m.text", "body": text }))
            .ok();
        sent["event_id"].as_str().expect("an event id").to_owned()
    }

    /// A message is refused, since the user is not in the room.
    ///
    /// # Panics
    /// When it is not.
    pub fn say_refused(&self, room_id: &str) {
        let path = in_room(room_id, "send/m.room.message/refused");
        self.put(&path, &json!({ "body": "let me in" }))
            .refused(403, "M_FORBIDDEN");
    }

    /// Sets state.
    pub fn set_state(&self, room_id: &str, kind: &str, state_key: &str, content: &Value) -> Reply {
        self.put(
            &in_room(room_id, &format!("state/{kind}/{}", percent(state_key))),
            content,
        )
    }

    /// Reads state.
    #[must_use]
    pub fn state(&self, room_id: &str, kind: &str, state_key: &str) -> Reply {
        self.get(&in_room(room_id, &format!("state/{kind}/{}", percent(state_key))))
    }

    /// A user's membership, as this one sees it.
    #[must_use]
    pub fn membership(&self, room_id: &str, user: &Self) -> String {
        let member = self.state(room_id, "m.room.member", &user.user_id).json;
        member["membership"].as_str().unwrap_or("none").to_owned()
    }

    /// The texts of all messages that this user can page back to, oldest first.
    ///
    /// # Panics
    /// When paging is refused or has no end.
    #[must_use]
    pub fn texts(&self, room_id: &str) -> Vec<String> {
        let mut texts = Vec::new();
        let mut from = String::new();
        for _ in 0..1_000 {
            let page = self
                .get(&in_room(room_id, &format!("messages?dir=b&limit=20{from}")))
                .ok();
            for event in page["chunk"].as_array().expect("a chunk") {
                texts.extend(event["content"]["body"].as_str().map(str::to_owned));
            }
            let Some(end) = page["end"].as_str() else {
                texts.reverse();
                return texts;
            };
            from = format!("&from={}", percent(end));
        }
        panic!("a timeline without end")
    }

    /// What a first sync says.
    #[must_use]
    pub fn sync(&self) -> Value {
        self.get("sync?timeout=0").ok()
    }
}

fn in_room(room_id: &str, rest: &str) -> String {
    format!("rooms/{}/{rest}", percent(room_id))
}
