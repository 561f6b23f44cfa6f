//! The figures, on a listener of their own.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::Stop;
use crate::host::NativeHost;

/// How long a connection of whoever collects figures may last.
const CONNECTION_TIME_MAX: Duration = Duration::from_secs(30);

/// Serves `/metrics` until the server stops.
pub(crate) async fn serve(listener: TcpListener, host: NativeHost, stop: Stop) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.wait() => return,
        };
        let Ok((stream, _)) = accepted else { continue };
        let host = host.clone();
        tokio::spawn(timeout(CONNECTION_TIME_MAX, async move {
            let service = service_fn(|request| std::future::ready(answer(&host, &request)));
            let mut http = http1::Builder::new();
            http.timer(TokioTimer::new()).keep_alive(false);
            // Whoever collects figures comes again.
            drop(http.serve_connection(TokioIo::new(stream), service).await);
        }));
    }
}

fn answer(host: &NativeHost, request: &Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    if request.method() != Method::GET || request.uri().path() != "/metrics" {
        let mut response = Response::new(Full::default());
        *response.status_mut() = StatusCode::NOT_FOUND;
        return Ok(response);
    }
    let mut response = Response::new(Full::from(host.metrics_text()));
    let kind = HeaderValue::from_static("text/plain; version=0.0.4");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    Ok(response)
}
