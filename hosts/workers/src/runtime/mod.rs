//! What runs on the platform: the Worker, the Durable Objects, and the calls between them.

mod alarm;
mod cache;
mod call;
mod calls;
#[cfg(feature = "conformance")]
mod conformance;
mod durable;
mod effects;
mod entry;
mod foundation;
mod home;
mod host;
mod http;
mod js;
mod log;
mod moment;
mod recovery;
mod remote;
mod storage;
mod watching;

use js_sys::Reflect;
use wasm_bindgen::JsValue;
use worker::{Env, Response, ResponseBody};

use crate::wire::Reply;

/// A variable or a secret of the deployment; both are texts, and one that is not set may be null.
fn variable(env: &Env, name: &str) -> Option<String> {
    Reflect::get(env, &JsValue::from_str(name)).ok()?.as_string()
}

/// The response that carries a shard's reply.
fn respond(reply: Reply) -> worker::Result<Response> {
    let status = reply.status();
    let response = Response::from_body(ResponseBody::Body(reply.into_body()))?;
    Ok(response.with_status(status))
}
