//! The destination's tables.

use selvage_object::Migration;

pub(crate) const SCHEMA: &[Migration] = &[&[
    "CREATE TABLE destination_keys (object INTEGER NOT NULL, key_id TEXT NOT NULL, public_key TEXT NOT NULL, \
     valid_until_ts INTEGER NOT NULL, expired INTEGER NOT NULL, fetched_ts INTEGER NOT NULL, \
     PRIMARY KEY (object, key_id)) STRICT, WITHOUT ROWID",
    "CREATE TABLE destination_key_document (object INTEGER PRIMARY KEY, document TEXT NOT NULL) STRICT",
    "CREATE TABLE destination_incoming (object INTEGER NOT NULL, slot INTEGER NOT NULL, txn_id TEXT NOT NULL, \
     answer TEXT NOT NULL, PRIMARY KEY (object, slot)) STRICT, WITHOUT ROWID",
    // What rooms have for the server: positions up to which it was sent, and up to which there is something.
    "CREATE TABLE destination_rooms (object INTEGER NOT NULL, room_id TEXT NOT NULL, sent INTEGER NOT NULL, \
     known INTEGER NOT NULL, PRIMARY KEY (object, room_id)) STRICT, WITHOUT ROWID",
    // What must arrive, in order. `id`: a name that tells a repetition from something new.
    "CREATE TABLE destination_messages (object INTEGER NOT NULL, seq INTEGER NOT NULL, id TEXT NOT NULL, \
     edu TEXT NOT NULL, PRIMARY KEY (object, seq)) STRICT, WITHOUT ROWID",
    // `frozen`: the transaction that is under way. Times are in milliseconds since 1970.
    "CREATE TABLE destination_delivery (object INTEGER PRIMARY KEY, frozen TEXT, failures INTEGER NOT NULL, \
     failing_since INTEGER, failed_at INTEGER NOT NULL, retry_at INTEGER NOT NULL) STRICT",
]];
