//! Connections are used again.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::join_all;
use http::{Request, Response};
use http_body_util::Full;
use selvage_gateway::RemoteError;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::site::Behaviour;
use crate::world::{ONE, TIMEOUT_MS, TWO, World, ask, body, raw, reached, read};

#[tokio::test]
async fn one_connection_serves_many_requests() {
    for protocols in [ONE, TWO] {
        let world = World::new().await;
        world.dns.host("a.test", world.ip(1));
        let site = world
            .server((world.ip(1), 9001), "a.test", protocols, body("{}"))
            .await;
        let remotes = world.remotes();
        for _ in 0..5 {
            reached(&remotes, "a.test:9001").await;
        }
        assert_eq!(
            (site.connections(), site.requests().len()),
            (1, 5),
            "{protocols:?}"
        );
    }
}

/// Over HTTP/2 requests go side by side.
#[tokio::test]
async fn requests_share_a_connection() {
    let world = World::new().await;
    world.dns.host("a.test", world.ip(1));
    let site = world.matrix((world.ip(1), 9001), "a.test").await;
    let remotes = world.remotes();
    reached(&remotes, "a.test:9001").await;
    join_all((0..40).map(|_| reached(&remotes, "a.test:9001"))).await;
    assert_eq!((site.connections(), site.requests().len()), (1, 41));
}

/// Two servers at one address are two servers: nothing for one goes over a connection that was verified for the other.
#[tokio::test]
async fn connections_are_not_shared_by_servers() {
    let world = World::new().await;
    world.dns.host("a.test", world.ip(1));
    world.dns.host("b.test", world.ip(1));
    let site = world.matrix((world.ip(1), 9001), "a.test").await;
    let remotes = world.remotes();
    reached(&remotes, "a.test:9001").await;
    assert!(ask(&remotes, "b.test:9001").await.is_err());
    assert_eq!(site.requests().len(), 1);
}

/// An answer that nobody reads to its end does not come before the next one.
#[tokio::test]
async fn a_dropped_answer_ends_its_connection() {
    let world = World::new().await;
    world.dns.host("a.test", world.ip(1));
    let large = Behaviour::Http(Arc::new(|_| {
        Response::new(Full::new(Bytes::from(vec![b'x'; 1 << 20])))
    }));
    let site = world.server((world.ip(1), 9001), "a.test", ONE, large).await;
    let remotes = world.remotes();
    drop(ask(&remotes, "a.test:9001").await.unwrap());
    let (_, whole) = read(&remotes, "a.test:9001").await.unwrap();
    assert_eq!((whole.len(), site.connections()), (1 << 20, 2));
}

/// Answers one request a connection and closes it without saying so before.
fn closing() -> Behaviour {
    raw(|mut stream| async move {
        let _ = stream.read(&mut [0; 1024]).await;
        let _ = stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
            .await;
        let _ = stream.shutdown().await;
    })
}

/// A server may close a connection at any time; what was not answered goes out again.
#[tokio::test]
async fn a_connection_that_ended_is_replaced() {
    let world = World::new().await;
    world.dns.host("a.test", world.ip(1));
    let site = world.server((world.ip(1), 9001), "a.test", ONE, closing()).await;
    let remotes = world.remotes();
    for _ in 0..5 {
        reached(&remotes, "a.test:9001").await;
    }
    assert_eq!(site.connections(), 5);
}

/// Takes a second request on a connection and says nothing to it.
fn leaving() -> Behaviour {
    raw(|mut stream| async move {
        let _ = stream.read(&mut [0; 1024]).await;
        let _ = stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
            .await;
        let _ = stream.read(&mut [0; 1024]).await;
    })
}

/// What may have been done already is not done twice: a POST is not repeated, a PUT is.
#[tokio::test]
async fn only_what_may_come_twice_is_sent_twice() {
    for (method, connections) in [("PUT", 2), ("POST", 1)] {
        let world = World::new().await;
        world.dns.host("a.test", world.ip(1));
        let site = world.server((world.ip(1), 9001), "a.test", ONE, leaving()).await;
        let remotes = world.remotes();
        reached(&remotes, "a.test:9001").await;
        let request = Request::builder()
            .method(method)
            .uri("/x")
            .body(Bytes::from_static(b"{}"))
            .unwrap();
        let answer = remotes
            .exchange(&"a.test:9001".parse().unwrap(), request, TIMEOUT_MS)
            .await;
        assert_eq!(answer.is_ok(), method == "PUT");
        assert!(
            answer.is_ok() || matches!(answer, Err(RemoteError::Unreachable(_))),
            "{answer:?}"
        );
        assert_eq!(site.connections(), connections, "{method}");
    }
}
