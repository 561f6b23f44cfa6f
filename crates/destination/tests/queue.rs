//! What waits for a server, and how sending it goes, over a real shard. spec: `server-server-api §transactions`
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail like tests"
)]

use selvage_protocol::Ask;
use selvage_protocol::delivery::{
    Alive, BeginDelivery, Delivered, NextDelivery, NextDeliveryReply, NotDelivered, PendingRoom, QueueEdu,
    QueueMessage, RoomNews, SentPart, Transaction,
};
use selvage_protocol::destination_key;
use selvage_sim::asks::raw;
use selvage_sim::{Layout, Server};
use serde_json::{Value, json};

const ROOM: &str = "!a:test";
/// As an operator may set it: a second at first, a day at the most.
const RETRY_MIN_MS: u64 = 1_000;
const RETRY_MAX_MS: u64 = 86_400_000;

struct Remote(Server);

impl Remote {
    fn new() -> Self {
        Self(Server::new("test", Layout::default(), 1))
    }

    fn ask<A: Ask>(&mut self, ask: A) -> A::Reply {
        self.0.ask(&destination_key("remote.test"), ask).unwrap()
    }

    fn news(&mut self, from: i64, pos: i64) {
        self.ask(RoomNews {
            room_id: ROOM.to_owned(),
            from,
            pos,
        });
    }

    fn edu(&mut self, key: &str, content: &Value) {
        self.ask(QueueEdu {
            key: key.to_owned(),
            kind: "m.typing".to_owned(),
            content: raw(content),
        });
    }

    fn message(&mut self, id: &str) {
        self.ask(QueueMessage {
            id: id.to_owned(),
            kind: "m.direct_to_device".to_owned(),
            content: raw(&json!({ "message_id": id })),
        });
    }

    /// Where the room stands, when it is to be gathered.
    fn gather(&mut self) -> Option<(i64, bool)> {
        match self.ask(NextDelivery {}) {
            NextDeliveryReply::Gather { rooms, catch_up } => {
                let after = rooms.first().map_or(0, |PendingRoom { after, .. }| *after);
                Some((after, catch_up))
            }
            NextDeliveryReply::Nothing => None,
            NextDeliveryReply::Repeat(transaction) => panic!("{transaction:?}"),
        }
    }

    fn begin(&mut self, part: Option<(i64, i64)>, has_events: bool) -> Option<Transaction> {
        let parts = part.map(|(after, up_to)| SentPart {
            room_id: ROOM.to_owned(),
            after,
            up_to,
        });
        self.ask(BeginDelivery {
            parts: parts.into_iter().collect(),
            has_events,
            catch_up: false,
        })
    }

    fn delivered(&mut self, transaction: &Transaction) {
        self.ask(Delivered {
            txn_id: transaction.txn_id.clone(),
        });
    }

    fn fail(&mut self) {
        self.ask(NotDelivered {
            retry_min_ms: RETRY_MIN_MS,
            retry_max_ms: RETRY_MAX_MS,
        });
    }

    /// How many workflows were started since the last call.
    fn started(&mut self) -> usize {
        self.0.take_started().len()
    }

    fn ring(&mut self) {
        for shard in self.0.shards() {
            self.0.ring(&shard);
        }
        self.0.settle();
    }
}

fn bodies(transaction: &Transaction) -> Vec<Value> {
    let edus = transaction.edus.iter();
    edus.map(|edu| serde_json::from_str::<Value>(edu.get()).unwrap()["content"].clone())
        .collect()
}

#[test]
fn news_that_comes_again_is_no_news() {
    let mut remote = Remote::new();
    remote.news(5, 6);
    assert_eq!(remote.started(), 1);
    remote.news(7, 7);
    assert_eq!(remote.started(), 0, "one delivers already");
    assert_eq!(remote.gather(), Some((4, false)));
    let transaction = remote.begin(Some((4, 7)), true).unwrap();
    remote.delivered(&transaction);
    assert_eq!(remote.gather(), None);
    remote.news(5, 6);
    remote.news(7, 7);
    assert_eq!(remote.gather(), None);
    remote.0.restart();
    remote.news(7, 7);
    assert_eq!(remote.gather(), None);
    remote.news(20, 20);
    assert_eq!(
        remote.gather(),
        Some((19, false)),
        "what came while the server was not in the room is left out"
    );
}

#[test]
fn what_comes_while_something_is_under_way_comes_next() {
    let mut remote = Remote::new();
    remote.news(1, 1);
    assert_eq!(remote.gather(), Some((0, false)));
    remote.news(2, 2);
    let transaction = remote.begin(Some((0, 1)), true).unwrap();
    remote.delivered(&transaction);
    assert_eq!(remote.gather(), Some((1, false)));
    remote.news(3, 3);
    assert!(remote.begin(Some((1, 1)), false).is_none(), "nothing was in it");
    assert_eq!(remote.gather(), Some((1, false)), "news came after it was read");
    assert!(remote.begin(Some((1, 1)), false).is_none());
    assert_eq!(remote.gather(), None);
}

