//! Keys and transactions of a destination, over a real shard.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail like tests"
)]

use selvage_destination::{KEY_HELD_MS, KEYS_MAX, REFETCH_MIN_MS};
use selvage_protocol::Ask;
use selvage_protocol::destination::{
    BeginTransaction, BeginTransactionReply, EndTransaction, Fetch, HeldKey, KeyDocument, Keys, KeysFailed,
    KeysReply, StoreKeys,
};
use selvage_protocol::destination_key;
use selvage_sim::asks::{errcode, raw};
use selvage_sim::{Layout, Server};
use serde_json::json;

struct Remote(Server);

impl Remote {
    fn new() -> Self {
        Self(Server::new("test", Layout::default(), 1))
    }

    fn ask<A: Ask>(&mut self, ask: A) -> A::Reply {
        self.0.ask(&destination_key("remote.test"), ask).unwrap()
    }

    fn now(&self) -> i64 {
        i64::try_from(self.0.now().0).unwrap()
    }

    fn keys(&mut self, ids: &[&str], valid_at: Option<i64>) -> KeysReply {
        let key_ids = ids.iter().map(|id| (*id).to_owned()).collect();
        self.ask(Keys { key_ids, valid_at })
    }

    fn fetch(&mut self, ids: &[&str]) -> Fetch {
        let now = self.now();
        self.keys(ids, Some(now)).fetch
    }

    fn store(&mut self, keys: Vec<HeldKey>) -> Vec<String> {
        let document = raw(&json!({ "keys": keys.len() }));
        self.ask(StoreKeys { keys, document }).refused
    }

    fn begin(&mut self, txn_id: &str) -> BeginTransactionReply {
        self.ask(BeginTransaction {
            txn_id: txn_id.to_owned(),
        })
    }

    fn end(&mut self, txn_id: &str, answer: Option<serde_json::Value>) {
        self.ask(EndTransaction {
            txn_id: txn_id.to_owned(),
            answer: answer.as_ref().map(raw),
        });
    }
}

fn key(id: &str, public: &str, valid_until_ts: i64) -> HeldKey {
    HeldKey {
        key_id: id.to_owned(),
        public_key: public.to_owned(),
        valid_until_ts,
        expired: false,
    }
}

#[test]
fn one_fetches_and_others_wait() {
    let mut remote = Remote::new();
    assert_eq!(remote.fetch(&["ed25519:1"]), Fetch::Yours);
    let Fetch::Wait { version } = remote.fetch(&["ed25519:1"]) else {
        panic!("two fetch at once");
    };
    let later = remote.now() + 3_600_000;
    remote.store(vec![key("ed25519:1", "a", later)]);
    assert_eq!(remote.fetch(&["ed25519:1"]), Fetch::Nothing);
    let server = &mut remote.0;
    assert!(server.version(&destination_key("remote.test")) > version);
}

