//! The destination's tables.

use selvage_object::Migration;

pub(crate) const SCHEMA: &[Migration] = &[&[
    "CREATE TABLE destination_keys (object INTEGER NOT NULL, key_id TEXT NOT NULL, public_key TEXT NOT NULL, \
     valid_until_ts INTEGER NOT NULL, expired INTEGER NOT NULL, fetched_ts INTEGER NOT NULL, \
     PRIMARY KEY (object, key_id)) STRICT, WITHOUT ROWID",
    "CREATE TABLE destination_key_document (object INTEGER PRIMARY KEY, document TEXT NOT NULL) STRICT",
    "CREATE TABLE destination_incoming (object INTEGER NOT NULL, slot INTEGER NOT NULL, txn_id TEXT NOT NULL, \
     answer TEXT NOT NULL, PRIMARY KEY (object, slot)) STRICT, WITHOUT ROWID",
]];
