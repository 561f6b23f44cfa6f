//! Requests to other servers.
//!
//! ```text
//! Remotes::exchange ── places ── discovery (crates/workflow) ── pool, or else connect: dns ── guard ── TCP ── TLS
//! ```
//!
//! A request waits for a place, its server's name is resolved to the authority to speak to, and it goes over a connection
//! that is kept, or over a new one. Nothing is decompressed and no redirect is followed, but for those of a delegation.

mod answer;
mod connect;
mod dns;
mod guard;
mod line;
mod lookups;
mod places;
mod pool;
mod trust;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use hyper::body::Incoming;
use selvage_event::ServerName;
use selvage_workflow::discovery::{Authority, Discovery};
use selvage_workflow::{FederationSettings, RemoteError, RemoteResponse};
use tokio::time::timeout;

use self::answer::Answer;
use self::connect::Connector;
use self::dns::Dns;
use self::guard::Guard;
use self::line::Line;
use self::lookups::WebAndDns;
use self::places::Places;
use self::pool::Pool;
use crate::clock;
use crate::settings::Outgoing;

/// Why other servers cannot be reached at all.
#[derive(Debug, thiserror::Error)]
pub enum RemotesError {
    /// The resolver cannot be made.
    #[error("DNS: {0}")]
    Dns(String),
    /// TLS cannot be set up.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
}

/// The way to other servers.
pub struct Remotes {
    discovery: Discovery,
    connector: Connector,
    places: Places,
    pool: Arc<Pool>,
}

impl Remotes {
    /// The way to other servers, with whom the operator allows speaking and as the operator set it up.
    ///
    /// # Errors
    /// See [`RemotesError`].
    pub fn new(outgoing: &Outgoing, federation: FederationSettings) -> Result<Self, RemotesError> {
        let dns = Dns::new(outgoing.dns_server).map_err(|error| RemotesError::Dns(error.to_string()))?;
        let connector = Connector {
            dns,
            guard: Guard::new(outgoing.allow_private_addresses, outgoing.exceptions.clone()),
            https_port: outgoing.https_port,
            tls: trust::connector(&outgoing.extra_ca)?,
        };
        Ok(Self {
            discovery: Discovery::new(federation),
            connector,
            places: Places::default(),
            pool: Arc::default(),
        })
    }

    /// Sends a request to a server; see [`selvage_gateway::Host::exchange`].
    ///
    /// # Errors
    /// [`RemoteError`], but not [`RemoteError::Refused`].
    pub async fn exchange(
        &self,
        to: &ServerName,
        request: Request<Bytes>,
        timeout_ms: u64,
    ) -> Result<RemoteResponse, RemoteError> {
        let silence_max = Duration::from_millis(timeout_ms);
        let begun = timeout(silence_max, self.begin(to, request, silence_max)).await;
        let late = |_| RemoteError::Unreachable(format!("{to} did not answer within {timeout_ms} ms"));
        begun.map_err(late)?
    }

    async fn begin(
        &self,
        to: &ServerName,
        request: Request<Bytes>,
        silence_max: Duration,
    ) -> Result<RemoteResponse, RemoteError> {
        let stopping = || RemoteError::Unreachable("the server is stopping".to_owned());
        let place = self.places.take(to).await.ok_or_else(stopping)?;
        let lookups = WebAndDns(&self.connector);
        let authority = self.discovery.authority(&lookups, to, clock::now()).await?;
        let (response, line) = self.send(&authority, request).await?;
        let status = response.status();
        let answer = Answer {
            body: response.into_body(),
            silence_max,
            authority,
            line,
            pool: Arc::clone(&self.pool),
            place,
        };
        Ok(RemoteResponse {
            status,
            body: answer.into_body(),
        })
    }

    /// Sends a request over a connection that is kept, or else over a new one.
    async fn send(
        &self,
        authority: &Authority,
        request: Request<Bytes>,
    ) -> Result<(Response<Incoming>, Line), RemoteError> {
        if let Some(mut line) = self.pool.take(authority) {
            let addressed = line.address(authority, request.clone()).map_err(malformed)?;
            match line.send(addressed).await {
                Ok(response) => return Ok((response, line)),
                Err(error) if !may_repeat(request.method(), &error) => return Err(broken(authority, &error)),
                // The server closed it meanwhile, as it may.
                Err(_) => {}
            }
        }
        let mut line = self.connect(authority).await?;
        let addressed = line.address(authority, request).map_err(malformed)?;
        let response = line
            .send(addressed)
            .await
            .map_err(|error| broken(authority, &error))?;
        Ok((response, line))
    }

    async fn connect(&self, authority: &Authority) -> Result<Line, RemoteError> {
        let targets = authority.targets(&WebAndDns(&self.connector)).await?;
        let stream = self.connector.connect(&targets, authority.host()).await?;
        let line = Line::open(stream)
            .await
            .map_err(|error| broken(authority, &error))?;
        self.pool.share(authority, &line);
        Ok(line)
    }
}

/// Whether a request whose kept connection broke goes out again: if it was not sent, or does no more when it comes twice.
/// RFC 9110 §9.2.2.
fn may_repeat(method: &Method, error: &hyper::Error) -> bool {
    error.is_canceled() || error.is_closed() || method.is_idempotent()
}

fn broken(authority: &Authority, error: &hyper::Error) -> RemoteError {
    let problem = format!("{authority}: {}", describe(error));
    if error.is_parse() {
        return RemoteError::Misbehaved(problem);
    }
    RemoteError::Unreachable(problem)
}

fn malformed(error: http::Error) -> RemoteError {
    RemoteError::Unsupported(format!("the request makes no sense: {error}"))
}

/// An error with what caused it.
fn describe(error: &dyn Error) -> String {
    let mut whole = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        whole = format!("{whole}: {error}");
        cause = error.source();
    }
    whole
}