#[test]
fn keys_survive_and_are_asked_for_again_when_they_are_not_valid_long_enough() {
    let mut remote = Remote::new();
    let until = remote.now() + 3_600_000;
    remote.store(vec![key("ed25519:1", "a", until)]);
    remote.0.restart();
    remote.0.tick(REFETCH_MIN_MS + 1);
    assert_eq!(remote.keys(&["ed25519:1"], Some(until)).fetch, Fetch::Nothing);
    assert_eq!(remote.keys(&["ed25519:1"], None).keys.len(), 1);
    assert_eq!(remote.keys(&[], Some(until)).fetch, Fetch::Nothing);
    assert_eq!(remote.keys(&[], Some(until + 1)).fetch, Fetch::Yours);
    assert_eq!(remote.ask(KeyDocument {}).unwrap().get(), r#"{"keys":1}"#);
}

/// An attacker who signs with keys that do not exist does not make this server ask each time.
#[test]
fn unknown_keys_are_asked_for_once_in_a_while() {
    let mut remote = Remote::new();
    let until = remote.now() + 3_600_000;
    assert_eq!(remote.fetch(&["ed25519:1"]), Fetch::Yours);
    remote.store(vec![key("ed25519:1", "a", until)]);
    assert_eq!(remote.fetch(&["ed25519:forged"]), Fetch::Nothing);
    remote.0.tick(REFETCH_MIN_MS);
    assert_eq!(remote.fetch(&["ed25519:forged"]), Fetch::Yours);
}

#[test]
fn failures_put_off_the_next_fetch_longer_each_time_and_leave_no_rows() {
    let mut remote = Remote::new();
    for wait in [5_000, 10_000, 20_000] {
        assert_eq!(remote.fetch(&[]), Fetch::Yours);
        remote.ask(KeysFailed {});
        remote.0.tick(wait - 1);
        assert_eq!(remote.fetch(&[]), Fetch::Nothing);
        remote.0.tick(1);
    }
    let shard = remote.0.shard_of(&destination_key("remote.test"));
    let rows = remote.0.rows(&shard, "SELECT 1 FROM objects", &[]);
    assert_eq!(rows.len(), 0);
}

#[test]
fn a_fetch_that_never_ends_does_not_stop_others_for_ever() {
    let mut remote = Remote::new();
    assert_eq!(remote.fetch(&[]), Fetch::Yours);
    remote.0.tick(39_999);
    assert!(matches!(remote.fetch(&[]), Fetch::Wait { .. }));
    remote.0.tick(1);
    assert_eq!(remote.fetch(&[]), Fetch::Yours);
}

#[test]
fn a_key_is_not_replaced_by_another_of_its_id() {
    let mut remote = Remote::new();
    let until = remote.now() + 1_000;
    assert!(remote.store(vec![key("ed25519:1", "a", until)]).is_empty());
    remote.0.tick(KEY_HELD_MS);
    let refused = remote.store(vec![key("ed25519:1", "b", until), key("ed25519:2", "c", until)]);
    assert_eq!(refused, ["ed25519:1"]);
    assert_eq!(remote.keys(&[], None).keys[0].public_key, "a");
    remote.0.tick(1);
    assert!(remote.store(vec![key("ed25519:1", "b", until)]).is_empty());
    assert_eq!(remote.keys(&[], None).keys[0].public_key, "b");
}

#[test]
fn keys_that_became_old_are_for_events_of_their_time() {
    let mut remote = Remote::new();
    let now = remote.now();
    remote.store(vec![key("ed25519:1", "a", now + 1_000)]);
    let old = HeldKey {
        expired: true,
        ..key("ed25519:1", "a", now - 1)
    };
    remote.store(vec![old.clone()]);
    remote.0.tick(REFETCH_MIN_MS);
    assert_eq!(remote.keys(&["ed25519:1"], Some(now - 1)).fetch, Fetch::Nothing);
    assert_eq!(remote.keys(&["ed25519:1"], Some(now)).fetch, Fetch::Yours);
    assert!(matches!(
        remote.keys(&[], Some(now - 1)).fetch,
        Fetch::Wait { .. }
    ));
    assert_eq!(remote.keys(&[], None).keys, [old]);
}

#[test]
fn a_server_has_so_many_keys_and_no_more() {
    let mut remote = Remote::new();
    let until = remote.now() + 1_000;
    let all = (0..=KEYS_MAX).map(|at| key(&format!("ed25519:{at}"), "a", until));
    assert_eq!(remote.store(all.collect()), [format!("ed25519:{KEYS_MAX}")]);
    assert_eq!(remote.keys(&[], None).keys.len(), KEYS_MAX);
    assert!(remote.store(vec![key("ed25519:0", "a", until)]).is_empty());
}

/// spec: `server-server-api §transactions`
#[test]
fn a_transaction_is_taken_in_once_and_answered_alike() {
    let mut remote = Remote::new();
    assert!(matches!(remote.begin("1"), BeginTransactionReply::Begun));
    for other in ["1", "2"] {
        assert!(matches!(remote.begin(other), BeginTransactionReply::Busy { .. }));
    }
    remote.end("1", Some(json!({ "pdus": {} })));
    remote.0.restart();
    let BeginTransactionReply::Answered(answer) = remote.begin("1") else {
        panic!("forgotten");
    };
    assert_eq!(answer.get(), r#"{"pdus":{}}"#);
    assert!(matches!(remote.begin("2"), BeginTransactionReply::Begun));
    remote.end("2", None);
    assert!(matches!(remote.begin("2"), BeginTransactionReply::Begun));
    remote.0.tick(120_000);
    assert!(matches!(remote.begin("3"), BeginTransactionReply::Begun));
}

#[test]
fn the_last_transactions_are_remembered() {
    let mut remote = Remote::new();
    for txn in 0..40 {
        remote.begin(&txn.to_string());
        remote.end(&txn.to_string(), Some(json!(txn)));
    }
    for txn in 24..40 {
        assert!(matches!(
            remote.begin(&txn.to_string()),
            BeginTransactionReply::Answered(_)
        ));
    }
    assert!(matches!(remote.begin("23"), BeginTransactionReply::Begun));
    let shard = remote.0.shard_of(&destination_key("remote.test"));
    assert_eq!(
        remote
            .0
            .rows(&shard, "SELECT 1 FROM destination_incoming", &[])
            .len(),
        16
    );
    let long = BeginTransaction {
        txn_id: "x".repeat(256),
    };
    assert_eq!(
        errcode(remote.0.ask(&destination_key("remote.test"), long)),
        "M_INVALID_PARAM"
    );
}
