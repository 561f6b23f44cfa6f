//! One connection: which protocol it speaks, and its end.

use std::time::Duration;

use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::listener::Stop;
use super::stall::Stalling;
use super::{Context, request};

/// How long a TLS handshake, or the first bytes of a connection, may take.
const OPENING_TIME_MAX: Duration = Duration::from_secs(10);
/// How long a request's head may take, and a connection may stay idle.
const HEAD_TIME_MAX: Duration = Duration::from_secs(60);
/// The most bytes of a request's head on HTTP/1.
const HEAD_MAX_BYTES: usize = 64 * 1_024;
/// The most bytes of a request's header fields on HTTP/2.
const HEADERS_MAX_BYTES: u32 = 64 * 1_024;
/// The most requests at once on one HTTP/2 connection.
const STREAMS_MAX: u32 = 256;
/// An HTTP/2 connection without traffic is asked so often whether it is alive, and has so long to say so.
const PING_EVERY: Duration = Duration::from_secs(20);
/// How often a client that has sent one byte is looked at again.
const PEEK_PAUSE: Duration = Duration::from_millis(20);

/// Drives a connection to its end; once the server stops, it takes no more requests and ends after those it has.
/// (A macro since hyper's two kinds of connection have the same methods and no trait.)
macro_rules! until_stop {
    ($connection:expr, $stop:expr) => {{
        let mut connection = std::pin::pin!($connection);
        let mut stopping = std::pin::pin!($stop.wait());
        match futures_util::future::select(connection.as_mut(), stopping.as_mut()).await {
            futures_util::future::Either::Left((ended, _)) => ended,
            futures_util::future::Either::Right(_) => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        }
    }};
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Http1,
    Http2,
}

/// Serves a connection to its end.
pub(crate) async fn serve(context: Context, stream: TcpStream, stop: Stop) {
    // Without this a small answer can wait for the client's acknowledgement of the one before.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    match context.tls.clone() {
        None => {
            let opening = timeout(OPENING_TIME_MAX, peek(&stream));
            // One that has said nothing yet need not be heard out when the server stops.
            let opened = tokio::select! {
                opened = opening => opened,
                () = stop.wait() => return,
            };
            if let Ok(Some(protocol)) = opened {
                speak(context, stream, protocol, stop).await;
            }
        }
        Some(tls) => match timeout(OPENING_TIME_MAX, tls.accept(stream)).await {
            Ok(Ok(stream)) => {
                let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                let protocol = if h2 { Protocol::Http2 } else { Protocol::Http1 };
                speak(context, stream, protocol, stop).await;
            }
            _ => context.metrics.handshakes_failed.add(1),
        },
    }
}

/// Which protocol a client without TLS begins with. `None` when it says nothing and leaves.
async fn peek(stream: &TcpStream) -> Option<Protocol> {
    /// HTTP/2 begins so, and no method of HTTP/1 that this server knows does.
    const HTTP2: &[u8; 2] = b"PR";
    let mut first = [0; HTTP2.len()];
    loop {
        match stream.peek(&mut first).await {
            Ok(2) if first == *HTTP2 => return Some(Protocol::Http2),
            Ok(2) => return Some(Protocol::Http1),
            Ok(1) => sleep(PEEK_PAUSE).await,
            _ => return None,
        }
    }
}

async fn speak<S>(context: Context, stream: S, protocol: Protocol, stop: Stop)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let io = TokioIo::new(Stalling::new(stream));
    let service = service_fn(move |request| request::answer(context.clone(), request));
    let ended = match protocol {
        Protocol::Http1 => {
            let mut http = http1::Builder::new();
            http.timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIME_MAX)
                .max_buf_size(HEAD_MAX_BYTES)
                .pipeline_flush(true);
            until_stop!(http.serve_connection(io, service), stop)
        }
        Protocol::Http2 => {
            let mut http = http2::Builder::new(TokioExecutor::new());
            http.timer(TokioTimer::new())
                .max_header_list_size(HEADERS_MAX_BYTES)
                .max_concurrent_streams(STREAMS_MAX)
                .keep_alive_interval(PING_EVERY)
                .keep_alive_timeout(PING_EVERY);
            until_stop!(http.serve_connection(io, service), stop)
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke off");
    }
}
