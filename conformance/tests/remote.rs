//! Requests of the Workers host to other servers. spec: server-server-api §resolving-server-names, as far as `fetch` goes.
//!
//! To `workerd` all of the web is one server here, which reads of each request where it goes; TLS is tried by itself at the end.

// Helpers of tests fail like tests.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    dead_code,
    unreachable_pub
)]

mod drivers;
mod web;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use drivers::process::Process;
use drivers::workerd;
use selvage_conformance::http;
use serde_json::{Value, json};
use web::{Authority, Page, Web};

const MATRIX: &str = "/_matrix/test?a=b%2Fc";
const WELL_KNOWN: &str = "/.well-known/matrix/server";

struct Worker(Process);

impl Worker {
    /// One whose web is this.
    fn on(web: &Web) -> Self {
        let text =
            include_str!("workerd.capnp").replace(r#"text = "off""#, r#"text = "https://dns.test/query""#);
        let config = workerd::configuration("remote.capnp", &text);
        let internet = format!("--external-addr=internet={}", web.address);
        Self(Process::start(workerd::launch_with(&config, vec![internet], &[])))
    }

    fn send(&self, server: &str, timeout_ms: u64, body: &[u8]) -> Value {
        let server = URL_SAFE_NO_PAD.encode(server);
        let path = format!("/_conformance/exchange/{server}/{timeout_ms}");
        let sent = http::send(self.0.remote().0, "POST", &path, &[], body).expect("an answer");
        assert_eq!(sent.status, 200, "{}", String::from_utf8_lossy(&sent.body));
        serde_json::from_slice(&sent.body).expect("JSON")
    }

    fn get(&self, server: &str) -> Value {
        self.send(server, 20_000, b"")
    }

    fn error(&self, server: &str) -> String {
        let said = self.get(server);
        said["error"]
            .as_str()
            .unwrap_or_else(|| panic!("{server}: {said}"))
            .to_owned()
    }
}

fn fine() -> Value {
    json!({ "status": 200, "body": "{}" })
}

/// Steps 2, 3.2, 3.5 and 6.
#[test]
fn servers_are_found_by_their_names() {
    let web = Web::start(&[
        ("port.test:9001", MATRIX, Page::body("{}")),
        ("plain.test:8448", MATRIX, Page::body("{}")),
        (
            "delegates.test",
            WELL_KNOWN,
            Page::body(r#"{"m.server":"m.test:443"}"#),
        ),
        ("m.test", MATRIX, Page::body("{}")),
        ("moved.test", WELL_KNOWN, Page::redirect("https://w.test/x")),
        ("w.test", "/x", Page::body(r#"{"m.server":"n.test"}"#)),
        ("n.test:8448", MATRIX, Page::body("{}")),
    ]);
    let worker = Worker::on(&web);
    for server in ["port.test:9001", "plain.test", "delegates.test", "moved.test"] {
        assert_eq!(worker.get(server), fine(), "{server}");
    }
    assert_eq!(web.asked("port.test"), [""; 0]);
    assert_eq!(web.asked("plain.test"), [WELL_KNOWN]);
    assert_eq!(
        web.asked("dns.test"),
        ["plain.test", "n.test"]
            .iter()
            .flat_map(|name| {
                ["_matrix-fed._tcp", "_matrix._tcp"]
                    .map(|service| format!("/query?name={service}.{name}&type=SRV"))
            })
            .collect::<Vec<_>>()
    );
    assert_eq!(worker.get("delegates.test"), fine());
    assert_eq!(
        web.asked("delegates.test"),
        [WELL_KNOWN],
        "asked once, then known"
    );
}

#[test]
fn a_request_goes_out_as_it_is() {
    let web = Web::start(&[("port.test:9001", MATRIX, Page::body("{}"))]);
    assert_eq!(Worker::on(&web).send("port.test:9001", 20_000, b"[1]"), fine());
    let request = web.requests().pop().expect("a request");
    assert!(
        request.head.starts_with(&format!("PUT {MATRIX} HTTP/1.1\r\n")),
        "{}",
        request.head
    );
    assert!(
        request
            .head
            .to_lowercase()
            .contains("\r\nauthorization: x-matrix test\r\n"),
        "{}",
        request.head
    );
    assert_eq!(request.body, b"[1]");
}

/// Steps 1, 3.1, 3.3 and 4 lead where `fetch` cannot go: the answer says so, and nobody else is asked.
#[test]
fn what_fetch_cannot_reach_is_refused_at_once() {
    let srv = r#"{"Status":0,"Answer":[{"type":33,"TTL":60,"data":"0 0 443 elsewhere.test."}]}"#;
    let own = r#"{"Status":0,"Answer":[{"type":33,"TTL":60,"data":"0 0 443 own.test."}]}"#;
    let web = Web::start(&[
        (
            "dns.test",
            "/query?name=_matrix-fed._tcp.srv.test&type=SRV",
            Page::body(srv),
        ),
        (
            "dns.test",
            "/query?name=_matrix-fed._tcp.own.test&type=SRV",
            Page::body(own),
        ),
        ("own.test", MATRIX, Page::body("{}")),
        (
            "ip.test",
            WELL_KNOWN,
            Page::body(r#"{"m.server":"192.0.2.1:443"}"#),
        ),
    ]);
    let worker = Worker::on(&web);
    for server in [
        "127.0.0.1",
        "127.0.0.1:9001",
        "[::1]:9001",
        "2130706433",
        "127.1",
        "ip.test",
        "srv.test",
        "denied.test",
    ] {
        let error = worker.error(server);
        assert!(error.starts_with("Unsupported("), "{server}: {error}");
    }
    assert!(worker.error("srv.test").contains("elsewhere.test:443"));
    assert_eq!(worker.get("own.test"), fine(), "another port of its own host");
    let asked = web.requests();
    let asked = asked.iter().filter(|request| request.head.contains("/_matrix/"));
    assert_eq!(asked.count(), 1);
}

#[test]
fn redirects_of_requests_are_not_followed() {
    let web = Web::start(&[
        ("a.test:9001", MATRIX, Page::redirect("https://b.test:9001/")),
        ("b.test:9001", "/", Page::body("{}")),
    ]);
    assert_eq!(Worker::on(&web).get("a.test:9001")["status"], 302);
    assert_eq!(web.requests().len(), 1);
}

/// A delegation that loops, has no end, or goes by plain HTTP counts for nothing.
#[test]
fn delegations_have_an_end() {
    let web = Web::start(&[
        ("loop.test", WELL_KNOWN, Page::redirect(WELL_KNOWN)),
        ("endless.test", WELL_KNOWN, Page::Endless),
        ("http.test", WELL_KNOWN, Page::redirect("http://w.test/x")),
        ("loop.test:8448", MATRIX, Page::body("{}")),
        ("endless.test:8448", MATRIX, Page::body("{}")),
        ("http.test:8448", MATRIX, Page::body("{}")),
    ]);
    let worker = Worker::on(&web);
    for server in ["loop.test", "endless.test", "http.test"] {
        assert_eq!(worker.get(server), fine(), "{server}");
    }
    assert_eq!(web.asked("loop.test").len(), 6);
    assert_eq!(web.asked("w.test"), [""; 0]);
}

/// What is silent, trickles, or breaks off is given up.
#[test]
fn slow_answers_are_given_up() {
    let web = Web::start(&[
        ("silent.test:9001", MATRIX, Page::Silent),
        ("trickle.test:9001", MATRIX, Page::Trickle),
        ("half.test:9001", MATRIX, Page::Half),
    ]);
    let worker = Worker::on(&web);
    let silent = worker.send("silent.test:9001", 1_000, b"");
    assert!(
        silent["error"]
            .as_str()
            .is_some_and(|error| error.contains("did not answer in time")),
        "{silent}"
    );
    let trickle = worker.send("trickle.test:9001", 1_000, b"");
    assert_eq!(trickle["status"], 200, "{trickle}");
    assert!(
        trickle["broken"]
            .as_str()
            .is_some_and(|error| error.starts_with("Unreachable(")),
        "{trickle}"
    );
    let half = worker.send("half.test:9001", 1_000, b"");
    assert!(
        half["broken"]
            .as_str()
            .is_some_and(|error| error.starts_with("Unreachable(")),
        "{half}"
    );
}

#[test]
fn errors_of_servers_are_answers_and_those_of_the_way_are_not() {
    let web = Web::start(&[
        ("a.test:9001", MATRIX, Page::status(404)),
        ("b.test:9001", MATRIX, Page::status(526)),
    ]);
    let worker = Worker::on(&web);
    assert_eq!(worker.get("a.test:9001")["status"], 404);
    let error = worker.error("b.test:9001");
    assert!(
        error.starts_with("Unreachable(") && error.contains("certificate"),
        "{error}"
    );
}

/// Over real TLS: an authority is believed that the configuration names, for the right name alone.
#[test]
fn certificates_are_verified() {
    let (authority, trusted) = Authority::new();
    let (_, stranger) = Authority::new();
    let text = include_str!("workerd.capnp").replace(
        r#"external = (address = "127.0.0.1:9", http = ())"#,
        r#"network = (allow = ["private"], tlsOptions = (trustedCertificates = [embed "ca.pem"]))"#,
    );
    let bundle = workerd::conformance_bundle();
    std::fs::write(bundle.join("ca.pem"), &authority).expect("the authority");
    let config = workerd::configuration("tls.capnp", &text);
    let worker = Worker(Process::start(workerd::launch(&config, &[])));
    let right = trusted.server("localhost");
    assert_eq!(worker.get(&format!("localhost:{}", right.port())), fine());
    for wrong in [trusted.server("other.test"), stranger.server("localhost")] {
        let error = worker.error(&format!("localhost:{}", wrong.port()));
        assert!(error.starts_with("Unreachable("), "{error}");
    }
}
