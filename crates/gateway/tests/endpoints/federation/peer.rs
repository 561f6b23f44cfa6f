//! Another server, as far as it asks: it signs requests and events with its own key, rightly or wrongly.

use bytes::Bytes;
use http::{Method, Request};
use selvage_event::{Map, RoomVersion, ServerName, SigningKey, Template, UserId};
use selvage_workflow::x_matrix::Signed;
use serde_json::{Value, json};

use crate::client::{Client, Reply, percent};
use crate::house::SERVER;

/// An hour, in milliseconds.
pub(crate) const HOUR_MS: u64 = 3_600_000;

/// Another server.
#[derive(Clone)]
pub(crate) struct Peer {
    pub(crate) client: Client,
    pub(crate) name: ServerName,
    pub(crate) key: SigningKey,
}

/// An event and its id.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    pub(crate) id: String,
    pub(crate) json: Value,
}

/// A key of this number.
pub(crate) fn key(number: u8) -> SigningKey {
    SigningKey::from_seed(&format!("ed25519:k{number}"), &[number; 32]).unwrap()
}

/// A document of keys, signed with all of them.
pub(crate) fn document(name: &str, keys: &[&SigningKey], valid_until_ts: u64) -> Value {
    let verify: Map = keys
        .iter()
        .map(|key| (key.key_id().to_owned(), json!({ "key": key.public_key_base64() })))
        .collect();
    let document = json!({ "server_name": name, "verify_keys": verify, "valid_until_ts": valid_until_ts,
                           "old_verify_keys": {} });
    signed(document, name, keys)
}

/// An object with signatures.
pub(crate) fn signed(object: Value, name: &str, keys: &[&SigningKey]) -> Value {
    let Value::Object(mut object) = object else {
        panic!("no object");
    };
    let name = ServerName::parse(name).unwrap();
    for key in keys {
        key.sign_json(&name, &mut object).unwrap();
    }
    Value::Object(object)
}

impl Peer {
    /// A server that publishes its key.
    pub(crate) fn new(client: &Client, name: &str) -> Self {
        let number = name.bytes().fold(0_u8, u8::wrapping_add);
        let peer = Self {
            client: client.clone(),
            name: ServerName::parse(name).unwrap(),
            key: key(number),
        };
        peer.publishes(&document(name, &[&peer.key], peer.now() + HOUR_MS));
        peer
    }

    pub(crate) fn now(&self) -> u64 {
        use selvage_gateway::Host as _;
        self.client.house().now().0
    }

    /// Answers with this when asked for its keys.
    pub(crate) fn publishes(&self, document: &Value) {
        let body = document.to_string().into_bytes();
        self.client
            .house()
            .serve(self.name.as_str(), move |request| match request.uri().path() {
                "/_matrix/key/v2/server" => (200, body.clone()),
                _ => (404, b"{\"errcode\":\"M_UNRECOGNIZED\",\"error\":\"no\"}".to_vec()),
            });
    }

    /// The header for a request to a server.
    pub(crate) fn header(&self, method: &str, path: &str, to: &str, body: Option<&Value>) -> String {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let to = ServerName::parse(to).unwrap();
        let body = body.map(Value::to_string);
        let signed = Signed::new(&method, path, &self.name, &to, body.as_deref());
        let header = signed.header(&self.key, &self.name, &to).unwrap();
        header.to_str().unwrap().to_owned()
    }

    /// Makes a request with these very headers.
    pub(crate) fn with_headers(
        &self,
        method: &str,
        path: &str,
        headers: &[&str],
        body: Option<&Value>,
    ) -> Reply {
        let mut request = Request::builder().method(method).uri(path);
        for header in headers {
            request = request.header("Authorization", *header);
        }
        let body = body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string()));
        self.client.respond(request.body(body).unwrap())
    }

    /// Makes a request as the spec says.
    pub(crate) fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Reply {
        let header = self.header(method, path, SERVER, body);
        self.with_headers(method, path, &[&header], body)
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        self.send("GET", &format!("/_matrix/federation/{path}"), None)
    }

    pub(crate) fn put(&self, path: &str, body: &Value) -> Reply {
        self.send("PUT", &format!("/_matrix/federation/{path}"), Some(body))
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Reply {
        self.send("POST", &format!("/_matrix/federation/{path}"), Some(body))
    }

    /// Sends a transaction with these events and others.
    pub(crate) fn transaction(&self, txn_id: &str, pdus: &[&Made], edus: &[Value]) -> Reply {
        let pdus: Vec<&Value> = pdus.iter().map(|made| &made.json).collect();
        let body = json!({ "origin": self.name, "origin_server_ts": self.now(), "pdus": pdus, "edus": edus });
        self.put(&format!("v1/send/{txn_id}"), &body)
    }

    /// What became of one event that is sent by itself: `None` where nothing is said of it.
    pub(crate) fn push(&self, txn_id: &str, made: &Made) -> Option<Value> {
        let reply = self.transaction(txn_id, &[made], &[]).ok();
        reply["pdus"].get(&made.id).cloned()
    }

    /// Asks for a membership to sign.
    pub(crate) fn make(&self, what: &str, room_id: &str, user_id: &str, versions: &[&str]) -> Reply {
        let query: Vec<String> = versions.iter().map(|version| format!("ver={version}")).collect();
        let path = format!(
            "v1/make_{what}/{}/{}?{}",
            percent(room_id),
            percent(user_id),
            query.join("&")
        );
        self.get(&path)
    }

    /// Signs a membership that was made.
    pub(crate) fn sign_made(&self, made: &Value) -> Made {
        self.build(&made["event"], made["room_version"].as_str().unwrap())
    }

    /// An event of these fields.
    pub(crate) fn build(&self, event: &Value, version: &str) -> Made {
        let version: RoomVersion = version.parse().unwrap();
        let ids = |name: &str| {
            let ids = event[name].as_array().unwrap().iter();
            ids.map(|id| id.as_str().unwrap().parse().unwrap()).collect()
        };
        let template = Template {
            room_id: event["room_id"].as_str().map(|id| id.parse().unwrap()),
            sender: UserId::parse(event["sender"].as_str().unwrap()).unwrap(),
            kind: event["type"].as_str().unwrap().to_owned(),
            state_key: event["state_key"].as_str().map(str::to_owned),
            content: event["content"].as_object().unwrap().clone(),
            prev_events: ids("prev_events"),
            auth_events: ids("auth_events"),
            depth: event["depth"].as_i64().unwrap(),
            origin_server_ts: event["origin_server_ts"].as_i64().unwrap(),
            redacts: None,
        };
        let built = template.build(version, &self.name, &self.key).unwrap();
        Made {
            id: built.event().event_id().as_str().to_owned(),
            json: serde_json::from_str(built.event().json()).unwrap(),
        }
    }

    /// Sends a signed membership.
    pub(crate) fn submit(&self, endpoint: &str, room_id: &str, made: &Made) -> Reply {
        let path = format!("{endpoint}/{}/{}", percent(room_id), percent(&made.id));
        self.put(&path, &made.json)
    }

    /// A user of the server joins; the join, and the room as the server knows it now.
    pub(crate) fn joins(&self, room_id: &str, user_id: &str) -> Room {
        let made = self.make("join", room_id, user_id, &["11", "12"]).ok();
        let join = self.sign_made(&made);
        let state = self.submit("v2/send_join", room_id, &join).ok();
        Room {
            id: room_id.to_owned(),
            version: made["room_version"].as_str().unwrap().to_owned(),
            join,
            auth_events: made["event"]["auth_events"].clone(),
            state: state["state"].as_array().unwrap().clone(),
        }
    }
}

