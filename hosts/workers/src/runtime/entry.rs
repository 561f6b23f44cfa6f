//! The Worker: requests in, responses out.

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::Reflect;
use selvage_gateway::{Gateway, respond, respond_to_overload, respond_to_too_large};
use selvage_protocol::errcode;
use serde_json::json;
use wasm_bindgen::JsValue;
use worker::{Context, Env, Request, Response, event};

use super::calls::Calls;
use super::host::WorkersHost;
use super::http::{Oversized, incoming, outgoing};
use super::{foundation, log, variable};
use crate::config::{self, Deployment};
use crate::counts;
use crate::wire::Reply;

/// Where the counts are shown, when the variable `SELVAGE_COUNTS` is `on`.
const COUNTS_PATH: &str = "/_selvage/counts";
/// What a single request has called, in its response, when the variable `SELVAGE_COUNTS` is `on`.
const COUNTS_HEADER: &str = "x-selvage-counts";

thread_local! {
    /// Made by the first request of an isolate: a deployment's variables never change in it.
    static GATEWAY: RefCell<Option<Gateway<WorkersHost>>> = const { RefCell::new(None) };
}

/// Why there is no gateway.
enum Trouble {
    /// The deployment is wrong.
    Config(String),
    /// The server object does not answer.
    Shard(Reply),
}

#[event(start)]
fn start() {
    log::start();
}

#[event(fetch)]
async fn fetch(request: Request, env: Env, _: Context) -> worker::Result<Response> {
    let counted = variable(&env, "SELVAGE_COUNTS").as_deref() == Some("on");
    if counted && request.path() == COUNTS_PATH {
        return Response::ok(counts::json());
    }
    counts::request();
    let calls = Rc::new(Calls::default());
    let response = calls.watch(serve(request, env)).await?;
    if counted {
        response.headers().set(COUNTS_HEADER, &calls.to_string())?;
    }
    Ok(response)
}

async fn serve(request: Request, env: Env) -> worker::Result<Response> {
    #[cfg(feature = "conformance")]
    if request.path().starts_with(super::conformance::PREFIX) {
        return super::conformance::in_worker(env, request).await;
    }
    match gateway(env).await {
        Ok(gateway) => answer(&gateway, request).await,
        Err(trouble) => refuse(trouble),
    }
}

async fn answer(gateway: &Gateway<WorkersHost>, request: Request) -> worker::Result<Response> {
    let response = match incoming(request, |method, path| gateway.body_limit(method, path)).await? {
        Ok(request) => respond(gateway, request).await,
        Err(Oversized) => respond_to_too_large(),
    };
    outgoing(response)
}

fn refuse(trouble: Trouble) -> worker::Result<Response> {
    match trouble {
        Trouble::Config(error) => {
            tracing::error!(error, "this deployment cannot serve");
            Response::error(error, 503)
        }
        Trouble::Shard(Reply::Overloaded(wait)) => outgoing(respond_to_overload(wait.retry_after_ms)),
        Trouble::Shard(reply) => {
            tracing::error!(status = reply.status(), "the server object does not answer");
            let error =
                json!({ "errcode": errcode::UNKNOWN, "error": "the server is not available at the moment" });
            Ok(Response::from_json(&error)?.with_status(503))
        }
    }
}

async fn gateway(env: Env) -> Result<Gateway<WorkersHost>, Trouble> {
    if let Some(made) = GATEWAY.with_borrow(Clone::clone) {
        return Ok(made);
    }
    let made = make(env).await?;
    GATEWAY.set(Some(made.clone()));
    Ok(made)
}

async fn make(env: Env) -> Result<Gateway<WorkersHost>, Trouble> {
    let wrong = |error: config::ConfigError| Trouble::Config(error.to_string());
    config::check_names(names(&env)).map_err(wrong)?;
    let deployment = Deployment::read(|name| variable(&env, name)).map_err(wrong)?;
    let settings = config::settings(|name| variable(&env, name)).map_err(wrong)?;
    config::resolver(|name| variable(&env, name)).map_err(wrong)?;
    let identity = foundation::identity(&env, &deployment).await;
    let identity = identity.map_err(|reply| match reply {
        Reply::Refused(refusal) => Trouble::Config(refusal.message),
        other => Trouble::Shard(other),
    })?;
    let host = WorkersHost::new(env, deployment.placement());
    Gateway::new(host, settings, &identity).map_err(|error| Trouble::Config(error.to_string()))
}

/// The names of all variables and bindings.
fn names(env: &Env) -> impl Iterator<Item = String> + use<> {
    let env: &JsValue = env.as_ref();
    let keys = Reflect::own_keys(env).unwrap_or_default();
    let own = keys.into_iter().filter_map(|key| key.as_string());
    own.collect::<Vec<_>>().into_iter()
}
