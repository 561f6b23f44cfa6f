//! What discovery looks up: web sites and DNS.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Method, Request, Response, Uri, header};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use selvage_event::ServerName;
use selvage_workflow::RemoteError;
use selvage_workflow::discovery::{Authority, Lookups, SrvRecord, Target, WELL_KNOWN_BYTES_MAX};
use tokio::time::timeout;

use super::connect::Connector;
use super::line::Line;
use super::{broken, malformed};
use crate::random;

/// How long a web site has to answer, body included.
const SITE_TIME_MAX: Duration = Duration::from_secs(5);

/// The world, through connections that are guarded like all others.
pub(super) struct WebAndDns<'a>(pub(super) &'a Connector);

impl Lookups for WebAndDns<'_> {
    async fn get(&self, uri: &Uri) -> Result<Response<Bytes>, RemoteError> {
        let got = timeout(SITE_TIME_MAX, self.get_whole(uri)).await;
        let late = |_| RemoteError::Unreachable(format!("{uri}: no answer within {SITE_TIME_MAX:?}"));
        got.map_err(late)?
    }

    async fn srv(&self, name: &str) -> Result<Vec<SrvRecord>, RemoteError> {
        self.0.dns.srv(name).await
    }

    fn random(&self) -> [u8; 32] {
        random::bytes()
    }
}

impl WebAndDns<'_> {
    async fn get_whole(&self, uri: &Uri) -> Result<Response<Bytes>, RemoteError> {
        let site = site(uri)?;
        let target = Target {
            host: site.host().clone(),
            port: uri.port_u16().unwrap_or(self.0.https_port),
        };
        let stream = self.0.connect(&[target], site.host()).await?;
        let mut line = Line::open(stream).await.map_err(|error| broken(&site, &error))?;
        let request = Request::builder()
            .method(Method::GET)
            .uri(uri.path_and_query().map_or("/", |path| path.as_str()))
            .header(header::ACCEPT, "application/json")
            .body(Bytes::new())
            .and_then(|request| line.address(&site, request))
            .map_err(malformed)?;
        let response = line.send(request).await.map_err(|error| broken(&site, &error))?;
        whole(response, &site).await
    }
}

/// Web sites have names like servers.
fn site(uri: &Uri) -> Result<Authority, RemoteError> {
    let unsupported = || RemoteError::Unsupported(format!("{uri} is no web site"));
    let authority = uri.authority().ok_or_else(unsupported)?;
    Authority::new(&ServerName::parse(authority.as_str()).map_err(|_| unsupported())?)
}

async fn whole(response: Response<Incoming>, site: &Authority) -> Result<Response<Bytes>, RemoteError> {
    let (head, mut body) = response.into_parts();
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| broken(site, &error))?;
        if let Ok(chunk) = frame.into_data() {
            bytes.extend_from_slice(&chunk);
        }
        if bytes.len() > WELL_KNOWN_BYTES_MAX {
            let problem = format!("{site} answers with more than {WELL_KNOWN_BYTES_MAX} bytes");
            return Err(RemoteError::Misbehaved(problem));
        }
    }
    Ok(Response::from_parts(head, bytes.freeze()))
}
