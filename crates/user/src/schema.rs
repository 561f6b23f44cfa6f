//! The user object's tables.

use selvage_object::Migration;

pub(crate) const SCHEMA: &[Migration] = &[FIRST, OUT_OF_BAND];

/// Where a membership comes from of which no room here knows, as JSON.
const OUT_OF_BAND: Migration = &["ALTER TABLE user_rooms ADD COLUMN out_of_band TEXT"];

const FIRST: Migration = &[
    // `profile_number`: how often the profile was changed.
    "CREATE TABLE user_account (object INTEGER PRIMARY KEY, password_hash TEXT, admin INTEGER NOT NULL, \
     deactivated INTEGER NOT NULL, displayname TEXT, avatar_url TEXT, \
     profile_number INTEGER NOT NULL DEFAULT 0, receipt TEXT NOT NULL, \
     created_ms INTEGER NOT NULL) STRICT",
    "CREATE TABLE user_devices (object INTEGER NOT NULL, device_id TEXT NOT NULL, display_name TEXT, \
     token_hash TEXT NOT NULL, created_ms INTEGER NOT NULL, PRIMARY KEY (object, device_id)) STRICT, WITHOUT ROWID",
    // `room_id` is empty for the account's own data. `pos`: the position in the room that the content names, where it may
    // not move back.
    "CREATE TABLE user_account_data (object INTEGER NOT NULL, room_id TEXT NOT NULL, kind TEXT NOT NULL, \
     content TEXT NOT NULL, seq INTEGER NOT NULL, pos INTEGER, PRIMARY KEY (object, room_id, kind)) STRICT",
    "CREATE TABLE user_filters (object INTEGER NOT NULL, filter_id INTEGER NOT NULL, filter TEXT NOT NULL, \
     PRIMARY KEY (object, filter_id)) STRICT",
    // `base_seq` and `base_pos`: the last of the room's positions that the log no longer holds. `forgotten`: the user
    // wants to see no more of it; the row stays, so that a late repetition of what the room told is known as one.
    "CREATE TABLE user_rooms (object INTEGER NOT NULL, room_id TEXT NOT NULL, membership TEXT NOT NULL, \
     pos INTEGER NOT NULL, seq INTEGER NOT NULL, stripped_state TEXT NOT NULL, base_seq INTEGER, base_pos INTEGER, \
     forgotten INTEGER NOT NULL DEFAULT 0, \
     PRIMARY KEY (object, room_id)) STRICT",
    "CREATE TABLE user_log (object INTEGER NOT NULL, seq INTEGER NOT NULL, kind INTEGER NOT NULL, \
     room_id TEXT NOT NULL, pos INTEGER NOT NULL, detail TEXT, PRIMARY KEY (object, seq)) STRICT, WITHOUT ROWID",
    // The last entry that was dropped from the log, so that it is known which tokens are older.
    "CREATE TABLE user_log_horizon (object INTEGER PRIMARY KEY, seq INTEGER NOT NULL) STRICT",
];
