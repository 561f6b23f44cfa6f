//! Certificates are verified, for the right name.

use selvage::remote::Remotes;
use selvage::settings::Outgoing;
use selvage_gateway::FederationSettings;

use crate::world::{MATRIX, World, reached, unreachable};

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let world = World::new().await;
    world.dns.host("a.test", world.ip(1));
    let site = world.matrix((world.ip(1), 9001), "b.test").await;
    let why = unreachable(&world.remotes(), "a.test:9001").await;
    assert!(why.contains("certificate") && why.contains("a.test"), "{why}");
    assert_eq!(
        (site.connections(), site.requests().len()),
        (1, 0),
        "nothing is said to a stranger"
    );
}

/// A name that leads to an address does not stand for it, nor the other way round.
#[tokio::test]
async fn addresses_and_names_have_certificates_of_their_own() {
    let world = World::new().await;
    let ip = world.ip(1);
    world.dns.host("a.test", ip);
    world.matrix((ip, 9001), "a.test").await;
    world.matrix((ip, 9002), &ip.to_string()).await;
    let remotes = world.remotes();
    unreachable(&remotes, &format!("{ip}:9001")).await;
    unreachable(&remotes, "a.test:9002").await;
    reached(&remotes, "a.test:9001").await;
    reached(&remotes, &format!("{ip}:9002")).await;
}

/// DNS alone does not say who a server is: whoever forges SRV records needs the certificate of the name still.
#[tokio::test]
async fn srv_records_do_not_change_the_name() {
    let world = World::new().await;
    world.dns.srv("_matrix-fed._tcp.a.test", 0, 9001, "host.test.");
    world.dns.host("host.test", world.ip(1));
    let site = world.matrix((world.ip(1), 9001), "host.test").await;
    unreachable(&world.remotes(), "a.test").await;
    assert_eq!(site.requests(), [""; 0]);
}

/// A web site that is not what it says does not delegate.
#[tokio::test]
async fn a_delegation_needs_a_certificate_too() {
    let world = World::new().await;
    world.dns.host("a.test", world.ip(1));
    let thief = world
        .server(
            (world.ip(1), crate::world::HTTPS),
            "thief.test",
            crate::world::TWO,
            crate::world::body(r#"{"m.server":"thief.test:9001"}"#),
        )
        .await;
    let site = world.matrix((world.ip(1), MATRIX), "a.test").await;
    reached(&world.remotes(), "a.test").await;
    assert_eq!((thief.requests().len(), site.requests().len()), (0, 1));
}

#[tokio::test]
async fn an_authority_is_believed_when_the_operator_says_so() {
    let world = World::new().await;
    world.dns.host("a.test", world.ip(1));
    world.matrix((world.ip(1), 9001), "a.test").await;
    let outgoing = Outgoing {
        extra_ca: Vec::new(),
        ..world.outgoing()
    };
    let remotes = Remotes::new(&outgoing, FederationSettings::default()).unwrap();
    let why = unreachable(&remotes, "a.test:9001").await;
    assert!(why.contains("UnknownIssuer"), "{why}");
    reached(&world.remotes(), "a.test:9001").await;
}

#[tokio::test]
async fn keys_are_agreed_on_in_a_way_that_outlasts_quantum_computers() {
    let world = World::new().await;
    world.dns.host("a.test", world.ip(1));
    let site = world.matrix((world.ip(1), 9001), "a.test").await;
    reached(&world.remotes(), "a.test:9001").await;
    assert_eq!(*site.seen.key_exchanges.lock().unwrap(), ["X25519MLKEM768"]);
}