#[test]
fn a_transaction_is_repeated_until_it_is_delivered() {
    let mut remote = Remote::new();
    remote.news(1, 1);
    remote.message("first");
    remote.edu("a", &json!({ "typing": true }));
    assert_eq!(remote.gather(), Some((0, false)));
    let transaction = remote.begin(Some((0, 1)), true).unwrap();
    assert_eq!(transaction.edus.len(), 2);
    remote.fail();
    remote.message("second");
    remote.0.restart();
    assert_eq!(remote.gather(), None, "the server is given a pause");
    remote.0.tick(2 * RETRY_MIN_MS);
    let NextDeliveryReply::Repeat(repeated) = remote.ask(NextDelivery {}) else {
        panic!("it is sent again")
    };
    assert_eq!(repeated.txn_id, transaction.txn_id);
    assert_eq!(
        (repeated.parts, bodies(&transaction)),
        (transaction.parts.clone(), bodies(&transaction))
    );
    remote.delivered(&transaction);
    assert_eq!(remote.gather(), Some((0, false)), "the second message waits");
    let next = remote.begin(None, false).unwrap();
    assert_eq!(bodies(&next), [json!({ "message_id": "second" })]);
    assert_ne!(next.txn_id, transaction.txn_id);
}

#[test]
fn messages_come_in_order_and_once() {
    let mut remote = Remote::new();
    for number in 0..120 {
        remote.message(&format!("{number:03}"));
    }
    remote.message("000");
    let mut got = Vec::new();
    while remote.gather().is_some() {
        let transaction = remote.begin(None, false).unwrap();
        assert!(transaction.edus.len() <= 100);
        got.extend(bodies(&transaction));
        remote.delivered(&transaction);
    }
    let expected: Vec<Value> = (0..120)
        .map(|number| json!({ "message_id": format!("{number:03}") }))
        .collect();
    assert_eq!(got, expected);
}

#[test]
fn the_last_edu_of_a_key_counts_and_none_waits_for_a_server_that_is_away() {
    let mut remote = Remote::new();
    remote.edu("a", &json!({ "typing": true }));
    remote.edu("a", &json!({ "typing": false }));
    assert_eq!(remote.started(), 1);
    remote.gather().unwrap();
    let transaction = remote.begin(None, false).unwrap();
    assert_eq!(bodies(&transaction), [json!({ "typing": false })]);
    remote.fail();
    remote.edu("b", &json!({ "typing": true }));
    remote.0.tick(RETRY_MAX_MS);
    remote.ring();
    assert_eq!(remote.gather(), None);
}

/// The pauses grow up to the longest and no further.
#[test]
fn a_server_that_does_not_answer_is_tried_more_and_more_seldom() {
    let mut remote = Remote::new();
    remote.news(1, 1);
    let mut tries = 0;
    for _ in 0..4 * 24 * 60 {
        if remote.started() > 0 {
            tries += 1;
            remote.fail();
        }
        remote.0.tick(60_000);
        remote.ring();
    }
    assert!((15..25).contains(&tries), "{tries} tries in four days");
}

#[test]
fn what_a_server_that_is_away_costs_does_not_grow() {
    let mut remote = Remote::new();
    remote.news(1, 1);
    remote.fail();
    remote.news(2, 2);
    let shard = remote.0.shard_of(&destination_key("remote.test"));
    remote.0.take_written(&shard);
    for pos in 3..100 {
        remote.news(pos, pos);
    }
    let written = remote.0.take_written(&shard);
    assert!(written.is_empty(), "{written:?}");
    remote.0.tick(2 * 3_600_000);
    assert_eq!(remote.gather(), Some((0, true)), "it catches up");
}

/// A message to a server that answers costs four rows there: two of the room, two of the transaction.
#[test]
fn a_delivery_writes_few_rows() {
    let mut remote = Remote::new();
    remote.news(1, 1);
    let shard = remote.0.shard_of(&destination_key("remote.test"));
    for pos in 1..20 {
        remote.0.take_written(&shard);
        remote.news(pos, pos);
        assert_eq!(remote.gather(), Some((pos - 1, false)));
        let transaction = remote.begin(Some((pos - 1, pos)), true).unwrap();
        remote.delivered(&transaction);
        assert_eq!(remote.gather(), None);
        let rows: u64 = remote.0.take_written(&shard).values().sum();
        assert!(rows <= 4, "{rows} rows");
    }
}

#[test]
fn a_sign_of_life_ends_a_long_pause() {
    let mut remote = Remote::new();
    remote.news(1, 1);
    for _ in 0..12 {
        remote.fail();
    }
    remote.started();
    remote.ask(Alive {});
    assert_eq!(remote.started(), 0, "it failed a moment ago");
    remote.0.tick(61_000);
    remote.ask(Alive {});
    assert_eq!(remote.started(), 1);
    assert!(remote.gather().is_some());
}
