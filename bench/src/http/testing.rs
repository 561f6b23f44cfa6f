//! A hyper server to try the client, and what is built on it, against.

use std::convert::Infallible;

use http_body_util::{BodyExt as _, Either, Full, StreamBody};
use hyper::{
    body::{Bytes, Frame, Incoming},
    header::{AUTHORIZATION, CONNECTION, HOST},
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::Address;

/// More than one read, and more than one chunk.
pub(crate) const LARGE: usize = 300_000;

type Chunked = StreamBody<futures_util::stream::Iter<std::vec::IntoIter<Result<Frame<Bytes>, Infallible>>>>;

/// Answers with what it was asked.
async fn answer(
    request: hyper::Request<Incoming>,
) -> Result<hyper::Response<Either<Full<Bytes>, Chunked>>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let field = |name| {
        parts
            .headers
            .get(name)
            .map(|value| value.to_str().unwrap().to_owned())
    };
    let echo = format!(
        "{} {} {:?} {:?} {}",
        parts.method,
        parts.uri,
        field(HOST).is_some(),
        field(AUTHORIZATION),
        body.len()
    );
    let mut response = hyper::Response::new(Either::Left(Full::from(echo)));
    match parts.uri.path() {
        "/large" => *response.body_mut() = Either::Left(Full::from(vec![b'x'; LARGE])),
        "/chunked" => *response.body_mut() = Either::Right(chunked()),
        path if path.starts_with("/limited/") => {
            *response.status_mut() = hyper::StatusCode::TOO_MANY_REQUESTS
        }
        "/teapot" => *response.status_mut() = hyper::StatusCode::IM_A_TEAPOT,
        "/close" => drop(
            response
                .headers_mut()
                .insert(CONNECTION, "close".parse().unwrap()),
        ),
        _ => {}
    }
    Ok(response)
}

fn chunked() -> Chunked {
    let chunks: Vec<_> = (0..LARGE / 1_000)
        .map(|_| Ok(Frame::data(Bytes::from(vec![b'y'; 1_000]))))
        .collect();
    StreamBody::new(futures_util::stream::iter(chunks))
}

async fn serve(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        let service = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service_fn(answer));
        tokio::spawn(service);
    }
}

/// Runs `test` beside a server that answers with what it was asked; `/limited/…` with 429.
pub(crate) fn with_server<F: AsyncFnOnce(Address)>(test: F) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = Address::local(listener.local_addr().unwrap().port());
        tokio::spawn(serve(listener));
        test(address).await;
    });
}
