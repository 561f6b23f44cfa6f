//! A client that calls the gateway's one function.

use std::fmt;

use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _};
use http::{HeaderMap, Method, Request};
use selvage_gateway::{Body, Gateway, Registration, Settings, respond};
use serde_json::{Value, json};

use crate::house::{House, SERVER, identity};

pub(crate) const PASSWORD: &str = "correct horse";

/// A server and perhaps a token.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) gateway: Gateway<House>,
    pub(crate) token: Option<String>,
    pub(crate) user_id: String,
    pub(crate) device_id: String,
}

/// A whole answer.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) endpoint: Option<&'static str>,
    pub(crate) bytes: Vec<u8>,
    pub(crate) json: Value,
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status, String::from_utf8_lossy(&self.bytes))
    }
}

impl Reply {
    #[track_caller]
    pub(crate) fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{self}");
        self.json
    }

    #[track_caller]
    pub(crate) fn refused(&self, status: u16, errcode: &str) {
        assert_eq!(
            (self.status, self.json["errcode"].as_str()),
            (status, Some(errcode)),
            "{self}"
        );
    }

    #[track_caller]
    pub(crate) fn text(self, name: &str) -> String {
        self.ok()[name].as_str().unwrap().to_owned()
    }
}

/// The settings of most tests: open registration, quick password hashes, no rate limits.
pub(crate) fn settings() -> Settings {
    let mut settings = Settings::new(SERVER.parse().unwrap());
    settings.registration = Registration::Open;
    settings.password_hash_memory_kib = 8;
    settings.rate_limits = false;
    settings
}

pub(crate) fn percent(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

impl Client {
    /// A new server with these settings.
    pub(crate) fn of(settings: Settings) -> Self {
        let gateway = Gateway::new(House::new(), settings, &identity()).unwrap();
        Self {
            gateway,
            token: None,
            user_id: String::new(),
            device_id: String::new(),
        }
    }

    /// A new server.
    pub(crate) fn new() -> Self {
        Self::of(settings())
    }

    pub(crate) fn house(&self) -> &House {
        self.gateway.host()
    }

    /// Sends these very bytes.
    pub(crate) fn send(&self, method: &str, path: &str, body: impl Into<Vec<u8>>) -> Reply {
        let body: Vec<u8> = body.into();
        let mut request = Request::builder()
            .method(Method::from_bytes(method.as_bytes()).unwrap())
            .uri(path);
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        self.respond(request.body(Bytes::from(body)).unwrap())
    }

    /// Makes this very request.
    pub(crate) fn respond(&self, request: Request<Bytes>) -> Reply {
        let response = respond(&self.gateway, request).now_or_never().unwrap();
        let (head, body) = response.into_parts();
        let bytes = match body {
            Body::Whole(bytes) => bytes.to_vec(),
            Body::Chunks(chunks) => {
                let chunks = chunks.map(|chunk| chunk.unwrap()).collect::<Vec<Bytes>>();
                chunks.now_or_never().unwrap().concat()
            }
        };
        Reply {
            status: head.status.as_u16(),
            endpoint: head
                .extensions
                .get::<selvage_gateway::MatchedEndpoint>()
                .map(|endpoint| endpoint.0),
            headers: head.headers,
            json: serde_json::from_slice(&bytes).unwrap_or_default(),
            bytes,
        }
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        self.send("GET", &client_path(path), "")
    }

    pub(crate) fn post(&self, path: &str, body: Value) -> Reply {
        self.send("POST", &client_path(path), body.to_string())
    }

    pub(crate) fn put(&self, path: &str, body: Value) -> Reply {
        self.send("PUT", &client_path(path), body.to_string())
    }

    /// Registers and signs in.
    pub(crate) fn register(&self, name: &str) -> Self {
        let body = json!({ "username": name, "password": PASSWORD, "auth": { "type": "m.login.dummy" } });
        self.signed_in(self.post("register", body).ok())
    }

    /// The client that an answer signed in.
    pub(crate) fn signed_in(&self, answer: Value) -> Self {
        let text = |name: &str| answer[name].as_str().unwrap().to_owned();
        let token = Some(text("access_token"));
        Self {
            gateway: self.gateway.clone(),
            token,
            user_id: text("user_id"),
            device_id: text("device_id"),
        }
    }

    pub(crate) fn create_room(&self, body: Value) -> String {
        self.post("createRoom", body).text("room_id")
    }

    pub(crate) fn in_room(&self, room_id: &str, rest: &str) -> String {
        format!("rooms/{}/{rest}", percent(room_id))
    }

    pub(crate) fn join(&self, room_id: &str) -> Reply {
        self.post(&self.in_room(room_id, "join"), json!({}))
    }

    pub(crate) fn invite(&self, room_id: &str, user: &Self) -> Reply {
        self.post(
            &self.in_room(room_id, "invite"),
            json!({ "user_id": user.user_id }),
        )
    }

    pub(crate) fn say(&self, room_id: &str, txn: &str, body: &str) -> String {
        let path = self.in_room(room_id, &format!("send/m.room.message/{txn}"));
        self.put(&path, json!({ "msgtype": "m.text", "body": body }))
            .text("event_id")
    }

    pub(crate) fn sync(&self, query: &str) -> Value {
        self.get(&format!("sync?{query}")).ok()
    }
}

fn client_path(path: &str) -> String {
    match path.starts_with('/') {
        true => path.to_owned(),
        false => format!("/_matrix/client/v3/{path}"),
    }
}
