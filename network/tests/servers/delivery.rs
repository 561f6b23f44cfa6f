//! Sending to other servers. spec: `server-server-api §transactions`

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::{A, B, Three, count};

/// An hour, in milliseconds.
const HOUR_MS: u64 = 3_600_000;

/// A server that was away gets everything, once, and with few requests.
#[test]
fn after_an_outage_nothing_is_missing_and_nothing_doubled() {
    for away_ms in [10_000, 3 * HOUR_MS] {
        let three = Three::new();
        let room = three.shared_room();
        three.network.away(B, true);
        let mut expected = Vec::new();
        for number in 0..70 {
            expected.push(format!("message {number}"));
            three.alice.say(&room, &expected[number]);
        }
        three.network.pass(away_ms);
        three.network.away(B, false);
        three.network.take_exchanged();
        three.network.pass(2 * away_ms.max(HOUR_MS));
        let exchanged = three.network.take_exchanged();
        assert!(exchanged.len() < 60, "{} requests", exchanged.len());
        for user in three.everybody() {
            assert_eq!(user.texts(&room), expected, "{} after {away_ms} ms", user.user_id);
        }
    }
}

/// What is said after a server's last user was put out is not for that server, whenever it comes back.
#[test]
fn a_server_that_is_put_out_while_it_is_away_hears_of_that_and_no_more() {
    for away_ms in [10_000, 5 * HOUR_MS] {
        let three = Three::new();
        let room = three.shared_room();
        three.network.away(B, true);
        three.alice.say(&room, "for all");
        three.alice.act("ban", &room, Some(&three.bob)).ok();
        three.alice.say(&room, "not for Bob");
        three.network.pass(away_ms);
        three.network.away(B, false);
        three.network.take_exchanged();
        three.network.pass(12 * HOUR_MS);
        let exchanged = three.network.take_exchanged();
        let to_b = exchanged.iter().filter(|one| one.to == B);
        let told = to_b.filter(|one| String::from_utf8_lossy(&one.body).contains("not for Bob"));
        assert_eq!(told.count(), 0);
        assert_eq!(
            three.bob.membership(&room, &three.bob),
            "ban",
            "after {away_ms} ms"
        );
        assert_eq!(three.carol.texts(&room), ["for all", "not for Bob"]);
    }
}

/// Who joins anew is not sent what was said while it was not in the room.
#[test]
fn what_was_said_in_between_is_not_sent_to_who_comes_back() {
    let three = Three::new();
    let room = three.shared_room();
    three
        .alice
        .set_state(
            &room,
            "m.room.history_visibility",
            "",
            &json!({ "history_visibility": "joined" }),
        )
        .ok();
    three.bob.act("leave", &room, None).ok();
    three.alice.say(&room, "in between");
    three.bob.join(&room, &[A]).ok();
    three.network.take_exchanged();
    three.alice.say(&room, "welcome");
    let exchanged = three.network.take_exchanged();
    assert!(
        exchanged
            .iter()
            .all(|one| !String::from_utf8_lossy(&one.body).contains("in between"))
    );
    assert_eq!(three.bob.texts(&room), ["welcome"]);
}

/// Nothing of what waits lies in memory alone.
#[test]
fn an_outage_outlives_restarts() {
    let three = Three::new();
    let room = three.shared_room();
    three.network.away(B, true);
    three.alice.say(&room, "one");
    three.alice.house().restart();
    three.alice.say(&room, "two");
    three.network.pass(100_000);
    three.alice.house().restart();
    three.network.away(B, false);
    three.bob.house().restart();
    three.network.pass(HOUR_MS);
    for user in three.everybody() {
        assert_eq!(user.texts(&room), ["one", "two"]);
    }
}

/// The bound of the pauses keeps what a dead server costs small.
#[test]
fn a_server_that_is_gone_costs_little() {
    let three = Three::new();
    let room = three.shared_room();
    three.network.away(B, true);
    three.network.take_exchanged();
    for number in 0..100 {
        three.alice.say(&room, &format!("{number}"));
        three.network.pass(864_000);
    }
    let exchanged = three.network.take_exchanged();
    let to_b = exchanged
        .iter()
        .filter(|one| one.from == A && one.to == B)
        .count();
    assert!((5..40).contains(&to_b), "{to_b} requests in a day");
    assert_eq!(count(&exchanged, "/send/") - to_b, 100, "the others got all");
}

