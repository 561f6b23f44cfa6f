//! Bounded sizes: what clients send cannot fill the memory.

use selvage_e2e::{Host, Server, raw};
use serde_json::json;

use super::Talk;

/// The most resident memory that these tests may lead to, in bytes; the server holds nothing near it of any request.
const RESIDENT_BYTES_MAX: u64 = 400 << 20;
/// One body, in bytes. All of them together are far over the limit.
const BODY_BYTES: usize = 64 << 20;

/// Ten large bodies at once, of announced and of unknown length, by somebody without an account and by a member.
#[test]
fn large_bodies_do_not_fill_the_memory() {
    let mut server = Server::start(Host::Native);
    let mut talk = Talk::new(&server);
    let token = talk.alice.token().expect("signed in").to_owned();
    let base_url = server.base_url();
    let send = selvage_e2e::api::room_path(&talk.room_id, "send/m.room.message/t");
    std::thread::scope(|scope| {
        for path in [
            "/_matrix/client/v3/login",
            "/_matrix/client/v3/register",
            "/_matrix/client/v3/createRoom",
            &send,
        ] {
            let method = if path == send { "PUT" } else { "POST" };
            let head = format!(
                "{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
                 Content-Length: {BODY_BYTES}\r\n\r\n"
            );
            for _ in 0..3 {
                let (base_url, head) = (base_url.clone(), head.clone());
                scope.spawn(move || {
                    let answer = raw::exchange(&base_url, &head, BODY_BYTES);
                    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
                });
            }
        }
    });
    talk.send();
    let peak = server.process().peak_resident_bytes();
    assert!(peak < RESIDENT_BYTES_MAX, "{peak} bytes were resident");
}

/// Headers without end, and thousands of connections that say nothing, are given up; others are served meanwhile.
#[test]
fn silent_connections_and_endless_headers_do_no_harm() {
    let mut server = Server::start(Host::Native);
    let mut talk = Talk::new(&server);
    let address = server.base_url().trim_start_matches("http://").to_owned();
    let silent: Vec<_> = (0..500)
        .filter_map(|_| std::net::TcpStream::connect(&address).ok())
        .collect();
    let head = format!(
        "GET /_matrix/client/versions HTTP/1.1\r\nHost: localhost\r\nX-Long: {}\r\n\r\n",
        "x".repeat(1 << 20)
    );
    let answer = raw::exchange(&server.base_url(), &head, 0);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    talk.send();
    talk.check();
    drop(silent);
    assert!(server.process().peak_resident_bytes() < RESIDENT_BYTES_MAX);
}

/// Rooms and messages by the thousand stay on disk.
#[test]
fn many_rooms_do_not_fill_the_memory() {
    let mut server = Server::start(Host::Native);
    let alice = server.api().register("alice");
    for number in 0..300 {
        let room_id = alice.create_room(&json!({}));
        alice.say(&room_id, &format!("in room {number}")).ok();
    }
    let sync = alice.sync("");
    assert_eq!(sync["rooms"]["join"].as_object().expect("rooms").len(), 300);
    assert!(server.process().peak_resident_bytes() < RESIDENT_BYTES_MAX);
}
