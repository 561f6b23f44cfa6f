use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::auth::{KnownEvent, Rule};
use crate::event::FormatError;
use crate::id::{EventId, RoomId, ServerName, UserId};
use crate::key::{PublicKey, SignatureError, SigningKey, VerifyKeys};
use crate::{Event, Map, RoomVersion, Template};

mod checks;
mod steps;

fn server(name: &str) -> ServerName {
    ServerName::parse(name).unwrap()
}

/// Every server here has one key, made of its name.
fn key(server: &str) -> SigningKey {
    let mut seed = [0; 32];
    seed[0] = server.as_bytes()[0];
    SigningKey::from_seed("ed25519:k", &seed).unwrap()
}

fn keys() -> VerifyKeys {
    let mut keys = VerifyKeys::new();
    for name in ["a", "b", "c"] {
        keys.insert(&server(name), "ed25519:k", key(name).public_key(i64::MAX));
    }
    keys
}

fn content(value: Value) -> Map {
    value.as_object().unwrap().clone()
}

fn template(sender: &str, kind: &str, state_key: Option<&str>, value: Value) -> Template {
    Template {
        room_id: Some(RoomId::parse("!room:a").unwrap()),
        sender: UserId::parse(sender).unwrap(),
        kind: kind.into(),
        state_key: state_key.map(str::to_owned),
        content: content(value),
        prev_events: vec![EventId::parse("$prev:a").unwrap()],
        auth_events: vec![],
        depth: 1,
        origin_server_ts: 1_000,
        redacts: None,
    }
}

fn build(version: RoomVersion, template: Template) -> CheckedEvent {
    let home = template.sender.server_name();
    template.build(version, &home, &key(home.as_str())).unwrap()
}

/// The JSON of a built event, to be tampered with.
fn json_of(event: &CheckedEvent) -> Value {
    serde_json::from_str(event.event().json()).unwrap()
}

fn receive(version: RoomVersion, json: &Value) -> Result<ReceivedEvent, FormatError> {
    ReceivedEvent::parse(json.to_string().as_bytes(), version)
}

fn verify(version: RoomVersion, json: &Value) -> Result<CheckedEvent, SignatureError> {
    receive(version, json).unwrap().verify(&keys()).unwrap()
}
