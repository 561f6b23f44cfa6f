//! Servers that go down while messages are sent: nothing is missing afterwards, and nothing there twice.

use std::collections::BTreeSet;
use std::time::Duration;

use selvage_e2e::api::{Account, unique};
use selvage_e2e::federation::Homeserver;
use selvage_e2e::{Server, wait};
use serde_json::json;

use crate::room::{Shared, all_have};
use crate::watcher::bodies;

cases!(alone: the_hearing_server_goes_down, the_speaking_server_goes_down);

/// How many messages are sent while a server goes down and comes back.
const SAID: usize = 40;
/// How many of them have arrived when it goes down.
const BEFORE: usize = 5;
/// How long a client tries to send one message.
const SEND_LIMIT: Duration = Duration::from_secs(60);

/// How a server is made to go down.
type Down = fn(&mut Server);

fn kill(server: &mut Server) {
    server.kill9();
}

fn stop(server: &mut Server) {
    server.stop();
}

fn the_hearing_server_goes_down(near: &Homeserver, far: &Homeserver) {
    let room = Shared::new(near, far);
    for down in [kill as Down, stop] {
        outage(&room, far, down);
    }
}

fn the_speaking_server_goes_down(near: &Homeserver, far: &Homeserver) {
    let room = Shared::new(near, far);
    for down in [kill as Down, stop] {
        outage(&room, near, down);
    }
}

/// Alice speaks all the time, while this server goes down and comes back.
fn outage(room: &Shared, server: &Homeserver, down: Down) {
    let prefix = unique("outage");
    let said: BTreeSet<String> = (0..SAID).map(|number| format!("{prefix} {number}")).collect();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..SAID {
                insist(&room.alice, &room.room_id, &format!("{prefix} {number}"));
            }
        });
        let begun = wait::calmly(SEND_LIMIT, || {
            let heard = bodies(&room.bob.history(&room.room_id));
            (heard.iter().filter(|text| said.contains(*text)).count() >= BEFORE).then_some(())
        });
        assert!(begun.is_some(), "nothing arrives");
        server.with(move |server| {
            down(server);
            server.restart();
        });
    });
    // Servers that gave up on each other try again when there is something to send.
    room.alice.say(&room.room_id, &format!("{prefix} over")).ok();
    room.bob.say(&room.room_id, &format!("{prefix} heard")).ok();
    let mut all = said;
    all.extend(["over", "heard"].map(|text| format!("{prefix} {text}")));
    all_have(&room.room_id, &room.people(), &all);
    room.agree(|_| true);
}

/// Sends a message, again and again under the same transaction id until the server says that it has it.
/// spec: client-server-api §transaction-identifiers
fn insist(person: &Account, room_id: &str, text: &str) {
    let path = selvage_e2e::api::room_path(room_id, &format!("send/m.room.message/{}", unique("txn")));
    let body = json!({"msgtype": "m.text", "body": text});
    let sent = wait::calmly(SEND_LIMIT, || {
        let reply = person.request("PUT", &path).json(&body).try_send().ok()?;
        (reply.status == 200).then_some(())
    });
    assert!(sent.is_some(), "{text} could not be sent");
}
