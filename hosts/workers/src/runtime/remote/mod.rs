//! Requests to other servers, by `fetch`.
//!
//! `fetch` takes names apart, connects and verifies certificates by itself, so there are servers that it cannot reach
//! (`route.rs` says which). It does not connect into private networks: on the platform there are none, and under `workerd` its
//! configuration says what may be reached.

mod fetch;
mod lookups;

use std::cell::RefCell;
use std::rc::Rc;

use bytes::Bytes;
use http::{Request, StatusCode};
use selvage_event::ServerName;
use selvage_workflow::discovery::{Authority, Discovery};
use selvage_workflow::{RemoteError, RemoteResponse};
use worker::Env;

use self::fetch::Open;
use self::lookups::Web;
use super::{moment, variable};
use crate::{config, route};

thread_local! {
    /// What this isolate knows of other servers.
    static DISCOVERY: RefCell<Option<Rc<Discovery>>> = const { RefCell::new(None) };
}

/// Sends a request to a server; see [`selvage_gateway::Host::exchange`].
///
/// # Errors
/// [`RemoteError`], but not [`RemoteError::Refused`].
pub(super) async fn exchange(
    env: &Env,
    to: &ServerName,
    request: Request<Bytes>,
    timeout_ms: u64,
) -> Result<RemoteResponse, RemoteError> {
    let began = moment::now();
    let (authority, origin) = fetch::within(timeout_ms, to.as_str(), find(env, to)).await??;
    let left_ms = timeout_ms.saturating_sub(moment::now().ms_since(began));
    let open = Open::begin(authority.as_str(), &origin, request, left_ms).await?;
    if let Some(what) = route::trouble(open.status()) {
        return Err(RemoteError::Unreachable(format!("{authority}: {what}")));
    }
    Ok(RemoteResponse {
        status: StatusCode::from_u16(open.status()).unwrap_or(StatusCode::BAD_GATEWAY),
        body: open.into_body(timeout_ms),
    })
}

/// By which name a server is spoken to, and the beginning of its URLs.
async fn find(env: &Env, to: &ServerName) -> Result<(Authority, String), RemoteError> {
    let (discovery, web) = (discovery(env)?, Web::new(env)?);
    let authority = discovery.authority(&web, to, moment::now()).await?;
    route::check(&authority)?;
    let targets = authority.targets(&web).await?;
    let origin = route::origin(&authority, &targets)?;
    Ok((authority, origin))
}

fn discovery(env: &Env) -> Result<Rc<Discovery>, RemoteError> {
    if let Some(known) = DISCOVERY.with_borrow(Clone::clone) {
        return Ok(known);
    }
    let federation = config::federation(|name| variable(env, name));
    let federation = federation.map_err(|error| RemoteError::Unsupported(error.to_string()))?;
    let fresh = Rc::new(Discovery::new(federation));
    DISCOVERY.set(Some(Rc::clone(&fresh)));
    Ok(fresh)
}
