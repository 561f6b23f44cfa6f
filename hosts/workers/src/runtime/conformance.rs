//! How the conformance suite reaches probes: any object may be asked and waited for by whoever reaches the Worker. This
//! is compiled with the feature `conformance` only.
//!
//! `POST /_conformance/exchange/SERVER/TIMEOUT_MS` sends a request to another server: `GET` without a body, else `PUT`.
//! `POST /_conformance/ask/KEY`, `/wait/KEY/SEEN/TIMEOUT_MS`, `/flood/KEY/COUNT`, `/evict/KEY`, `/abort/KEY`, with the key in url-safe base64.

use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::join_all;
use js_sys::Function;
use selvage_conformance::Flood;
use selvage_event::ServerName;
use selvage_gateway::{AskError, Host as _};
use selvage_object::ObjectKey;
use serde_json::{Value, json};
use wasm_bindgen::prelude::*;
use worker::{Env, Request, Response};

use super::home::Home;
use super::host::WorkersHost;
use super::{call, respond, variable};
use crate::config::Deployment;
use crate::wire::Reply;

/// Before the paths of this module.
pub(super) const PREFIX: &str = "/_conformance/";
/// The path of requests to other servers.
const EXCHANGE: &str = "exchange";

#[wasm_bindgen]
extern "C" {
    type State;

    #[wasm_bindgen(method, getter)]
    fn abort(this: &State) -> Function;

    #[wasm_bindgen(js_name = setTimeout)]
    fn set_timeout(callback: &Function, ms: u32);
}

/// Answers the suite.
pub(super) async fn in_worker(env: Env, mut request: Request) -> worker::Result<Response> {
    let Ok(deployment) = Deployment::read(|name| variable(&env, name)) else {
        return Response::error("no deployment", 503);
    };
    let path = request.path();
    let parts: Vec<&str> = path.trim_start_matches(PREFIX).split('/').collect();
    if let [EXCHANGE, server, timeout_ms] = parts.as_slice() {
        let body = request.bytes().await?;
        let host = WorkersHost::new(env, deployment.placement());
        let said = exchange(&host, server, timeout_ms.parse().unwrap_or(0), body).await;
        return Response::from_json(&said);
    }
    let Some(key) = parts.get(1).and_then(|key| parse_key(key)) else {
        return Response::error("no object", 400);
    };
    let number = |index: usize| {
        parts
            .get(index)
            .and_then(|part| part.parse::<u64>().ok())
            .unwrap_or(0)
    };
    let host = WorkersHost::new(env.clone(), deployment.placement());
    match parts.first().copied() {
        Some("ask") => {
            let command = request.bytes().await?;
            answer(host.ask(&key, command).await)
        }
        Some("flood") => {
            let command = request.bytes().await?;
            let asks = (0..number(2)).map(|_| host.ask(&key, command.clone()));
            Response::from_json(&flood(&join_all(asks).await))
        }
        Some("wait") => answer(host.wait(&key, number(2), number(3)).await.map(|()| Vec::new())),
        _ => {
            let shard = deployment.placement().shard_of(&key);
            respond(call::control(&env, &shard, &path).await)
        }
    }
}

/// What came of a request to another server.
async fn exchange(host: &WorkersHost, server: &str, timeout_ms: u64, body: Vec<u8>) -> Value {
    let Some(server) = decode(server).and_then(|name| ServerName::parse(name).ok()) else {
        return json!({ "error": "no server name" });
    };
    let method = if body.is_empty() { "GET" } else { "PUT" };
    let request = http::Request::builder()
        .method(method)
        .uri("/_matrix/test?a=b%2Fc")
        .header("authorization", "X-Matrix test");
    let Ok(request) = request.body(Bytes::from(body)) else {
        return json!({ "error": "no request" });
    };
    let answer = match host.exchange(&server, request, timeout_ms).await {
        Ok(answer) => answer,
        Err(error) => return json!({ "error": format!("{error:?}") }),
    };
    let status = answer.status.as_u16();
    let (mut chunks, mut body) = (answer.body, Vec::new());
    while let Some(chunk) = chunks.next().await {
        match chunk {
            Ok(chunk) => body.extend_from_slice(&chunk),
            Err(error) => return json!({ "status": status, "broken": format!("{error:?}") }),
        }
    }
    json!({ "status": status, "body": String::from_utf8_lossy(&body) })
}

fn decode(text: &str) -> Option<String> {
    String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}

fn parse_key(text: &str) -> Option<ObjectKey> {
    decode(text)?.parse().ok()
}

fn answer(result: Result<Vec<u8>, AskError>) -> worker::Result<Response> {
    respond(match result {
        Ok(reply) => Reply::Done(reply),
        Err(AskError::Refused(refusal)) => Reply::Refused(refusal),
        Err(AskError::Overloaded { retry_after_ms }) => {
            return Ok(Response::from_json(&json!({ "retry_after_ms": retry_after_ms }))?.with_status(429));
        }
        Err(AskError::Unavailable(why)) => Reply::Unavailable(why),
        Err(stopping @ AskError::Stopping) => Reply::Unavailable(stopping.to_string()),
    })
}

fn flood(answers: &[Result<Vec<u8>, AskError>]) -> Flood {
    let count = |of: fn(&Result<Vec<u8>, AskError>) -> bool| {
        answers.iter().filter(|answer| of(answer)).count() as u64
    };
    let answered = count(Result::is_ok);
    let overloaded =
        count(|answer| matches!(answer, Err(AskError::Overloaded { retry_after_ms }) if *retry_after_ms > 0));
    Flood {
        answered,
        overloaded,
        failed: answers.len() as u64 - answered - overloaded,
    }
}

/// Does to a shard what the runtime may do at any time.
pub(super) fn in_shard(home: &Rc<Home>, path: &str) -> worker::Result<Response> {
    if path.starts_with("/_conformance/evict/") {
        home.forget();
    } else {
        abort_soon(home.state.as_raw().as_ref());
    }
    respond(Reply::Done(Vec::new()))
}

/// Ends the object a moment later: ending it here would cut the executor of all Rust futures off in the middle.
fn abort_soon(state: &JsValue) {
    let abort = state.unchecked_ref::<State>().abort();
    set_timeout(&abort.bind0(state), 0);
}
