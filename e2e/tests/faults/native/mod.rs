//! The native host's faults.

mod data;
mod disk;
mod memory;
mod settings;
mod stop;

use selvage_e2e::api::Account;
use selvage_e2e::{Reply, Server};
use serde_json::{Value, json};

/// A room with one person in it who talks.
struct Talk {
    alice: Account,
    room_id: String,
    acknowledged: Vec<String>,
    next: usize,
}

impl Talk {
    fn new(server: &Server) -> Talk {
        let alice = server.api().register("alice");
        let room_id = alice.create_room(&json!({}));
        Talk {
            alice,
            room_id,
            acknowledged: Vec::new(),
            next: 0,
        }
    }

    /// Sends the next message, whose transaction id is the same until it was acknowledged.
    fn try_send(&mut self, padding: usize) -> Reply {
        let body = format!("{} {}", self.next, "x".repeat(padding));
        let content = json!({"msgtype": "m.text", "body": body});
        let reply = self
            .alice
            .send(&self.room_id, &format!("txn{}", self.next), &content);
        if reply.status == 200 {
            self.acknowledged.push(reply.string("/event_id"));
            self.next += 1;
        }
        reply
    }

    fn send(&mut self) {
        let reply = self.try_send(0);
        assert_eq!(reply.status, 200, "{reply}");
    }

    /// Asserts that the room has what was acknowledged, each once, in order, and nothing else.
    fn check(&self) {
        let history = self.alice.history(&self.room_id);
        let messages = history.iter().filter(|event| event["type"] == "m.room.message");
        let ids: Vec<&Value> = messages.map(|event| &event["event_id"]).collect();
        assert_eq!(ids, self.acknowledged.iter().collect::<Vec<_>>());
    }
}
