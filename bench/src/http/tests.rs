//! The client against hyper's server.

use tokio::{io::AsyncWriteExt as _, net::TcpListener};

use super::{
    testing::{LARGE, with_server},
    *,
};

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