/// A transaction whose answer is lost comes again as it was. spec: `server-server-api §transactions`
#[test]
fn a_transaction_is_repeated_as_it_was() {
    let three = Three::new();
    let room = three.shared_room();
    three.network.take_exchanged();
    three.network.lose_answers(Some("/send/"));
    three.alice.say(&room, "heard");
    three.alice.say(&room, "and more");
    three.network.pass(60_000);
    three.network.lose_answers(None);
    let exchanged = three.network.take_exchanged();
    let mut bodies: BTreeMap<&str, BTreeSet<&[u8]>> = BTreeMap::new();
    let sent = exchanged
        .iter()
        .filter(|one| one.from == A && one.to == B && one.what.contains("/send/"));
    let mut requests = 0;
    for one in sent {
        requests += 1;
        bodies.entry(&one.what).or_default().insert(&one.body);
    }
    assert!(requests > 3, "{requests}");
    assert_eq!(bodies.len(), 1, "one transaction at a time: {:?}", bodies.keys());
    assert!(bodies.values().all(|bodies| bodies.len() == 1));
    three.network.pass(HOUR_MS);
    for user in three.everybody() {
        assert_eq!(user.texts(&room), ["heard", "and more"]);
    }
}

/// What objects start may be lost with the process: their timers start it again.
#[test]
fn a_lost_workflow_is_started_again() {
    let three = Three::new();
    let room = three.shared_room();
    let path = format!(
        "rooms/{}/send/m.room.message/x",
        room.replace('!', "%21").replace(':', "%3A")
    );
    three
        .alice
        .send("PUT", &path, Some(&json!({ "body": "lost?" })))
        .ok();
    three.network.lose_started();
    three.network.pass(600_000);
    for user in three.everybody() {
        assert_eq!(user.texts(&room), ["lost?"]);
    }
}

/// A delivery that dies at any step delivers once.
#[test]
fn a_delivery_may_die_at_any_step() {
    for steps in 0..12 {
        let three = Three::new();
        let room = three.shared_room();
        let path = format!(
            "rooms/{}/send/m.room.message/x",
            room.replace('!', "%21").replace(':', "%3A")
        );
        three
            .alice
            .send("PUT", &path, Some(&json!({ "body": "once" })))
            .ok();
        three.alice.house().die_after(Some(steps));
        three.network.settle_with_deaths();
        three.alice.house().die_after(None);
        three.network.pass(600_000);
        for user in three.everybody() {
            assert_eq!(user.texts(&room), ["once"], "died after {steps} steps");
        }
    }
}

/// Who shows life is tried at once. A server that was away for long sends something itself.
#[test]
fn a_sign_of_life_ends_the_pause() {
    let three = Three::new();
    let room = three.shared_room();
    three.network.away(B, true);
    three.alice.say(&room, "are you there?");
    three.network.pass(12 * HOUR_MS);
    three.network.away(B, false);
    three.bob.say(&room, "I am");
    three.network.pass(120_000);
    assert_eq!(three.alice.texts(&room).len(), 2);
    let mut bobs = three.bob.texts(&room);
    bobs.sort();
    assert_eq!(bobs, ["I am", "are you there?"]);
}

/// spec: `server-server-api §typing-notifications`, `§receipts`
#[test]
fn typing_and_receipts_reach_the_others() {
    let three = Three::new();
    let room = three.shared_room();
    let said = three.alice.say(&room, "read this");
    let in_room = format!("rooms/{}", room.replace('!', "%21").replace(':', "%3A"));
    let user = three.bob.user_id.replace('@', "%40").replace(':', "%3A");
    let typing = format!("{in_room}/typing/{user}");
    three
        .bob
        .put(&typing, &json!({ "typing": true, "timeout": 20_000 }))
        .ok();
    let receipt = format!("{in_room}/receipt/m.read/{}", said.replace('$', "%24"));
    three.bob.post(&receipt, &json!({})).ok();
    for other in [&three.alice, &three.carol] {
        let ephemeral = other.sync()["rooms"]["join"][&room]["ephemeral"]["events"].clone();
        let text = ephemeral.to_string();
        assert!(
            text.contains("m.typing") && text.contains("m.receipt") && text.contains(&three.bob.user_id),
            "{text}"
        );
    }
}
