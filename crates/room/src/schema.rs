//! The room object's tables.

use selvage_object::Migration;

pub(crate) const SCHEMA: &[Migration] = &[&[
    // `ord`: how many state events were numbered so far. `extremities`: a JSON list, see
    // `extremities`. `state`: the current state, as a trie root. `txn_mark`: see `txns`.
    "CREATE TABLE room_head (object INTEGER PRIMARY KEY, version TEXT NOT NULL, pos INTEGER NOT NULL, \
     ord INTEGER NOT NULL, extremities TEXT NOT NULL, state BLOB NOT NULL, \
     joined INTEGER NOT NULL, invited INTEGER NOT NULL, txn_mark INTEGER) STRICT",
    // The timeline. `state`: the state before the event, as a trie root. `ord`: the number of a state event; each has a
    // greater one than its auth events. `txn`: the device and its transaction id, of local senders. `redacted_by`: the
    // position of the redaction that was applied.
    "CREATE TABLE room_events (object INTEGER NOT NULL, pos INTEGER NOT NULL, event_id BLOB NOT NULL, \
     json TEXT NOT NULL, state BLOB NOT NULL, ord INTEGER, txn TEXT, redacted_by INTEGER, \
     PRIMARY KEY (object, pos)) STRICT",
    "CREATE UNIQUE INDEX room_events_id ON room_events (object, event_id)",
    // Events that are kept and not in the timeline. `status`: see `status`. `state`: the state before it, where its place in
    // the graph is known. `why`: which rule refused it. `redacted_by`: the position of the redaction that was applied.
    "CREATE TABLE room_others (object INTEGER NOT NULL, event_id BLOB NOT NULL, status INTEGER NOT NULL, \
     state BLOB, ord INTEGER, why TEXT, redacted_by INTEGER, json TEXT NOT NULL, PRIMARY KEY (object, event_id)) STRICT, WITHOUT ROWID",
    // Which state events cite a state event as auth event; the create event, which all chains share, is left out.
    "CREATE TABLE room_citations (object INTEGER NOT NULL, cited BLOB NOT NULL, ord INTEGER NOT NULL, \
     citing BLOB NOT NULL, PRIMARY KEY (object, cited, ord)) STRICT, WITHOUT ROWID",
    // Received events that wait for others. `waits`: for how many. `history_before`: the position that they lie before, when
    // they come of paging back.
    "CREATE TABLE room_staged (object INTEGER NOT NULL, event_id BLOB NOT NULL, waits INTEGER NOT NULL, \
     origin TEXT NOT NULL, history_before INTEGER, keys TEXT NOT NULL, json TEXT NOT NULL, \
     PRIMARY KEY (object, event_id)) STRICT, WITHOUT ROWID",
    "CREATE INDEX room_staged_ready ON room_staged (object, event_id) WHERE waits = 0",
    // What staged events wait for. `is_auth`: any form of the event serves, an outlier too.
    "CREATE TABLE room_waits (object INTEGER NOT NULL, needs BLOB NOT NULL, is_auth INTEGER NOT NULL, \
     event_id BLOB NOT NULL, PRIMARY KEY (object, needs, is_auth, event_id)) STRICT, WITHOUT ROWID",
    // Predecessors that are not here, of events that were placed behind a gap.
    "CREATE TABLE room_gaps (object INTEGER NOT NULL, missing BLOB NOT NULL, event_id BLOB NOT NULL, \
     PRIMARY KEY (object, missing, event_id)) STRICT, WITHOUT ROWID",
    // Entries of states before events that were supplied and are not in `room_drafts` yet, in the order of the trie.
    "CREATE TABLE room_entries (object INTEGER NOT NULL, place BLOB NOT NULL, key BLOB NOT NULL, event_id BLOB NOT NULL, \
     kind TEXT NOT NULL, state_key TEXT NOT NULL, PRIMARY KEY (object, place, key)) STRICT, WITHOUT ROWID",
    // States before events, as far as they were supplied.
    "CREATE TABLE room_drafts (object INTEGER NOT NULL, event_id BLOB NOT NULL, state BLOB NOT NULL, \
     PRIMARY KEY (object, event_id)) STRICT, WITHOUT ROWID",
    // Events of states and auth chains that came before what authorises them, by the event whose place they are for.
    // `is_state`: of the state before that event.
    "CREATE TABLE room_supplied (object INTEGER NOT NULL, place BLOB NOT NULL, depth INTEGER NOT NULL, \
     ts INTEGER NOT NULL, event_id BLOB NOT NULL, is_state INTEGER NOT NULL, keys TEXT NOT NULL, json TEXT NOT NULL, \
     PRIMARY KEY (object, place, depth, ts, event_id)) STRICT, WITHOUT ROWID",
    // Missing events that other servers were asked for: how often, and when next, in milliseconds since 1970.
    "CREATE TABLE room_sought (object INTEGER NOT NULL, event_id BLOB NOT NULL, attempts INTEGER NOT NULL, \
     due INTEGER NOT NULL, PRIMARY KEY (object, event_id)) STRICT, WITHOUT ROWID",
    // Events of other servers, by position, that this one passes on because they came through it.
    "CREATE TABLE room_relayed (object INTEGER NOT NULL, pos INTEGER NOT NULL, PRIMARY KEY (object, pos)) \
     STRICT, WITHOUT ROWID",
    // Redactions, by position, whose target is not in the timeline.
    "CREATE TABLE room_held (object INTEGER NOT NULL, target BLOB NOT NULL, pos INTEGER NOT NULL, \
     PRIMARY KEY (object, target, pos)) STRICT, WITHOUT ROWID",
    // The room's current state from a position on, until the next row.
    "CREATE TABLE room_states (object INTEGER NOT NULL, pos INTEGER NOT NULL, state BLOB NOT NULL, \
     PRIMARY KEY (object, pos)) STRICT, WITHOUT ROWID",
    "CREATE TABLE room_nodes (object INTEGER NOT NULL, node BLOB NOT NULL, bytes BLOB NOT NULL, \
     PRIMARY KEY (object, node)) STRICT, WITHOUT ROWID",
    "CREATE TABLE room_txns (object INTEGER NOT NULL, txn INTEGER NOT NULL, pos INTEGER NOT NULL, \
     PRIMARY KEY (object, txn)) STRICT, WITHOUT ROWID",
    // The local users who have joined, so that a cold room need not read its state to know whom to tell. `profile`: the number
    // of the last change of the profile that the user told since.
    "CREATE TABLE room_locals (object INTEGER NOT NULL, user_id TEXT NOT NULL, \
     profile INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (object, user_id)) STRICT, WITHOUT ROWID",
    // Local users whose membership state resolution took back, and at which position.
    "CREATE TABLE room_vanished (object INTEGER NOT NULL, user_id TEXT NOT NULL, pos INTEGER NOT NULL, \
     PRIMARY KEY (object, user_id)) STRICT, WITHOUT ROWID",
    // How many users of each other server have joined; the positions at which the first came and the last went. This server has
    // a row when its last user has left.
    "CREATE TABLE room_servers (object INTEGER NOT NULL, server TEXT NOT NULL, joined INTEGER NOT NULL, \
     since INTEGER NOT NULL, until INTEGER NOT NULL, PRIMARY KEY (object, server)) STRICT, WITHOUT ROWID",
    // `thread` is empty for receipts of no thread.
    "CREATE TABLE room_receipts (object INTEGER NOT NULL, user_id TEXT NOT NULL, kind TEXT NOT NULL, \
     thread TEXT NOT NULL, event_id TEXT NOT NULL, event_pos INTEGER NOT NULL, ts INTEGER NOT NULL, \
     pos INTEGER NOT NULL, PRIMARY KEY (object, user_id, kind, thread)) STRICT, WITHOUT ROWID",
    "CREATE INDEX room_receipts_pos ON room_receipts (object, pos)",
]];
