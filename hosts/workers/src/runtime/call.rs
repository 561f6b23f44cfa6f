//! Calls of shards, by the Worker and by other shards.

use js_sys::{Reflect, Uint8Array};
use selvage_object::{Delivery, ObjectKey, Placement, ShardId};
use wasm_bindgen::JsValue;
use worker::{Env, Headers, Method, Request, RequestInit, Response, Stub};

use crate::class::Class;
use crate::counts;
use crate::wire::{self, Reply};

/// Gives a command to an object.
pub(crate) async fn ask(env: &Env, placement: Placement, to: &ObjectKey, command: &[u8]) -> Reply {
    match wire::ask_body(to, command) {
        Some(body) => post(env, &placement.shard_of(to), wire::ASK, &body).await,
        None => Reply::Unavailable("the object's name is too long".to_owned()),
    }
}

/// Brings a delivery to its shard.
pub(crate) async fn deliver(env: &Env, delivery: &Delivery) -> Reply {
    match serde_json::to_vec(delivery) {
        Ok(body) => post(env, &delivery.shard, wire::DELIVER, &body).await,
        Err(error) => Reply::Unavailable(error.to_string()),
    }
}

async fn post(env: &Env, shard: &ShardId, path: &str, body: &[u8]) -> Reply {
    let mut init = RequestInit::new();
    init.with_method(Method::Post)
        .with_body(Some(Uint8Array::from(body).into()));
    match fetch(env, shard, path, &init).await {
        Ok(response) => read(response).await,
        Err(reply) => reply,
    }
}

async fn read(mut response: Response) -> Reply {
    let status = response.status_code();
    match response.bytes().await {
        Ok(body) => Reply::parse(status, body),
        Err(error) => failed(&error),
    }
}

/// Opens a watch: a response with a WebSocket, or one without when the object has news already.
///
/// # Errors
/// What the shard answered instead.
pub(crate) async fn watch(env: &Env, shard: &ShardId, of: &ObjectKey, seen: u64) -> Result<Response, Reply> {
    let headers = Headers::new();
    headers
        .set("upgrade", "websocket")
        .map_err(|error| failed(&error))?;
    let mut init = RequestInit::new();
    init.with_headers(headers);
    let response = fetch(env, shard, &wire::watch_path(of, seen), &init).await?;
    match response.status_code() {
        101 | 200 => Ok(response),
        _ => Err(read(response).await),
    }
}

async fn fetch(env: &Env, shard: &ShardId, path: &str, init: &RequestInit) -> Result<Response, Reply> {
    let class = Class::of(shard).ok_or_else(|| Reply::Unavailable(format!("no class houses {shard}")))?;
    counts::shard_call(class, path);
    let sent = async {
        let request = Request::new_with_init(&format!("{}{path}", wire::ORIGIN), init)?;
        stub(env, class, shard)?.fetch_with_request(request).await
    };
    sent.await.map_err(|error| failed(&error))
}

fn stub(env: &Env, class: Class, shard: &ShardId) -> worker::Result<Stub> {
    env.durable_object(class.binding())?.get_by_name(shard.as_str())
}

/// What the runtime's own errors mean: only an overloaded object did certainly nothing.
fn failed(error: &worker::Error) -> Reply {
    let original = error.to_js_value();
    let overloaded = Reflect::get(&original, &JsValue::from_str("overloaded"));
    if overloaded.is_ok_and(|overloaded| overloaded.is_truthy()) {
        return Reply::OVERLOADED;
    }
    Reply::Unavailable(error.to_string())
}

/// Asks a shard to do what the conformance suite orders.
#[cfg(feature = "conformance")]
pub(super) async fn control(env: &Env, shard: &ShardId, path: &str) -> Reply {
    post(env, shard, path, &[]).await
}
