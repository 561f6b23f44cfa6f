//! spec: `server-server-api §retrieving-server-keys`

use selvage_event::PublicKey;
use selvage_event::canonical::to_canonical;
use serde_json::{Value, json};

use super::peer::{HOUR_MS, Peer, document, key, signed};
use crate::client::Client;
use crate::house::SERVER;

const PATH: &str = "/_matrix/federation/v1/publicRooms";

fn is_signed_by(document: &Value, server: &str, key_id: &str, public: &str) -> bool {
    let mut covered = document.as_object().unwrap().clone();
    let signatures = covered.remove("signatures").unwrap();
    let text = to_canonical(&covered).unwrap();
    let signature = signatures[server][key_id].as_str().unwrap_or_default();
    PublicKey::from_base64(public, 0)
        .unwrap()
        .verifies(text.as_bytes(), signature)
}

#[test]
fn this_servers_key_is_published_and_signed() {
    let client = Client::new();
    let document = client.send("GET", "/_matrix/key/v2/server", "").ok();
    assert_eq!(document["server_name"], SERVER);
    let public = document["verify_keys"]["ed25519:1"]["key"].as_str().unwrap();
    assert!(is_signed_by(&document, SERVER, "ed25519:1", public));
    assert_eq!(document["old_verify_keys"], json!({}));
    use selvage_gateway::Host as _;
    assert_eq!(document["valid_until_ts"], client.house().now().0 + 24 * HOUR_MS);
}

/// spec: `server-server-api §publishing-keys`: what was signed with a key of before stays signed.
#[test]
fn the_keys_of_before_are_published() {
    use futures_util::FutureExt as _;
    use selvage_protocol::server::{Identity, RotateKey};
    let client = Client::new();
    let workflows = client.gateway.workflows();
    let identity = || {
        let ask = Identity {
            server_name: SERVER.to_owned(),
        };
        let asked = workflows.ask(selvage_protocol::server_key(), ask);
        asked.now_or_never().unwrap().unwrap().key_id
    };
    let first = identity();
    let rotate = workflows.ask(selvage_protocol::server_key(), RotateKey {});
    rotate.now_or_never().unwrap().unwrap();
    assert_ne!(identity(), first);
    let document = client.send("GET", "/_matrix/key/v2/server", "").ok();
    let old = &document["old_verify_keys"][&first];
    use selvage_gateway::Host as _;
    assert_eq!(old["expired_ts"], client.house().now().0);
    assert_eq!(old["key"].as_str().unwrap().len(), 43);
}

/// B1, B2: a document that does not prove itself is not believed.
#[test]
fn documents_that_do_not_prove_themselves_are_not_believed() {
    let now = Peer::new(&Client::new(), "peer.test").now();
    let (own, other) = (key(1), key(2));
    let good = document("peer.test", &[&own], now + HOUR_MS);
    let unsigned = {
        let mut document = good.clone();
        document.as_object_mut().unwrap().remove("signatures");
        document
    };
    let changed = {
        let mut document = good.clone();
        document["valid_until_ts"] = json!(now + 2 * HOUR_MS);
        document
    };
    let listed_alone = {
        let mut both = document("peer.test", &[&own, &other], now + HOUR_MS);
        both.as_object_mut().unwrap().remove("signatures");
        signed(both, "peer.test", &[&own])
    };
    let short = {
        let mut document = good.clone();
        document["verify_keys"] = json!({ "ed25519:k1": { "key": "AAAA" } });
        signed(document, "peer.test", &[&own])
    };
    let odd_id = {
        let mut document = good.clone();
        document["verify_keys"] = json!({ "ed25519:not ok": { "key": own.public_key_base64() } });
        signed(document, "peer.test", &[&own])
    };
    let cases = [
        ("unsigned", unsigned),
        ("changed after it was signed", changed),
        ("another server's", document("other.test", &[&own], now + HOUR_MS)),
        ("expired", document("peer.test", &[&own], now - 1)),
        ("one key did not sign", listed_alone),
        ("a key of another length", short),
        ("a malformed key id", odd_id),
        (
            "no keys",
            signed(
                json!({ "server_name": "peer.test", "verify_keys": {}, "valid_until_ts": now + HOUR_MS }),
                "peer.test",
                &[&own],
            ),
        ),
        ("no JSON object", json!([])),
        ("huge", {
            let mut document = good.clone();
            document["padding"] = json!("x".repeat(70_000));
            signed(document, "peer.test", &[&own])
        }),
    ];
    for (what, document) in cases {
        let mut peer = Peer::new(&Client::new(), "peer.test");
        peer.key = own.clone();
        peer.publishes(&document);
        let reply = peer.send("GET", PATH, None);
        assert_eq!(reply.status, 401, "{what}: {reply}");
    }
    let mut peer = Peer::new(&Client::new(), "peer.test");
    peer.key = own;
    peer.publishes(&good);
    peer.send("GET", PATH, None).ok();
}

/// B6: whoever forges signatures does not make this server ask each time.
#[test]
fn keys_are_asked_for_once_in_a_while() {
    let peer = Peer::new(&Client::new(), "peer.test");
    peer.send("GET", PATH, None).ok();
    let forged = Peer {
        key: key(99),
        ..peer.clone()
    };
    let nobody = Peer {
        name: "nobody.test".parse().unwrap(),
        ..peer.clone()
    };
    peer.client.house().take_exchanged();
    for _ in 0..10 {
        forged.send("GET", PATH, None).refused(401, "M_UNAUTHORIZED");
        nobody.send("GET", PATH, None).refused(401, "M_UNAUTHORIZED");
    }
    assert_eq!(
        peer.client.house().take_exchanged(),
        ["GET nobody.test/_matrix/key/v2/server"]
    );
    peer.client.house().pass_ms(60_000);
    forged.send("GET", PATH, None).refused(401, "M_UNAUTHORIZED");
    nobody.send("GET", PATH, None).refused(401, "M_UNAUTHORIZED");
    assert_eq!(peer.client.house().take_exchanged().len(), 2);
}

