//! The client against hyper's server.

use std::convert::Infallible;

use http_body_util::{BodyExt as _, Either, Full, StreamBody};
use hyper::{
    body::{Bytes, Frame, Incoming},
    header::{AUTHORIZATION, CONNECTION, HOST},
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{io::AsyncWriteExt as _, net::TcpListener};

use super::*;

/// More than one read, and more than one chunk.
const LARGE: usize = 300_000;

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

fn with_server<F: AsyncFnOnce(Address)>(test: F) {
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

#[test]
fn one_connection_carries_many_requests() {
    with_server(async |address| {
        let mut connection = Connection::open(&address).await.unwrap();
        let response = connection.call(&Request::get("/a?b=c", None)).await.unwrap();
        assert_eq!(
            (response.status, response.body),
            (200, &b"GET /a?b=c true None 0"[..])
        );
        let response = connection
            .call(&Request::put("/a", Some("t"), b"{\"a\":1}"))
            .await
            .unwrap();
        assert_eq!(response.body, b"PUT /a true Some(\"Bearer t\") 7");
        let response = connection
            .call(&Request::post("/teapot", None, b""))
            .await
            .unwrap();
        assert_eq!(
            (response.status, response.body),
            (418, &b"POST /teapot true None 0"[..])
        );
    });
}

#[test]
fn large_bodies_arrive_whole_by_length_and_by_chunks() {
    with_server(async |address| {
        let mut connection = Connection::open(&address).await.unwrap();
        for (path, byte) in [("/large", b'x'), ("/chunked", b'y'), ("/large", b'x')] {
            let response = connection.call(&Request::get(path, None)).await.unwrap();
            assert_eq!(response.body, vec![byte; LARGE]);
        }
    });
}

#[test]
fn a_connection_that_the_server_closes_is_opened_again() {
    with_server(async |address| {
        let mut connection = Connection::open(&address).await.unwrap();
        for _ in 0..3 {
            let response = connection.call(&Request::get("/close", None)).await.unwrap();
            assert_eq!(response.status, 200);
        }
    });
}

/// A server that answers every connection with `bytes` and closes it.
async fn check_refused(bytes: &'static [u8], expected: &str) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = Address::local(listener.local_addr().unwrap().port());
    let mut connection = Connection::open(&address).await.unwrap();
    let (mut stream, _) = listener.accept().await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream.shutdown().await.unwrap();
    let error = connection.call(&Request::get("/", None)).await.unwrap_err();
    assert_eq!(error.to_string(), expected);
}

#[test]
fn what_is_no_complete_response_is_an_error() {
    with_server(async |_| {
        check_refused(b"", "the server closed the connection").await;
        check_refused(b"HTTP/1.1 200 OK\r\n", "the server closed the connection").await;
        check_refused(
            b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc",
            "the server closed the connection",
        )
        .await;
        check_refused(
            b"nonsense\r\n\r\n",
            "a response that cannot be understood: its head",
        )
        .await;
        let long = b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nabc";
        check_refused(long, "a response that cannot be understood: bytes after its end").await;
    });
}

#[test]
fn nobody_listening_is_an_error() {
    with_server(async |_| {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = Address::local(listener.local_addr().unwrap().port());
        drop(listener);
        assert!(matches!(
            Connection::open(&address).await,
            Err(HttpError::Connect { .. })
        ));
    });
}
