//! Each step of server-server-api §resolving-server-names, in a world whose web sites and DNS are a table.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Response, Uri};
use selvage_object::Timestamp;

use super::*;
use crate::{FederationSettings, RemoteError, ServerPattern};

const NOW: Timestamp = Timestamp(1_767_225_600_000);
const HOUR_MS: u64 = 60 * 60 * 1_000;

/// What web sites and DNS say, and what they were asked.
#[derive(Default)]
struct World {
    sites: BTreeMap<&'static str, Site>,
    srv: BTreeMap<&'static str, Option<Vec<SrvRecord>>>,
    asked: Mutex<Vec<String>>,
}

#[derive(Clone, Copy)]
enum Site {
    Body(&'static str),
    Status(u16),
    Redirect(&'static str),
    Silent,
    Endless,
}

impl World {
    fn site(mut self, url: &'static str, site: Site) -> Self {
        self.sites.insert(url, site);
        self
    }

    fn well_known(self, body: &'static str) -> Self {
        self.site("https://a.org/.well-known/matrix/server", Site::Body(body))
    }

    fn srv(mut self, name: &'static str, port: u16, target: &str) -> Self {
        let record = SrvRecord {
            priority: 0,
            weight: 0,
            port,
            target: target.to_owned(),
        };
        self.srv.insert(name, Some(vec![record]));
        self
    }

    fn broken_srv(mut self, name: &'static str) -> Self {
        self.srv.insert(name, None);
        self
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    fn note(&self, what: String) {
        self.asked.lock().unwrap().push(what);
    }
}

impl Lookups for World {
    async fn get(&self, uri: &Uri) -> Result<Response<Bytes>, RemoteError> {
        self.note(uri.to_string());
        let answer = Response::builder();
        let answer = match self.sites.get(uri.to_string().as_str()) {
            Some(Site::Body(body)) => answer.body(Bytes::from_static(body.as_bytes())),
            Some(Site::Status(status)) => answer.status(*status).body(Bytes::new()),
            Some(Site::Redirect(to)) => answer.status(302).header("location", *to).body(Bytes::new()),
            Some(Site::Endless) => return Err(RemoteError::Misbehaved("too long".to_owned())),
            Some(Site::Silent) => return Err(RemoteError::Unreachable("silence".to_owned())),
            None => answer.status(404).body(Bytes::new()),
        };
        Ok(answer.unwrap())
    }

    async fn srv(&self, name: &str) -> Result<Vec<SrvRecord>, RemoteError> {
        self.note(name.to_owned());
        let broken = || RemoteError::Unreachable("SERVFAIL".to_owned());
        let records = self.srv.get(name).cloned().unwrap_or(Some(Vec::new()));
        records.ok_or_else(broken)
    }

    fn random(&self) -> [u8; 32] {
        [0; 32]
    }
}

/// Nothing here ever waits.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("something waits"),
    }
}

fn find(discovery: &Discovery, world: &World, server: &str, at: Timestamp) -> Result<Authority, RemoteError> {
    now(discovery.authority(world, &server.parse().unwrap(), at))
}

/// `Host` header, name of the certificate, and where to connect, with a fresh memory.
fn route(world: &World, server: &str) -> Result<(String, String, Vec<String>), RemoteError> {
    let authority = find(&Discovery::default(), world, server, NOW)?;
    let targets = now(authority.targets(world))?;
    let targets = targets.iter().map(ToString::to_string).collect();
    Ok((authority.to_string(), authority.host().to_string(), targets))
}

fn check(world: &World, server: &str, host_header: &str, certificate: &str, target: &str) {
    let expected = (
        host_header.to_owned(),
        certificate.to_owned(),
        vec![target.to_owned()],
    );
    assert_eq!(route(world, server), Ok(expected), "{server}");
}

/// Step 1: the address itself, with the port or 8448; nothing is looked up.
#[test]
fn ip_literals_are_where_they_say() {
    let world = World::default();
    check(&world, "192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.1:8448");
    check(
        &world,
        "192.0.2.1:99",
        "192.0.2.1:99",
        "192.0.2.1",
        "192.0.2.1:99",
    );
    check(
        &world,
        "[2001:db8::1]",
        "[2001:db8::1]",
        "2001:db8::1",
        "[2001:db8::1]:8448",
    );
    check(
        &world,
        "[2001:db8::1]:99",
        "[2001:db8::1]:99",
        "2001:db8::1",
        "[2001:db8::1]:99",
    );
    assert_eq!(world.asked(), [""; 0]);
}

/// Step 2: the name and the port; nothing is looked up but addresses.
#[test]
fn names_with_a_port_are_where_they_say() {
    let world = World::default().well_known(r#"{"m.server":"b.org"}"#);
    check(&world, "a.org:99", "a.org:99", "a.org", "a.org:99");
    check(&world, "A.org:443", "A.org:443", "a.org", "a.org:443");
    assert_eq!(world.asked(), [""; 0]);
}

/// Steps 3.1 and 3.2.
#[test]
fn delegation_to_an_address_or_a_port_needs_no_srv() {
    let delegations = [
        (
            r#"{"m.server":"192.0.2.1"}"#,
            "192.0.2.1",
            "192.0.2.1",
            "192.0.2.1:8448",
        ),
        (
            r#"{"m.server":"192.0.2.1:99"}"#,
            "192.0.2.1:99",
            "192.0.2.1",
            "192.0.2.1:99",
        ),
        (r#"{"m.server":"[::1]:99"}"#, "[::1]:99", "::1", "[::1]:99"),
        (
            r#"{"m.server":"b.org:443","x":1}"#,
            "b.org:443",
            "b.org",
            "b.org:443",
        ),
    ];
    for (body, host_header, certificate, target) in delegations {
        let world = World::default().well_known(body);
        check(&world, "a.org", host_header, certificate, target);
        assert_eq!(world.asked(), ["https://a.org/.well-known/matrix/server"]);
    }
}

/// Steps 3.3, 3.4 and 3.5. The delegate is not asked for a delegation of its own.
#[test]
fn delegation_to_a_name_goes_by_its_srv_records() {
    let delegated = || World::default().well_known(r#"{"m.server":"b.org"}"#);
    let both =
        delegated()
            .srv("_matrix-fed._tcp.b.org", 1, "new.org.")
            .srv("_matrix._tcp.b.org", 2, "old.org.");
    check(&both, "a.org", "b.org", "b.org", "new.org:1");
    let old = delegated().srv("_matrix._tcp.b.org", 2, "old.org.");
    check(&old, "a.org", "b.org", "b.org", "old.org:2");
    let none = delegated().srv("_matrix-fed._tcp.a.org", 1, "unasked.org.");
    check(&none, "a.org", "b.org", "b.org", "b.org:8448");
    let asked = none.asked();
    assert_eq!(asked[1..], ["_matrix-fed._tcp.b.org", "_matrix._tcp.b.org"]);
}

/// Steps 4, 5 and 6: the certificate must be for the server's own name, not for the one that DNS names.
#[test]
fn without_a_delegation_the_own_srv_records_count() {
    let both = World::default().srv("_matrix-fed._tcp.a.org", 1, "new.org.").srv(
        "_matrix._tcp.a.org",
        2,
        "old.org.",
    );
    check(&both, "a.org", "a.org", "a.org", "new.org:1");
    let old = World::default().srv("_matrix._tcp.a.org", 2, "old.org.");
    check(&old, "a.org", "a.org", "a.org", "old.org:2");
    check(&World::default(), "a.org", "a.org", "a.org", "a.org:8448");
    check(&World::default(), "A.org", "A.org", "a.org", "a.org:8448");
}

/// Step 3: an invalid answer is as good as none.
#[test]
fn delegations_that_make_no_sense_count_for_nothing() {
    let sites = [
        Site::Body(""),
        Site::Body("[]"),
        Site::Body("{}"),
        Site::Body(r#"{"m.server":7}"#),
        Site::Body(r#"{"m.server":""}"#),
        Site::Body(r#"{"m.server":"https://b.org"}"#),
        Site::Body(r#"{"m.server":"b.org/path"}"#),
        Site::Body(r#"{"m.server":"b.org:99999"}"#),
        Site::Body(r#"{"m.server":"b.org:0"}"#),
        Site::Body(r#"{"m.server":"127.1"}"#),
        Site::Status(204),
        Site::Status(403),
        Site::Status(500),
        Site::Redirect("http://a.org/x"),
        Site::Redirect(""),
        Site::Silent,
        Site::Endless,
    ];
    for site in sites {
        let world = World::default().site("https://a.org/.well-known/matrix/server", site);
        check(&world, "a.org", "a.org", "a.org", "a.org:8448");
    }
}

/// Step 3: redirects are followed, loops are not.
#[test]
fn redirects_are_followed_a_few_times() {
    let chain = |first| {
        World::default()
            .site("https://a.org/.well-known/matrix/server", Site::Redirect(first))
            .site("https://a.org/1", Site::Redirect("https://w.org/2"))
            .site("https://w.org/2", Site::Redirect("//w.org/3"))
            .site("https://w.org/3", Site::Redirect("4"))
            .site("https://w.org/4", Site::Redirect("/5"))
            .site("https://w.org/5", Site::Body(r#"{"m.server":"b.org:1"}"#))
            .site("https://a.org/0", Site::Redirect("/1"))
            .site("https://a.org/loop", Site::Redirect("/loop"))
    };
    check(&chain("/1"), "a.org", "b.org:1", "b.org", "b.org:1");
    check(&chain("/0"), "a.org", "a.org", "a.org", "a.org:8448");
    let looping = chain("/loop");
    check(&looping, "a.org", "a.org", "a.org", "a.org:8448");
    assert_eq!(
        looping
            .asked()
            .iter()
            .filter(|url| url.starts_with("https"))
            .count(),
        6
    );
}

/// Nobody knows where such a server is; a guess could be somebody else.
#[test]
fn srv_records_that_cannot_be_looked_up_are_an_error() {
    let world = World::default().broken_srv("_matrix-fed._tcp.a.org");
    assert!(matches!(route(&world, "a.org"), Err(RemoteError::Unreachable(_))));
    let absent = World::default().srv("_matrix-fed._tcp.a.org", 0, ".");
    assert!(matches!(
        route(&absent, "a.org"),
        Err(RemoteError::Unreachable(_))
    ));
}

/// Names that the grammar allows and that lead nowhere, or that some programs read as an address.
#[test]
fn names_that_lead_nowhere_are_refused() {
    let label = format!("{}.org", "a".repeat(64));
    for server in [
        "a.org:0",
        "a.org:65536",
        "a.org:99999",
        "a..org",
        ".a.org",
        "[:::]",
        "[1.2.3.4]",
        "127.1",
        "2130706433",
        "0x7f.1",
        "0x7f000001",
        "a.0xff",
        "256.256.256.256",
        "127.0.0.1.",
        label.as_str(),
    ] {
        let world = World::default();
        assert!(
            matches!(route(&world, server), Err(RemoteError::Unsupported(_))),
            "{server}"
        );
        assert_eq!(world.asked(), [""; 0], "{server}");
    }
}

#[test]
fn whom_the_operator_denies_is_not_even_looked_up() {
    let discovery = Discovery::new(FederationSettings {
        deny: vec![ServerPattern::parse("*.evil.org").unwrap()],
        ..FederationSettings::default()
    });
    let world = World::default();
    let refused = find(&discovery, &world, "x.evil.org", NOW);
    assert!(matches!(refused, Err(RemoteError::Unsupported(_))));
    assert_eq!(world.asked(), [""; 0]);
    assert!(find(&discovery, &world, "a.org", NOW).is_ok());
}

/// Step 3: answers are cached, a day when they do not say how long.
#[test]
fn a_delegation_is_asked_for_once_a_day() {
    let discovery = Discovery::default();
    let world = World::default().well_known(r#"{"m.server":"b.org:1"}"#);
    let asked_at = |hours: u64| {
        let found = find(&discovery, &world, "a.org", NOW.plus_ms(hours * HOUR_MS)).unwrap();
        assert_eq!(found.as_str(), "b.org:1");
        world.asked().len()
    };
    assert_eq!([0, 1, 23, 24, 47, 48].map(asked_at), [1, 0, 0, 1, 0, 1]);
    assert!(find(&discovery, &world, "A.ORG", NOW.plus_ms(49 * HOUR_MS)).is_ok());
    assert_eq!(world.asked(), [""; 0], "hosts have no case");
}

/// Step 3: errors are cached for an hour at most, and asked again less and less often.
#[test]
fn errors_are_remembered_for_a_while() {
    let discovery = Discovery::default();
    let world = World::default().site("https://a.org/.well-known/matrix/server", Site::Silent);
    let asked_at = |minutes: u64| {
        find(&discovery, &world, "a.org", NOW.plus_ms(minutes * 60_000)).unwrap();
        world.asked().len()
    };
    assert_eq!([0, 1, 2, 3, 5, 7, 8].map(asked_at), [1, 1, 0, 1, 0, 1, 0]);
    let (discovery, missing) = (Discovery::default(), World::default());
    let asked_at = |minutes: u64| {
        find(&discovery, &missing, "a.org", NOW.plus_ms(minutes * 60_000)).unwrap();
        missing.asked().len()
    };
    assert_eq!([0, 59, 60].map(asked_at), [1, 0, 1]);
}

/// An outage does not take a delegation back before it is 48 hours old; "there is none" does at once.
#[test]
fn a_delegation_outlives_an_outage() {
    let discovery = Discovery::default();
    let (up, down) = (
        World::default().well_known(r#"{"m.server":"b.org:1"}"#),
        World::default().site("https://a.org/.well-known/matrix/server", Site::Status(502)),
    );
    let found = |world: &World, hours: u64| {
        let authority = find(&discovery, world, "a.org", NOW.plus_ms(hours * HOUR_MS));
        authority.unwrap().to_string()
    };
    assert_eq!(found(&up, 0), "b.org:1");
    assert_eq!(found(&down, 25), "b.org:1");
    assert_eq!(found(&down, 47), "b.org:1");
    assert_eq!(found(&down, 48), "a.org");
    assert_eq!(found(&up, 50), "b.org:1");
    assert_eq!(found(&World::default(), 75), "a.org");
}

#[test]
fn what_is_known_has_an_end() {
    let discovery = Discovery::default();
    let world = World::default();
    for number in 0..10_050 {
        find(&discovery, &world, &format!("h{number}.org"), NOW.plus_ms(number)).unwrap();
    }
    assert_eq!(world.asked().len(), 10_050);
    let again = |server| {
        find(&discovery, &world, server, NOW.plus_ms(10_050)).unwrap();
        world.asked().len()
    };
    assert_eq!(again("h10049.org"), 0, "the newest is known");
    assert_eq!(again("h0.org"), 1, "the oldest is forgotten");
}
