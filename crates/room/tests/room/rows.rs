//! What a message writes, as Workers bill it.

use selvage_protocol::user_key;

use crate::fixture::{ALICE, BOB, CAROL, Fixture, MOD};

/// The most rows that a message may write in the room's shard, its way through the outbox included.
const ROOM_ROWS_MAX: u64 = 12;

#[test]
fn a_message_writes_few_rows() {
    let mut fixture = Fixture::peopled("invite", "shared");
    let room = fixture.server.shard_of(&fixture.room);
    // The first message also sets the timer that forgets transaction ids; each later one costs the same.
    for (what, max) in [
        ("the first", ROOM_ROWS_MAX),
        ("the second", ROOM_ROWS_MAX),
        ("the third", ROOM_ROWS_MAX),
    ] {
        for shard in fixture.server.shards() {
            fixture.server.take_written(&shard);
        }
        fixture.said(ALICE, what);
        let written = fixture.server.take_written(&room);
        let rows: u64 = written.values().sum();
        assert!(rows <= max, "{what} message wrote {rows} rows: {written:?}");
        assert_eq!(
            written.get("room_events"),
            Some(&3),
            "the row, its key and its id"
        );
        assert_eq!(written.get("outbox"), Some(&2), "in and out again");
        for table in ["room_nodes", "room_states", "room_locals"] {
            assert_eq!(written.get(table), None, "a message is no state");
        }
        for user in [ALICE, MOD, BOB] {
            let shard = fixture.server.shard_of(&user_key(user));
            let written: Vec<_> = fixture.server.take_written(&shard).into_iter().collect();
            assert_eq!(written, [("user_log".to_owned(), 1)], "{user}");
        }
        let carol = fixture.server.shard_of(&user_key(CAROL));
        assert!(fixture.server.take_written(&carol).is_empty());
    }
}

#[test]
fn refusals_and_repetitions_and_reading_write_nothing() {
    let mut fixture = Fixture::peopled("invite", "shared");
    fixture.said(ALICE, "hello");
    let sync = fixture.sync(BOB, None);
    for shard in fixture.server.shards() {
        fixture.server.take_written(&shard);
    }
    fixture.said(ALICE, "hello");
    assert!(fixture.say(CAROL, "hello").is_err());
    fixture.sync(BOB, Some(&sync));
    fixture.sync(BOB, None);
    for shard in fixture.server.shards() {
        assert!(fixture.server.take_written(&shard).is_empty(), "{shard}");
    }
}

#[test]
fn a_state_event_in_a_large_room_writes_few_nodes() {
    let mut fixture = Fixture::alone("public", "shared");
    for number in 0..300 {
        let key = format!("key{number}");
        fixture
            .put(
                ALICE,
                "org.example.state",
                &key,
                &serde_json::json!({ "n": number }),
            )
            .unwrap();
    }
    let room = fixture.server.shard_of(&fixture.room);
    fixture.server.take_written(&room);
    fixture
        .put(ALICE, "m.room.topic", "", &serde_json::json!({ "topic": "tea" }))
        .unwrap();
    let written = fixture.server.take_written(&room);
    assert_eq!(written.get("room_states"), Some(&1));
    assert!(
        written
            .get("room_nodes")
            .is_some_and(|nodes| (1..=8).contains(nodes)),
        "{written:?}"
    );
}
