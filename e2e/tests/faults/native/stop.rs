//! Being asked to stop.

use std::sync::atomic::{AtomicBool, Ordering};

use selvage_e2e::{Host, Server};
use serde_json::json;

use super::Talk;

/// SIGTERM ends it with success while clients wait and send, and loses nothing that it acknowledged.
#[test]
fn sigterm_stops_cleanly_with_requests_in_flight() {
    let mut server = Server::start(Host::Native);
    let mut talk = Talk::new(&server);
    talk.send();
    let since = talk.alice.sync("")["next_batch"]
        .as_str()
        .expect("a token")
        .to_owned();
    let stopping = AtomicBool::new(false);
    let sent: Vec<String> = std::thread::scope(|scope| {
        let waiting = || {
            talk.alice
                .request(
                    "GET",
                    &format!("/_matrix/client/v3/sync?timeout=30000&since={since}"),
                )
                .try_send()
        };
        scope.spawn(waiting);
        let sender = scope.spawn(|| send_until_stopped(&talk, &stopping));
        std::thread::sleep(std::time::Duration::from_millis(500));
        let status = server.stop();
        stopping.store(true, Ordering::Relaxed);
        assert_eq!(status.code(), Some(0), "{}", server.logs());
        sender.join().expect("the sender")
    });
    assert!(!sent.is_empty(), "messages were sent meanwhile");
    server.restart();
    let stored = talk.alice.history(&talk.room_id);
    for event_id in sent {
        assert_eq!(
            stored
                .iter()
                .filter(|event| event["event_id"] == event_id.as_str())
                .count(),
            1,
            "{event_id}"
        );
    }
}

fn send_until_stopped(talk: &Talk, stopping: &AtomicBool) -> Vec<String> {
    let mut acknowledged = Vec::new();
    while !stopping.load(Ordering::Relaxed) {
        let path = selvage_e2e::api::room_path(
            &talk.room_id,
            &format!("send/m.room.message/s{}", acknowledged.len()),
        );
        let content = json!({"msgtype": "m.text", "body": "on the way"});
        match talk.alice.request("PUT", &path).json(&content).try_send() {
            Ok(reply) if reply.status == 200 => acknowledged.push(reply.string("/event_id")),
            _ => break,
        }
    }
    acknowledged
}

#[test]
fn sigterm_before_any_request_stops_cleanly() {
    let mut server = Server::start(Host::Native);
    assert_eq!(server.stop().code(), Some(0), "{}", server.logs());
}
