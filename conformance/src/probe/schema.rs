//! The probe's tables.

use selvage_object::Migration;

pub(super) const SCHEMA: &[Migration] = &[
    &[
        "CREATE TABLE probe_values (object INTEGER NOT NULL, slot TEXT NOT NULL, number INTEGER, text TEXT, blob BLOB, \
         PRIMARY KEY (object, slot)) STRICT, WITHOUT ROWID",
        "CREATE TABLE probe_sums (object INTEGER NOT NULL, name TEXT NOT NULL, sum INTEGER NOT NULL, \
         PRIMARY KEY (object, name)) STRICT, WITHOUT ROWID",
        "CREATE TABLE probe_rows (object INTEGER NOT NULL, row INTEGER NOT NULL, \
         PRIMARY KEY (object, row)) STRICT, WITHOUT ROWID",
    ],
    // A second step, so that opening a probe goes through more than one.
    &[
        "CREATE TABLE probe_told (object INTEGER NOT NULL, teller TEXT NOT NULL, position INTEGER NOT NULL, \
         number INTEGER NOT NULL, PRIMARY KEY (object, teller, position)) STRICT, WITHOUT ROWID",
        "CREATE TABLE probe_children (object INTEGER NOT NULL, name TEXT NOT NULL, PRIMARY KEY (object, name), \
         FOREIGN KEY (object, name) REFERENCES probe_sums (object, name)) STRICT, WITHOUT ROWID",
        "CREATE VIRTUAL TABLE probe_words USING fts5 (words, content = '')",
    ],
];
