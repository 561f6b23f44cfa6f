//! What servers of strangers try: to lead requests into this machine's own network, and to use up what it has.

use std::time::Duration;

use futures_util::TryStreamExt as _;
use selvage::remote::Remotes;
use selvage::settings::Outgoing;
use selvage_gateway::{FederationSettings, RemoteError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::sleep;

use crate::site::Behaviour;
use crate::world::{
    HTTPS, MATRIX, ONE, TWO, World, ask, body, raw, reached, read, redirect, request, unreachable,
};

/// A server that reaches public addresses only, and these of the world's.
fn guarded(world: &World, exceptions: &[u8]) -> Remotes {
    let outgoing = Outgoing {
        allow_private_addresses: false,
        exceptions: exceptions.iter().map(|host| world.ip(*host)).collect(),
        ..world.outgoing()
    };
    Remotes::new(&outgoing, FederationSettings::default()).unwrap()
}

#[tokio::test]
async fn names_do_not_lead_into_private_networks() {
    let world = World::new().await;
    let inside = world.matrix((world.ip(1), MATRIX), "inside.test").await;
    world.dns.host("inside.test", world.ip(1));
    let remotes = guarded(&world, &[]);
    let why = unreachable(&remotes, "inside.test").await;
    assert!(
        why.contains("a loopback address") && why.contains("--allow-private-addresses"),
        "{why}"
    );
    for (number, address) in [
        "10.0.0.1",
        "192.168.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "::1",
        "fd00::1",
        "::ffff:127.0.0.1",
    ]
    .iter()
    .enumerate()
    {
        let name = format!("private{number}.test");
        world.dns.host(&name, address.parse().unwrap());
        let why = unreachable(&remotes, &format!("{name}:9001")).await;
        assert!(why.contains("is refused"), "{address}: {why}");
    }
    assert_eq!(inside.connections(), 0);
}

#[tokio::test]
async fn addresses_do_not_lead_there_either() {
    let world = World::new().await;
    let remotes = guarded(&world, &[]);
    for server in [
        world.ip(1).to_string().as_str(),
        "10.0.0.1:22",
        "[::1]:9001",
        "[::ffff:127.0.0.1]",
        "127.1",
        "2130706433",
    ] {
        let refused = read(&remotes, server).await;
        assert!(
            matches!(refused, Err(RemoteError::Unsupported(_))),
            "{server}: {refused:?}"
        );
    }
}

/// Of a name with a public and a private address the public one alone is tried.
#[tokio::test]
async fn a_private_address_among_others_is_left_out() {
    let world = World::new().await;
    world.dns.host("a.test", world.ip(1));
    world.dns.host("a.test", world.ip(2));
    let inside = world.matrix((world.ip(1), 9001), "a.test").await;
    let outside = world.matrix((world.ip(2), 9001), "a.test").await;
    let remotes = guarded(&world, &[2]);
    for _ in 0..3 {
        reached(&remotes, "a.test:9001").await;
    }
    assert_eq!((inside.connections(), outside.connections()), (0, 1));
}

#[tokio::test]
async fn delegations_and_srv_records_do_not_lead_there() {
    let world = World::new().await;
    let inside = world.matrix((world.ip(1), 9001), "inside.test").await;
    world.dns.host("inside.test", world.ip(1));
    let _site = world.delegates(2, "a.test", "inside.test:9001").await;
    let _site = world
        .delegates(3, "b.test", &format!("{}:9001", world.ip(1)))
        .await;
    world.dns.srv("_matrix-fed._tcp.c.test", 0, 9001, "inside.test.");
    let remotes = guarded(&world, &[2, 3]);
    for server in ["a.test", "b.test", "c.test"] {
        assert!(ask(&remotes, server).await.is_err(), "{server}");
    }
    assert_eq!(inside.connections(), 0);
}

/// The address is judged at each step of the way, not the name at its beginning.
#[tokio::test]
async fn redirects_of_a_delegation_do_not_lead_there() {
    let world = World::new().await;
    let inside = world.delegates(1, "inside.test", "m.test:9001").await;
    world.dns.host("a.test", world.ip(2));
    let to = format!("https://inside.test:{HTTPS}/.well-known/matrix/server");
    let outside = world
        .server((world.ip(2), HTTPS), "a.test", TWO, redirect(&to))
        .await;
    let own = world.matrix((world.ip(2), MATRIX), "a.test").await;
    reached(&guarded(&world, &[2]), "a.test").await;
    assert_eq!(
        (outside.connections(), inside.connections(), own.connections()),
        (1, 0, 1)
    );
}

#[tokio::test]
async fn redirects_of_requests_are_not_followed() {
    let world = World::new().await;
    world.dns.host("a.test", world.ip(1));
    world.dns.host("b.test", world.ip(2));
    world
        .server(
            (world.ip(1), 9001),
            "a.test",
            TWO,
            redirect("https://b.test:9001/"),
        )
        .await;
    let other = world.matrix((world.ip(2), 9001), "b.test").await;
    let (status, _) = read(&world.remotes(), "a.test:9001").await.unwrap();
    assert_eq!((status, other.connections()), (302, 0));
}

#[tokio::test]
async fn a_delegation_that_redirects_for_ever_is_left() {
    let world = World::new().await;
    world.dns.host("a.test", world.ip(1));
    let looping = world
        .server((world.ip(1), HTTPS), "a.test", TWO, redirect("/again"))
        .await;
    world.matrix((world.ip(1), MATRIX), "a.test").await;
    reached(&world.remotes(), "a.test").await;
    assert_eq!(looping.requests().len(), 6);
}

#[tokio::test]
async fn a_delegation_without_end_is_left() {
    let world = World::new().await;
    world.dns.host("a.test", world.ip(1));
    let endless = raw(|mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
        while stream.write_all(&[b' '; 1024]).await.is_ok() {}
    });
    world.server((world.ip(1), HTTPS), "a.test", ONE, endless).await;
    world.matrix((world.ip(1), MATRIX), "a.test").await;
    reached(&world.remotes(), "a.test").await;
}

