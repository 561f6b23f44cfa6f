//! The everyday requests, so that tests can say what they are about.

use std::sync::atomic::{AtomicU64, Ordering};

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha1::Sha1;

use super::{Api, Reply};

/// The password of every account that tests make.
pub const PASSWORD: &str = "correct horse battery staple";

static NAMES: AtomicU64 = AtomicU64::new(0);

/// A signed-in account.
#[derive(Clone, Debug)]
pub struct Account {
    /// A client signed in to it.
    pub api: Api,
    /// Its user id.
    pub user_id: String,
    /// The device that is signed in.
    pub device_id: String,
    /// Its password.
    pub password: String,
}

impl std::ops::Deref for Account {
    type Target = Api;

    fn deref(&self) -> &Api {
        &self.api
    }
}

impl Account {
    /// The part of the user id between `@` and `:`.
    pub fn localpart(&self) -> &str {
        self.user_id
            .trim_start_matches('@')
            .split(':')
            .next()
            .unwrap_or_default()
    }

    fn from_reply(api: &Api, reply: &Reply, password: &str) -> Account {
        Account {
            api: api.with_token(&reply.string("/access_token")),
            user_id: reply.string("/user_id"),
            device_id: reply.string("/device_id"),
            password: password.to_owned(),
        }
    }
}

/// A string not used before in this process, for localparts and transaction ids.
pub fn unique(prefix: &str) -> String {
    format!(
        "{prefix}{}x{}",
        std::process::id(),
        NAMES.fetch_add(1, Ordering::Relaxed)
    )
}

impl Api {
    /// Registers an account whose name begins with `prefix`. spec: client-server-api §post_matrixclientv3register
    pub fn register(&self, prefix: &str) -> Account {
        let reply = self.try_register(&unique(prefix), PASSWORD);
        assert_eq!(reply.status, 200, "{reply}");
        Account::from_reply(self, &reply, PASSWORD)
    }

    /// Asks for an account in two steps: for a session, then with the dummy stage done in it.
    /// spec: client-server-api §user-interactive-authentication-api
    pub fn try_register(&self, username: &str, password: &str) -> Reply {
        let path = "/_matrix/client/v3/register";
        let mut body = json!({"username": username, "password": password});
        let first = self.post(path, &body);
        if first.status != 401 {
            return first;
        }
        let session = first.string("/session");
        if let Some(body) = body.as_object_mut() {
            body.insert(
                "auth".to_owned(),
                json!({"type": "m.login.dummy", "session": session}),
            );
        }
        self.post(path, &body)
    }

    /// Signs in on a new device. spec: client-server-api §post_matrixclientv3login
    pub fn login(&self, account: &Account) -> Account {
        let reply = self.try_login(&account.user_id, &account.password);
        assert_eq!(reply.status, 200, "{reply}");
        Account::from_reply(&self.anonymous(), &reply, &account.password)
    }

    /// Tries to sign in with a password.
    pub fn try_login(&self, user: &str, password: &str) -> Reply {
        let identifier = json!({"type": "m.id.user", "user": user});
        let body = json!({"type": "m.login.password", "identifier": identifier, "password": password});
        self.anonymous().post("/_matrix/client/v3/login", &body)
    }

    /// Creates a room and returns its id.
    pub fn create_room(&self, body: &Value) -> String {
        let reply = self.post("/_matrix/client/v3/createRoom", body);
        assert_eq!(reply.status, 200, "{reply}");
        reply.string("/room_id")
    }

    /// Joins a room by its id.
    pub fn join(&self, room_id: &str) -> Reply {
        self.membership(room_id, "join", &json!({}))
    }

    /// Invites a user.
    pub fn invite(&self, room_id: &str, user_id: &str) -> Reply {
        self.membership(room_id, "invite", &json!({"user_id": user_id}))
    }

    /// Leaves a room.
    pub fn leave(&self, room_id: &str) -> Reply {
        self.membership(room_id, "leave", &json!({}))
    }

    /// `POST /rooms/{roomId}/{verb}`: join, leave, invite, kick, ban, unban, forget.
    pub fn membership(&self, room_id: &str, verb: &str, body: &Value) -> Reply {
        self.post(&room_path(room_id, verb), body)
    }

    /// Sends a text message under a transaction id of its own.
    pub fn say(&self, room_id: &str, text: &str) -> Reply {
        self.send(
            room_id,
            &unique("txn"),
            &json!({"msgtype": "m.text", "body": text}),
        )
    }

    /// Sends an `m.room.message`.
    pub fn send(&self, room_id: &str, txn_id: &str, content: &Value) -> Reply {
        self.put(
            &room_path(room_id, &format!("send/m.room.message/{txn_id}")),
            content,
        )
    }

    /// Sets a state event.
    pub fn set_state(&self, room_id: &str, event_type: &str, state_key: &str, content: &Value) -> Reply {
        let state_key = percent(state_key);
        self.put(
            &room_path(room_id, &format!("state/{event_type}/{state_key}")),
            content,
        )
    }

    /// Reads the content of a state event.
    pub fn get_state(&self, room_id: &str, event_type: &str, state_key: &str) -> Reply {
        let state_key = percent(state_key);
        self.get(&room_path(room_id, &format!("state/{event_type}/{state_key}")))
    }

    /// Syncs, without waiting. `since` is empty at first.
    pub fn sync(&self, since: &str) -> Value {
        self.sync_with(since, "timeout=0").ok()
    }

    /// Syncs with these query parameters.
    pub fn sync_with(&self, since: &str, query: &str) -> Reply {
        let since = if since.is_empty() {
            String::new()
        } else {
            format!("&since={}", percent(since))
        };
        self.get(&format!("/_matrix/client/v3/sync?{query}{since}"))
    }

    /// All messages of a room that this account may see, oldest first, as whole events.
    pub fn history(&self, room_id: &str) -> Vec<Value> {
        let mut newest_first = Vec::new();
        let mut from = String::new();
        loop {
            let page = self
                .get(&room_path(room_id, &format!("messages?dir=b&limit=100{from}")))
                .ok();
            let chunk = page
                .pointer("/chunk")
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default();
            let end = page.pointer("/end").and_then(Value::as_str);
            let done = chunk.is_empty() || end.is_none();
            newest_first.extend(chunk);
            if done {
                newest_first.reverse();
                return newest_first;
            }
            from = format!("&from={}", percent(end.unwrap_or_default()));
        }
    }
}

/// `/_matrix/client/v3/rooms/{roomId}/{rest}`
pub fn room_path(room_id: &str, rest: &str) -> String {
    format!("/_matrix/client/v3/rooms/{}/{rest}", percent(room_id))
}

/// Percent-encodes everything but RFC 3986's unreserved characters.
pub fn percent(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

/// The MAC that registration by shared secret asks for, in lower-case hexadecimal: HMAC-SHA1 over nonce, user name,
/// password and `admin` or `notadmin`, with NUL between them.
pub fn registration_mac(secret: &str, nonce: &str, user: &str, password: &str, admin: bool) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    let admin = if admin { "admin" } else { "notadmin" };
    mac.update([nonce, user, password, admin].join("\0").as_bytes());
    mac.finalize()
        .into_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
