//! The room object's tables.

use selvage_object::Migration;

pub(crate) const SCHEMA: &[Migration] = &[&[
    // `extremities`: a JSON list of event ids. `state`: the current state, as a trie root. `txn_mark`: see `txns`.
    "CREATE TABLE room_head (object INTEGER PRIMARY KEY, version TEXT NOT NULL, pos INTEGER NOT NULL, \
     depth INTEGER NOT NULL, extremities TEXT NOT NULL, state BLOB NOT NULL, joined INTEGER NOT NULL, \
     invited INTEGER NOT NULL, txn_mark INTEGER) STRICT",
    // `state`: the state before the event, as a trie root. `txn`: the device and its transaction id, of local senders.
    // `redacted_by`: the position of the redaction that was applied.
    "CREATE TABLE room_events (object INTEGER NOT NULL, pos INTEGER NOT NULL, event_id BLOB NOT NULL, \
     json TEXT NOT NULL, state BLOB NOT NULL, txn TEXT, redacted_by INTEGER, PRIMARY KEY (object, pos)) STRICT",
    "CREATE UNIQUE INDEX room_events_id ON room_events (object, event_id)",
    // The room's current state from a position on, until the next row.
    "CREATE TABLE room_states (object INTEGER NOT NULL, pos INTEGER NOT NULL, state BLOB NOT NULL, \
     PRIMARY KEY (object, pos)) STRICT, WITHOUT ROWID",
    "CREATE TABLE room_nodes (object INTEGER NOT NULL, node BLOB NOT NULL, bytes BLOB NOT NULL, \
     PRIMARY KEY (object, node)) STRICT, WITHOUT ROWID",
    "CREATE TABLE room_txns (object INTEGER NOT NULL, txn INTEGER NOT NULL, pos INTEGER NOT NULL, \
     PRIMARY KEY (object, txn)) STRICT, WITHOUT ROWID",
    // The local users who have joined, so that a cold room need not read its state to know whom to tell.
    "CREATE TABLE room_locals (object INTEGER NOT NULL, user_id TEXT NOT NULL, \
     PRIMARY KEY (object, user_id)) STRICT, WITHOUT ROWID",
    // `thread` is empty for receipts of no thread.
    "CREATE TABLE room_receipts (object INTEGER NOT NULL, user_id TEXT NOT NULL, kind TEXT NOT NULL, \
     thread TEXT NOT NULL, event_id TEXT NOT NULL, event_pos INTEGER NOT NULL, ts INTEGER NOT NULL, \
     pos INTEGER NOT NULL, PRIMARY KEY (object, user_id, kind, thread)) STRICT, WITHOUT ROWID",
    "CREATE INDEX room_receipts_pos ON room_receipts (object, pos)",
]];
