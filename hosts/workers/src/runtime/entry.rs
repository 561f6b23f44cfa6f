//! The Worker: requests in, responses out.

use worker::{Context, Env, Request, Response, event};

use super::log::log_panics;
use super::variable;
use crate::config::Deployment;
use crate::counts;

/// Where the counts are shown, when the variable `SELVAGE_COUNTS` is `on`.
const COUNTS_PATH: &str = "/_selvage/counts";

#[event(start)]
fn start() {
    log_panics();
}

#[event(fetch)]
async fn fetch(request: Request, env: Env, _: Context) -> worker::Result<Response> {
    if request.path() == COUNTS_PATH && variable(&env, "SELVAGE_COUNTS").as_deref() == Some("on") {
        return Response::ok(counts::json());
    }
    counts::request();
    let deployment = Deployment::read(|name| variable(&env, name));
    let deployment = match deployment {
        Ok(deployment) => deployment,
        Err(error) => return Response::error(error.to_string(), 503),
    };
    #[cfg(feature = "conformance")]
    if request.path().starts_with(super::conformance::PREFIX) {
        return super::conformance::in_worker(env, request, &deployment).await;
    }
    Response::error("not yet", 404)
}