/// A room, as a server that joined it knows it.
#[derive(Clone, Debug)]
pub(crate) struct Room {
    pub(crate) id: String,
    pub(crate) version: String,
    pub(crate) join: Made,
    auth_events: Value,
    pub(crate) state: Vec<Value>,
}

impl Room {
    /// The fields of an event that follows the join.
    pub(crate) fn event(&self, sender: &str, kind: &str, content: &Value) -> Value {
        let mut auth_events = self.auth_events.as_array().unwrap().clone();
        let rules = self
            .state
            .iter()
            .find(|event| event["type"] == "m.room.join_rules")
            .unwrap();
        // What a join cites beside create, power levels and a membership are the join rules: no other event does.
        let rules = self.id_of(rules);
        auth_events.retain(|id| id.as_str() != Some(rules.as_str()));
        auth_events.retain(|id| {
            let event = self
                .state
                .iter()
                .find(|event| self.id_of(event) == id.as_str().unwrap());
            event.is_none_or(|event| event["type"] != "m.room.member")
        });
        auth_events.push(Value::from(self.join.id.as_str()));
        json!({
            "room_id": self.id, "sender": sender, "type": kind, "content": content,
            "prev_events": [self.join.id], "auth_events": auth_events,
            "depth": self.join.json["depth"].as_i64().unwrap() + 1,
            "origin_server_ts": self.join.json["origin_server_ts"],
        })
    }

    /// A message of a user of the server that joined.
    pub(crate) fn message(&self, peer: &Peer, sender: &str, body: &str) -> Made {
        let content = json!({ "msgtype": "m.text", "body": body });
        peer.build(&self.event(sender, "m.room.message", &content), &self.version)
    }

    fn id_of(&self, event: &Value) -> String {
        let version = self.version.parse().unwrap();
        let text = event.to_string();
        let received = selvage_event::ReceivedEvent::parse(text.as_bytes(), version).unwrap();
        received.event().event_id().as_str().to_owned()
    }
}

/// A server with a room of Alice's that anybody may join, and another server.
pub(crate) struct Scene {
    pub(crate) alice: Client,
    pub(crate) peer: Peer,
    pub(crate) room_id: String,
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self::of(json!({ "preset": "public_chat", "room_version": "11" }))
    }

    pub(crate) fn of(room: Value) -> Self {
        let alice = Client::new().register("alice");
        let room_id = alice.create_room(room);
        let peer = Peer::new(&alice, "peer.test");
        Self { alice, peer, room_id }
    }

    /// Alice sets state.
    pub(crate) fn state(&self, kind: &str, content: Value) {
        let path = self.alice.in_room(&self.room_id, &format!("state/{kind}/"));
        self.alice.put(&path, content).ok();
    }

    /// The room lets these servers not take part.
    pub(crate) fn deny(&self, servers: &[&str]) {
        self.state("m.room.server_acl", json!({ "allow": ["*"], "deny": servers }));
    }

    /// The ids of the events in the timeline, as Alice sees them.
    pub(crate) fn timeline(&self) -> Vec<String> {
        let path = self.alice.in_room(&self.room_id, "messages?dir=f&limit=100");
        let page = self.alice.get(&path).ok();
        let events = page["chunk"].as_array().unwrap().iter();
        events
            .map(|event| event["event_id"].as_str().unwrap().to_owned())
            .collect()
    }

    /// The membership of a user, as Alice sees it; empty for none.
    pub(crate) fn membership(&self, user_id: &str) -> String {
        let path = self.alice.in_room(
            &self.room_id,
            &format!("state/m.room.member/{}", percent(user_id)),
        );
        let reply = self.alice.get(&path);
        reply.json["membership"].as_str().unwrap_or_default().to_owned()
    }
}