/// B7: a key that is known keeps its id.
#[test]
fn a_key_id_does_not_change_its_key() {
    let peer = Peer::new(&Client::new(), "peer.test");
    peer.send("GET", PATH, None).ok();
    let thief = Peer {
        key: selvage_event::SigningKey::from_seed(peer.key.key_id(), &[99; 32]).unwrap(),
        ..peer.clone()
    };
    peer.client.house().pass_ms(HOUR_MS / 2);
    thief.publishes(&document("peer.test", &[&thief.key], peer.now() + 2 * HOUR_MS));
    thief.send("GET", PATH, None).refused(401, "M_UNAUTHORIZED");
    peer.send("GET", PATH, None).ok();
    peer.client.house().pass_ms(HOUR_MS);
    thief.send("GET", PATH, None).refused(401, "M_UNAUTHORIZED");
    assert!(!peer.client.house().take_exchanged().is_empty());
}

/// B8: as a notary, this server passes on what proves itself, signs it, and says nothing of others.
#[test]
fn keys_of_others_are_passed_on() {
    let client = Client::new();
    let peer = Peer::new(&client, "peer.test");
    let own = client.send("GET", "/_matrix/key/v2/server", "").ok();
    let public = own["verify_keys"]["ed25519:1"]["key"]
        .as_str()
        .unwrap()
        .to_owned();
    let one = client.send("GET", "/_matrix/key/v2/query/peer.test", "").ok();
    let document = &one["server_keys"][0];
    assert_eq!(document["server_name"], "peer.test");
    assert!(is_signed_by(document, SERVER, "ed25519:1", &public));
    assert!(is_signed_by(
        document,
        "peer.test",
        peer.key.key_id(),
        &peer.key.public_key_base64()
    ));
    let query = |keys: Value| {
        let body = json!({ "server_keys": keys }).to_string();
        client.send("POST", "/_matrix/key/v2/query", body).ok()["server_keys"].clone()
    };
    let far = peer.now() + 100 * HOUR_MS;
    assert_eq!(
        query(json!({ "peer.test": {}, SERVER: {} }))
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert_eq!(query(json!({ "nobody.test": {}, "!": {} })), json!([]));
    assert_eq!(
        query(json!({ "peer.test": { "ed25519:x": { "minimum_valid_until_ts": far } } })),
        json!([])
    );
    let many: serde_json::Map<String, Value> = (0..101).map(|n| (format!("s{n}.test"), json!({}))).collect();
    let body = json!({ "server_keys": many }).to_string();
    client
        .send("POST", "/_matrix/key/v2/query", body)
        .refused(400, "M_INVALID_PARAM");
}

/// Nobody makes this server ask many others.
#[test]
fn a_query_makes_this_server_ask_few_others() {
    let client = Client::new();
    let many: serde_json::Map<String, Value> = (0..100).map(|n| (format!("s{n}.test"), json!({}))).collect();
    let body = json!({ "server_keys": many }).to_string();
    assert_eq!(
        client.send("POST", "/_matrix/key/v2/query", body).ok()["server_keys"],
        json!([])
    );
    assert_eq!(client.house().take_exchanged().len(), 8);
}

/// Peer's keys, told by a notary in this way; the status of a request that Peer then signs.
fn told_by_notary(tell: impl Fn(Value, &Peer) -> Value) -> u16 {
    let mut settings = crate::client::settings();
    settings.federation.trusted_notaries = vec!["notary.test".parse().unwrap()];
    let client = Client::of(settings);
    let notary = Peer::new(&client, "notary.test");
    let peer = Peer {
        name: "gone.test".parse().unwrap(),
        key: key(5),
        ..notary.clone()
    };
    let own = document("notary.test", &[&notary.key], notary.now() + HOUR_MS).to_string();
    let keys = tell(document("gone.test", &[&peer.key], peer.now() + HOUR_MS), &notary);
    let told = json!({ "server_keys": [keys] }).to_string();
    client.house().serve("notary.test", move |request| {
        let is_query = request.uri().path() == "/_matrix/key/v2/query";
        (
            200,
            if is_query { told.clone() } else { own.clone() }.into_bytes(),
        )
    });
    peer.send("GET", PATH, None).status
}

/// B3: a notary is believed in what the server signed and the notary too, and in nothing else.
#[test]
fn a_notary_is_not_trusted_alone() {
    let by = |document: Value, peer: &Peer| signed(document, peer.name.as_str(), &[&peer.key]);
    assert_eq!(told_by_notary(by), 200);
    assert_eq!(
        told_by_notary(|document, _| document),
        401,
        "not signed by the notary"
    );
    let forged = |mut document: Value, notary: &Peer| {
        document["valid_until_ts"] = json!(notary.now() + 2 * HOUR_MS);
        by(document, notary)
    };
    assert_eq!(told_by_notary(forged), 401, "not signed by the server");
    let renamed =
        |_: Value, notary: &Peer| by(document("other.test", &[&key(5)], notary.now() + HOUR_MS), notary);
    assert_eq!(told_by_notary(renamed), 401, "of another server");
    let by_other_key = |document: Value, _: &Peer| signed(document, "notary.test", &[&key(9)]);
    assert_eq!(
        told_by_notary(by_other_key),
        401,
        "signed by an unknown key of the notary's"
    );
}