/// What is read of an answer is up to its reader; what was not read is not kept either.
#[tokio::test]
async fn an_answer_without_end_comes_in_pieces() {
    let world = World::new().await;
    world.dns.host("a.test", world.ip(1));
    let endless = raw(|mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
        while stream.write_all(&[b' '; 1024]).await.is_ok() {}
    });
    world.server((world.ip(1), 9001), "a.test", ONE, endless).await;
    let mut response = ask(&world.remotes(), "a.test:9001").await.unwrap();
    let mut bytes = 0;
    while bytes < 10 << 20 {
        let chunk = response.body.try_next().await.unwrap().unwrap();
        assert!(chunk.len() <= 1 << 20);
        bytes += chunk.len();
    }
}

/// A body is handed on as it came: there is nothing that could unpack a bomb.
#[tokio::test]
async fn nothing_is_decompressed() {
    let world = World::new().await;
    world.dns.host("a.test", world.ip(1));
    let packed = raw(|mut stream| async move {
        let _ = stream.read(&mut [0; 1024]).await;
        let _ = stream
            .write_all(
                b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\n\x1f\x8b\x08\x00",
            )
            .await;
    });
    world.server((world.ip(1), 9001), "a.test", ONE, packed).await;
    let (_, body) = read(&world.remotes(), "a.test:9001").await.unwrap();
    assert_eq!(body.as_ref(), b"\x1f\x8b\x08\x00");
}

#[tokio::test]
async fn headers_have_an_end() {
    let world = World::new().await;
    world.dns.host("a.test", world.ip(1));
    let long = raw(|mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nx: ").await;
        while stream.write_all(&[b'x'; 1024]).await.is_ok() {}
    });
    let many = raw(|mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n").await;
        while stream.write_all(b"x: y\r\n").await.is_ok() {}
    });
    world.server((world.ip(1), 9001), "a.test", ONE, long).await;
    world.server((world.ip(1), 9002), "a.test", ONE, many).await;
    let remotes = world.remotes();
    for server in ["a.test:9001", "a.test:9002"] {
        let refused = read(&remotes, server).await;
        assert!(matches!(refused, Err(RemoteError::Misbehaved(_))), "{refused:?}");
    }
}

