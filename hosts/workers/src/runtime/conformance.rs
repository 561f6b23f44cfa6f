//! How the conformance suite reaches probes: any object may be asked and waited for by whoever reaches the Worker. This
//! is compiled with the feature `conformance` only.
//!
//! `POST /_conformance/ask/KEY`, `/wait/KEY/SEEN/TIMEOUT_MS`, `/flood/KEY/COUNT`, `/evict/KEY`, `/abort/KEY`, with the key in url-safe base64.

use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::future::join_all;
use js_sys::Function;
use selvage_conformance::Flood;
use selvage_gateway::{AskError, Host as _};
use selvage_object::ObjectKey;
use serde_json::json;
use wasm_bindgen::prelude::*;
use worker::{Env, Request, Response};

use super::home::Home;
use super::host::WorkersHost;
use super::{call, respond, variable};
use crate::config::Deployment;
use crate::wire::Reply;

/// Before the paths of this module.
pub(super) const PREFIX: &str = "/_conformance/";

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

fn parse_key(text: &str) -> Option<ObjectKey> {
    String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?)
        .ok()?
        .parse()
        .ok()
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
