//! Servers that speak with each other, over their real gateways and workflows.
#![allow(
    clippy::panic,
    clippy::indexing_slicing,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "tests"
)]

mod delivery;
mod gaps;
mod hostile;
mod invites;
mod join;

use selvage_network::{Client, Exchanged, Network};
use serde_json::json;

const A: &str = "a.test";
const B: &str = "b.test";
const C: &str = "c.test";

/// Alice on one server, Bob on another, Carol on a third.
struct Three {
    network: Network,
    alice: Client,
    bob: Client,
    carol: Client,
}

impl Three {
    fn new() -> Self {
        let network = Network::of(&[A, B, C]);
        Self {
            alice: network.user("alice", A),
            bob: network.user("bob", B),
            carol: network.user("carol", C),
            network,
        }
    }

    /// A room that Alice made, which anybody may join.
    fn public_room(&self, version: &str) -> String {
        self.alice
            .create_room(&json!({ "preset": "public_chat", "name": "Tea", "room_version": version }))
    }

    /// A room that all three are in.
    fn shared_room(&self) -> String {
        let room = self.public_room("11");
        self.bob.join(&room, &[A]).ok();
        self.carol.join(&room, &[A]).ok();
        room
    }

    fn everybody(&self) -> [&Client; 3] {
        [&self.alice, &self.bob, &self.carol]
    }
}

/// How many requests had this in their method and path.
fn count(exchanged: &[Exchanged], what: &str) -> usize {
    exchanged.iter().filter(|one| one.what.contains(what)).count()
}