#[tokio::test]
async fn what_is_no_http_is_an_error() {
    let world = World::new().await;
    world.dns.host("a.test", world.ip(1));
    let greeting = raw(|mut stream| async move {
        let _ = stream.write_all(b"220 mail.test ESMTP\r\n").await;
        let _ = stream.read(&mut [0; 1024]).await;
    });
    world.server((world.ip(1), 9001), "a.test", ONE, greeting).await;
    let refused = read(&world.remotes(), "a.test:9001").await;
    assert!(matches!(refused, Err(RemoteError::Misbehaved(_))), "{refused:?}");
}

/// Holds a connection and says nothing.
fn silent() -> Behaviour {
    raw(|stream| async move {
        sleep(Duration::from_secs(600)).await;
        drop(stream);
    })
}

async fn ask_briefly(remotes: &Remotes) -> Result<Vec<u8>, RemoteError> {
    let answer = remotes
        .exchange(&"a.test:9001".parse().unwrap(), request("/"), 1_000)
        .await?;
    let chunks: Vec<_> = answer.body.try_collect().await?;
    Ok(chunks.concat())
}

#[tokio::test]
async fn a_server_that_says_nothing_is_left() {
    let world = World::new().await;
    world.dns.host("a.test", world.ip(1));
    world.server((world.ip(1), 9001), "a.test", TWO, silent()).await;
    let Err(RemoteError::Unreachable(why)) = ask_briefly(&world.remotes()).await else {
        panic!("it was silent");
    };
    assert!(why.starts_with("a.test:9001 did not answer within"), "{why}");
}

/// Nor does one get far that says a little now and then.
#[tokio::test]
async fn a_server_that_trickles_is_left() {
    let world = World::new().await;
    world.dns.host("a.test", world.ip(1));
    let trickling = raw(|mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
        while stream.write_all(b"x").await.is_ok() {
            let _ = stream.flush().await;
            sleep(Duration::from_millis(100)).await;
        }
    });
    world.server((world.ip(1), 9001), "a.test", ONE, trickling).await;
    let ended = ask_briefly(&world.remotes()).await;
    assert!(matches!(ended, Err(RemoteError::Unreachable(_))), "{ended:?}");
}

#[tokio::test]
async fn half_an_answer_is_none() {
    let world = World::new().await;
    world.dns.host("a.test", world.ip(1));
    let half = raw(|mut stream| async move {
        let _ = stream.read(&mut [0; 1024]).await;
        let _ = stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{")
            .await;
        let _ = stream.shutdown().await;
    });
    world.server((world.ip(1), 9001), "a.test", ONE, half).await;
    let ended = ask_briefly(&world.remotes()).await;
    assert!(matches!(ended, Err(RemoteError::Unreachable(_))), "{ended:?}");
}

/// While a slow server holds all its places, others are reached.
#[tokio::test]
async fn a_slow_server_holds_up_nobody_else() {
    let world = World::new().await;
    world.dns.host("slow.test", world.ip(1));
    world.dns.host("a.test", world.ip(2));
    world
        .server((world.ip(1), 9001), "slow.test", ONE, silent())
        .await;
    world.server((world.ip(2), 9001), "a.test", ONE, body("{}")).await;
    let remotes = std::sync::Arc::new(world.remotes());
    for _ in 0..100 {
        let remotes = std::sync::Arc::clone(&remotes);
        tokio::spawn(async move { ask(&remotes, "slow.test:9001").await.map(|_| ()) });
    }
    tokio::task::yield_now().await;
    reached(&remotes, "a.test:9001").await;
}
