//! Servers are found by their names. spec: server-server-api §resolving-server-names.

use selvage::remote::Remotes;
use selvage_gateway::{FederationSettings, RemoteError, ServerPattern};

use crate::world::{HTTPS, MATRIX, ONE, TWO, World, body, reached, read, redirect, unreachable};

const PATH: &str = "/_matrix/key/v2/server";

/// Step 1.
#[tokio::test]
async fn by_an_address() {
    let world = World::new().await;
    let ip = world.ip(1);
    let with_port = world.matrix((ip, 9001), &ip.to_string()).await;
    let without = world.matrix((ip, MATRIX), &ip.to_string()).await;
    let remotes = world.remotes();
    reached(&remotes, &format!("{ip}:9001")).await;
    reached(&remotes, &ip.to_string()).await;
    assert_eq!(with_port.requests(), [format!("GET {ip}:9001 {PATH} HTTP/2.0")]);
    assert_eq!(without.requests(), [format!("GET {ip} {PATH} HTTP/2.0")]);
}

/// Step 1, for IPv6.
#[tokio::test]
async fn by_an_address_of_ipv6() {
    // There are machines without IPv6.
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        return;
    }
    let world = World::new().await;
    let site = world
        .server(("::1".parse().unwrap(), 0), "::1", ONE, body("{}"))
        .await;
    let name = format!("[::1]:{}", site.address.port());
    reached(&world.remotes(), &name).await;
    assert_eq!(site.requests(), [format!("GET {name} {PATH} HTTP/1.1")]);
}

/// Step 2.
#[tokio::test]
async fn by_a_name_with_a_port() {
    let world = World::new().await;
    world.dns.host("a.test", world.ip(1));
    let site = world.matrix((world.ip(1), 9001), "a.test").await;
    reached(&world.remotes(), "a.test:9001").await;
    assert_eq!(site.requests(), [format!("GET a.test:9001 {PATH} HTTP/2.0")]);
}

/// Step 3.2, and redirects on the way.
#[tokio::test]
async fn by_a_delegation_to_a_port() {
    let world = World::new().await;
    world.dns.host("a.test", world.ip(1));
    let first = redirect(&format!("https://w.test:{HTTPS}/elsewhere"));
    let first = world.server((world.ip(1), HTTPS), "a.test", ONE, first).await;
    let second = world.delegates(2, "w.test", "m.test:9001").await;
    world.dns.host("m.test", world.ip(3));
    let site = world.matrix((world.ip(3), 9001), "m.test").await;
    let remotes = world.remotes();
    reached(&remotes, "a.test").await;
    reached(&remotes, "a.test").await;
    assert_eq!(
        first.requests(),
        ["GET a.test /.well-known/matrix/server HTTP/1.1"],
        "asked once, then known"
    );
    assert_eq!(
        second.requests(),
        [format!("GET w.test:{HTTPS} /elsewhere HTTP/2.0")]
    );
    assert_eq!(
        site.requests(),
        vec![format!("GET m.test:9001 {PATH} HTTP/2.0"); 2]
    );
}

/// Step 3.1: the certificate is for the address.
#[tokio::test]
async fn by_a_delegation_to_an_address() {
    let world = World::new().await;
    let ip = world.ip(2);
    world.delegates(1, "a.test", &ip.to_string()).await;
    let site = world.matrix((ip, MATRIX), &ip.to_string()).await;
    reached(&world.remotes(), "a.test").await;
    assert_eq!(site.requests(), [format!("GET {ip} {PATH} HTTP/2.0")]);
}

/// Step 3.3: the certificate is for the delegate, not for the host that DNS names.
#[tokio::test]
async fn by_a_delegation_and_srv_records() {
    let world = World::new().await;
    world.delegates(1, "a.test", "m.test").await;
    world.dns.srv("_matrix-fed._tcp.m.test", 0, 9001, "host.test.");
    world.dns.host("host.test", world.ip(2));
    let site = world.matrix((world.ip(2), 9001), "m.test").await;
    reached(&world.remotes(), "a.test").await;
    assert_eq!(site.requests(), [format!("GET m.test {PATH} HTTP/2.0")]);
}

/// Step 4, with a target that is down before the one that is up.
#[tokio::test]
async fn by_srv_records() {
    let world = World::new().await;
    world.dns.srv("_matrix-fed._tcp.a.test", 0, 9009, "down.test.");
    world.dns.srv("_matrix-fed._tcp.a.test", 5, 9001, "up.test.");
    world.dns.host("down.test", world.ip(9));
    world.dns.host("up.test", world.ip(2));
    let site = world.matrix((world.ip(2), 9001), "a.test").await;
    reached(&world.remotes(), "a.test").await;
    assert_eq!(site.requests(), [format!("GET a.test {PATH} HTTP/2.0")]);
}

/// Step 5, deprecated.
#[tokio::test]
async fn by_srv_records_of_the_old_name() {
    let world = World::new().await;
    world.dns.srv("_matrix._tcp.a.test", 0, 9001, "host.test.");
    world.dns.host("host.test", world.ip(2));
    world.matrix((world.ip(2), 9001), "a.test").await;
    reached(&world.remotes(), "a.test").await;
}

/// Step 6.
#[tokio::test]
async fn by_a_name_alone() {
    let world = World::new().await;
    world.dns.host("a.test", world.ip(1));
    let site = world
        .server((world.ip(1), MATRIX), "a.test", TWO, body("{}"))
        .await;
    reached(&world.remotes(), "a.test").await;
    assert_eq!(site.requests(), [format!("GET a.test {PATH} HTTP/2.0")]);
}

/// Of several addresses one is enough.
#[tokio::test]
async fn by_the_address_that_answers() {
    let world = World::new().await;
    for host in [7, 8, 1] {
        world.dns.host("a.test", world.ip(host));
    }
    world.matrix((world.ip(1), 9001), "a.test").await;
    reached(&world.remotes(), "a.test:9001").await;
}

#[tokio::test]
async fn who_is_nowhere_is_named() {
    let world = World::new().await;
    world.dns.host("down.test", world.ip(1));
    world.dns.break_down("_matrix-fed._tcp.broken.test");
    let remotes = world.remotes();
    let why = unreachable(&remotes, "nobody.test").await;
    assert!(why.starts_with("nobody.test has no address in DNS"), "{why}");
    let why = unreachable(&remotes, "down.test:9009").await;
    assert!(
        why.starts_with("down.test:9009: ") && why.contains("refused"),
        "{why}"
    );
    let why = unreachable(&remotes, "broken.test").await;
    assert!(
        why.contains("SRV records of _matrix-fed._tcp.broken.test"),
        "{why}"
    );
}

#[tokio::test]
async fn whom_the_operator_denies_is_not_asked() {
    let world = World::new().await;
    world.dns.host("evil.test", world.ip(1));
    let site = world.matrix((world.ip(1), 9001), "evil.test").await;
    let federation = FederationSettings {
        deny: vec![ServerPattern::parse("evil.*").unwrap()],
        ..FederationSettings::default()
    };
    let remotes = Remotes::new(&world.outgoing(), federation).unwrap();
    let refused = read(&remotes, "evil.test:9001").await;
    assert!(matches!(refused, Err(RemoteError::Unsupported(_))), "{refused:?}");
    assert_eq!(site.connections(), 0);
}
