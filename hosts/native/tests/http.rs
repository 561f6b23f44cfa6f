//! HTTP/1.1, HTTP/2, TLS, figures, and clients that send garbage.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected fails"
)]

mod common;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use common::http::{PATIENCE, exchange, register, request};
use common::process::Server;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

const VERSIONS: &str = "/_matrix/client/versions";
/// How an HTTP/2 client begins: the preface and an empty SETTINGS frame.
const HTTP2_OPENING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
/// The type of a SETTINGS frame, at its place in the frame.
const SETTINGS: (usize, u8) = (3, 4);

fn data(name: &str) -> String {
    format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn server(arguments: &[&str]) -> (tempfile::TempDir, Server) {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start_with(directory.path(), arguments);
    (directory, server)
}

/// A server, and where its figures are.
fn server_with_figures() -> (tempfile::TempDir, Server, SocketAddr) {
    // Metrics are not announced, so the port has to be known.
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let listen = free.to_string();
    let (directory, server) = server(&["--listen", "127.0.0.1:0", "--metrics-listen", &listen]);
    (directory, server, free)
}

fn has_line(figures: SocketAddr, line: &str) -> bool {
    let answer = request(figures, "GET", "/metrics", None, "").unwrap();
    assert_eq!(answer.status, 200);
    answer.body.lines().any(|found| found == line)
}

fn connect(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

#[test]
fn requests_are_answered_on_every_listener() {
    let (_directory, server) = server(&["--listen", "127.0.0.1:0", "--listen", "127.0.0.1:0"]);
    assert_ne!(server.addresses[0], server.addresses[1]);
    for address in &server.addresses {
        let answer = request(*address, "GET", VERSIONS, None, "").unwrap();
        assert_eq!(answer.status, 200);
        assert!(answer.head.contains("x-request-id: "), "{}", answer.head);
    }
    server.stop();
}

#[test]
fn a_connection_carries_many_requests() {
    let (_directory, server) = server(&["--listen", "127.0.0.1:0"]);
    let one = format!("GET {VERSIONS} HTTP/1.1\r\nhost: localhost\r\n\r\n");
    let last = format!("GET {VERSIONS} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    let answers = exchange(server.address(), (one.repeat(9) + &last).as_bytes()).unwrap();
    let answers = String::from_utf8(answers).unwrap();
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 10);
    server.stop();
}

#[test]
fn http2_is_spoken_without_tls() {
    let (_directory, server) = server(&["--listen", "127.0.0.1:0"]);
    let mut stream = connect(server.address());
    // In two parts, the first of one byte.
    stream.write_all(&HTTP2_OPENING[..1]).unwrap();
    stream.write_all(&HTTP2_OPENING[1..]).unwrap();
    let mut frame = [0; 9];
    stream.read_exact(&mut frame).unwrap();
    assert_eq!(frame[SETTINGS.0], SETTINGS.1);
    server.stop();
}

#[test]
fn garbage_ends_its_own_connection_alone() {
    let (_directory, server) = server(&["--listen", "127.0.0.1:0"]);
    let long_header = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(1_000_000));
    let many_headers = format!("GET / HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(10_000));
    let cases: [&[u8]; 7] = [
        b"\0\0\0\0\0\0\0\0",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"NONSENSE\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nnot the rest of it, and some more so that it is long enough",
        long_header.as_bytes(),
        many_headers.as_bytes(),
    ];
    for bytes in cases {
        // An answer or a closed connection, as long as it is not a success.
        let answer = exchange(server.address(), bytes).unwrap_or_default();
        assert!(
            !answer.starts_with(b"HTTP/1.1 2"),
            "{:?}",
            String::from_utf8_lossy(&answer)
        );
    }
    assert_eq!(
        request(server.address(), "GET", VERSIONS, None, "")
            .unwrap()
            .status,
        200
    );
    server.stop();
}

#[test]
fn a_body_that_is_too_large_is_refused_unread() {
    let (_directory, server) = server(&["--listen", "127.0.0.1:0"]);
    for header in ["content-length: 99999999999", "transfer-encoding: chunked"] {
        let mut stream = connect(server.address());
        let head = format!("POST /_matrix/client/v3/login HTTP/1.1\r\nhost: localhost\r\n{header}\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
        // Writing fails once the server has closed.
        for _ in 0..1_000 {
            if header.starts_with("content") || stream.write_all(chunk.as_bytes()).is_err() {
                break;
            }
        }
        let mut answer = Vec::new();
        // The server may close while there is more to read for it, which resets the connection after its answer.
        drop(stream.read_to_end(&mut answer));
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(
            answer.is_empty() || answer.contains("M_TOO_LARGE"),
            "{header}: {answer}"
        );
        assert!(
            !header.starts_with("content") || answer.starts_with("HTTP/1.1 413"),
            "{answer}"
        );
    }
    register(server.address(), "alice").unwrap().unwrap();
    server.stop();
}

#[test]
fn figures_are_on_their_own_listener() {
    let (_directory, server, figures) = server_with_figures();
    register(server.address(), "alice").unwrap().unwrap();
    assert!(has_line(figures, "selvage_http_responses_total{class=\"2xx\"} 1"));
    assert_eq!(request(figures, "GET", "/", None, "").unwrap().status, 404);
    assert_eq!(
        request(server.address(), "GET", "/metrics", None, "")
            .unwrap()
            .status,
        404
    );
    server.stop();
}

#[test]
fn a_sync_that_waits_is_answered_when_the_server_stops() {
    let (_directory, server, figures) = server_with_figures();
    let address = server.address();
    let token = register(address, "alice").unwrap().unwrap();
    let sync = move |query: &str| {
        let path = format!("/_matrix/client/v3/sync?{query}");
        request(address, "GET", &path, Some(&token), "").unwrap()
    };
    let since = sync("timeout=0").json()["next_batch"]
        .as_str()
        .unwrap()
        .to_owned();
    let query = format!("since={since}&timeout=50000");
    let waiting = std::thread::spawn(move || sync(&query));
    while !has_line(figures, "selvage_watches 1") {
        std::thread::yield_now();
    }
    server.stop();
    let answer = waiting.join().unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    let sync = answer.json();
    assert_eq!(sync["next_batch"], since);
    assert_eq!(sync["rooms"]["join"], serde_json::json!({}));
}

#[test]
fn tls_prefers_hybrid_key_exchange_and_offers_both_protocols() {
    let (certificate, key) = (data("server.pem"), data("server.key"));
    let arguments = [
        "--listen-tls",
        "127.0.0.1:0",
        "--tls-cert",
        &certificate,
        "--tls-key",
        &key,
    ];
    let (_directory, server) = server(&arguments);
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(data("ca.pem")).unwrap())
        .unwrap();
    for protocol in ["h2", "http/1.1"] {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots.clone())
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        let name = ServerName::try_from("localhost").unwrap();
        let session = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut stream = StreamOwned::new(session, connect(server.address()));
        let mut begin = [0; 9];
        if protocol == "h2" {
            stream.write_all(HTTP2_OPENING).unwrap();
            stream.read_exact(&mut begin).unwrap();
            assert_eq!(begin[SETTINGS.0], SETTINGS.1);
        } else {
            let head = format!("GET {VERSIONS} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
            stream.write_all(head.as_bytes()).unwrap();
            stream.read_exact(&mut begin).unwrap();
            assert_eq!(&begin, b"HTTP/1.1 ");
        }
        assert_eq!(stream.conn.alpn_protocol(), Some(protocol.as_bytes()));
        let group = stream.conn.negotiated_key_exchange_group().unwrap().name();
        assert_eq!(group, rustls::NamedGroup::X25519MLKEM768);
    }
    assert!(
        exchange(server.address(), b"GET / HTTP/1.1\r\n\r\n")
            .map_or(true, |answer| !answer.starts_with(b"HTTP"))
    );
    server.stop();
}
