//! What discovery looks up: web sites, and DNS by way of one.

use std::cell::RefCell;
use std::collections::BTreeMap;

use bytes::Bytes;
use http::{Request, Response, Uri, header};
use selvage_object::Timestamp;
use selvage_workflow::RemoteError;
use selvage_workflow::discovery::{Lookups, SrvRecord, WELL_KNOWN_BYTES_MAX};
use worker::Env;

use super::fetch::{Open, within};
use crate::runtime::{moment, variable};
use crate::{config, doh};

/// How long a web site has to answer, body included, in milliseconds.
const SITE_TIME_MAX_MS: u64 = 5_000;
/// The most names whose SRV records are remembered; all are forgotten then.
const KNOWN_MAX: usize = 1_000;
/// How long it is remembered that DNS did not answer, in milliseconds.
const FAILURE_MS: u64 = 60_000;

thread_local! {
    /// The SRV records that this isolate knows, and until when.
    static KNOWN: RefCell<BTreeMap<String, (Timestamp, Vec<SrvRecord>)>> = const { RefCell::new(BTreeMap::new()) };
}

/// The web.
pub(super) struct Web {
    /// The resolver of DNS over HTTPS; `None` when there is none.
    resolver: Option<String>,
}

impl Web {
    /// The web as the deployment's variables say.
    ///
    /// # Errors
    /// When they are wrong.
    pub(super) fn new(env: &Env) -> Result<Self, RemoteError> {
        let resolver = config::resolver(|name| variable(env, name));
        let resolver = resolver.map_err(|error| RemoteError::Unsupported(error.to_string()))?;
        Ok(Self { resolver })
    }

    async fn look_up(&self, resolver: &str, name: &str) -> Option<doh::Found> {
        let uri = doh::question(resolver, name).parse().ok()?;
        let reply = get(&uri, "application/dns-json").await;
        let reply = reply
            .inspect_err(|error| tracing::warn!(%error, "DNS over HTTPS does not answer"))
            .ok()?;
        doh::read(reply.body())
    }
}

impl Lookups for Web {
    async fn get(&self, uri: &Uri) -> Result<Response<Bytes>, RemoteError> {
        get(uri, "application/json").await
    }

    /// A resolver that does not answer counts as one that knows no records: it is a party more, without which servers would
    /// be reached as well.
    async fn srv(&self, name: &str) -> Result<Vec<SrvRecord>, RemoteError> {
        let Some(resolver) = &self.resolver else {
            return Ok(Vec::new());
        };
        let now = moment::now();
        if let Some((until, records)) = KNOWN.with_borrow(|known| known.get(name).cloned())
            && now < until
        {
            return Ok(records);
        }
        let found = self.look_up(resolver, name).await.unwrap_or(doh::Found {
            records: Vec::new(),
            holds_ms: FAILURE_MS,
        });
        remember(name, now.plus_ms(found.holds_ms), &found.records);
        Ok(found.records)
    }

    fn random(&self) -> [u8; 32] {
        moment::random()
    }
}

fn remember(name: &str, until: Timestamp, records: &[SrvRecord]) {
    KNOWN.with_borrow_mut(|known| {
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(name.to_owned(), (until, records.to_vec()));
    });
}

async fn get(uri: &Uri, accept: &str) -> Result<Response<Bytes>, RemoteError> {
    within(SITE_TIME_MAX_MS, &uri.to_string(), get_whole(uri, accept)).await?
}

async fn get_whole(uri: &Uri, accept: &str) -> Result<Response<Bytes>, RemoteError> {
    let unsupported = |error: http::Error| RemoteError::Unsupported(format!("{uri}: {error}"));
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let request = Request::get(path).header(header::ACCEPT, accept);
    let request = request.body(Bytes::new()).map_err(unsupported)?;
    let host = uri.authority().map(ToString::to_string).unwrap_or_default();
    let open = Open::begin(&host, &format!("https://{host}"), request, SITE_TIME_MAX_MS).await?;
    let mut response = Response::builder().status(open.status());
    if let Some(headers) = response.headers_mut() {
        headers.extend(open.headers());
    }
    let bytes = open.into_bytes(WELL_KNOWN_BYTES_MAX, SITE_TIME_MAX_MS).await?;
    response.body(bytes).map_err(unsupported)
}
