//! One connection, over which requests go.

use std::time::Duration;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderValue, Request, Response, Uri, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use selvage_workflow::USER_AGENT;
use selvage_workflow::discovery::Authority;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// The most bytes of an answer's headers.
const HEADER_BYTES_MAX: u32 = 64 * 1024;
/// How much of an answer over HTTP/2 may arrive before it is read, in bytes.
const WINDOW_BYTES: u32 = 1024 * 1024;
/// How long a connection with HTTP/2 may be silent while an answer is waited for before it is asked whether it lives, and
/// how long it then has to say so.
const PING_AFTER: Duration = Duration::from_secs(20);

/// A connection.
pub(super) enum Line {
    /// HTTP/1.1: one request at a time.
    One(http1::SendRequest<Full<Bytes>>),
    /// HTTP/2: many at once.
    Two(http2::SendRequest<Full<Bytes>>),
}

impl Line {
    /// Begins to speak HTTP, of the version that TLS agreed on. The connection lives on beside, until it is closed or
    /// nobody holds this any more.
    pub(super) async fn open(stream: TlsStream<TcpStream>) -> hyper::Result<Self> {
        let two = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        let io = TokioIo::new(stream);
        if two {
            let (line, connection) = two_builder().handshake(io).await?;
            tokio::spawn(ended(connection));
            return Ok(Self::Two(line));
        }
        let mut builder = http1::Builder::new();
        builder.max_buf_size(HEADER_BYTES_MAX as usize);
        let (line, connection) = builder.handshake(io).await?;
        tokio::spawn(ended(connection));
        Ok(Self::One(line))
    }

    /// A request, whose URI is a path with a query, in the form in which it goes over this connection.
    pub(super) fn address(
        &self,
        authority: &Authority,
        request: Request<Bytes>,
    ) -> Result<Request<Full<Bytes>>, http::Error> {
        let (mut head, body) = request.into_parts();
        let name = HeaderValue::from_static(USER_AGENT);
        head.headers.insert(header::USER_AGENT, name);
        match self {
            Self::One(_) => {
                let host = HeaderValue::from_str(authority.as_str())?;
                head.headers.insert(header::HOST, host);
            }
            Self::Two(_) => {
                let path = head.uri.path_and_query().map_or("/", PathAndQuery::as_str);
                let whole = Uri::builder().scheme("https").authority(authority.as_str());
                head.uri = whole.path_and_query(path).build()?;
            }
        }
        Ok(Request::from_parts(head, Full::new(body)))
    }

    /// Sends a request and waits until the answer begins.
    pub(super) async fn send(&mut self, request: Request<Full<Bytes>>) -> hyper::Result<Response<Incoming>> {
        match self {
            Self::One(line) => {
                line.ready().await?;
                line.send_request(request).await
            }
            Self::Two(line) => {
                line.ready().await?;
                line.send_request(request).await
            }
        }
    }

    /// The same connection once more, if several requests can go over it at once.
    pub(super) fn shared(&self) -> Option<Self> {
        match self {
            Self::One(_) => None,
            Self::Two(line) => Some(Self::Two(line.clone())),
        }
    }

    /// Whether it is known to have ended.
    pub(super) fn is_closed(&self) -> bool {
        match self {
            Self::One(line) => line.is_closed(),
            Self::Two(line) => line.is_closed(),
        }
    }
}

fn two_builder() -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_AFTER)
        .keep_alive_timeout(PING_AFTER)
        .max_header_list_size(HEADER_BYTES_MAX)
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(2 * WINDOW_BYTES);
    builder
}

async fn ended(connection: impl Future<Output = hyper::Result<()>>) {
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection to another server broke");
    }
}
