//! The server object's tables.

use selvage_object::Migration;

pub(crate) const SCHEMA: &[Migration] = &[FIRST, OLD_KEYS];

const OLD_KEYS: Migration = &[
    "CREATE TABLE server_old_keys (object INTEGER NOT NULL, key_id TEXT NOT NULL, public_key TEXT NOT NULL, \
     expired_ts INTEGER NOT NULL, PRIMARY KEY (object, key_id)) STRICT, WITHOUT ROWID",
    // The key that the server signs with from the next start on.
    "CREATE TABLE server_next_key (object INTEGER PRIMARY KEY, key_id TEXT NOT NULL, seed BLOB NOT NULL) STRICT",
];

const FIRST: Migration = &[
    "CREATE TABLE server_identity (object INTEGER PRIMARY KEY, server_name TEXT NOT NULL, key_id TEXT NOT NULL, \
     seed BLOB NOT NULL, mac_key BLOB NOT NULL) STRICT",
    "CREATE TABLE registration_tokens (object INTEGER NOT NULL, token TEXT NOT NULL, uses_left INTEGER, \
     expires_ms INTEGER, PRIMARY KEY (object, token)) STRICT, WITHOUT ROWID",
    "CREATE TABLE registration_token_uses (object INTEGER NOT NULL, receipt TEXT NOT NULL, \
     PRIMARY KEY (object, receipt)) STRICT, WITHOUT ROWID",
];
