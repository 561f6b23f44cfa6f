//! Schemas come up to date once, as a whole, and never go back.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected fails"
)]

mod common;

use common::notebook::Notebook;
use common::world::START;
use selvage_object::{
    Migration, OpenError, Placement, Registry, Shard, ShardLimits, SqlFaultKind, Storage as _, check,
};
use selvage_sqlite::{Shared, Sqlite};

const FIRST: Migration = &[
    "CREATE TABLE marks (step INTEGER NOT NULL) STRICT",
    "INSERT INTO marks (step) VALUES (1)",
];
const SECOND: Migration = &["INSERT INTO marks (step) VALUES (2)"];
const BROKEN: Migration = &[
    "INSERT INTO marks (step) VALUES (3)",
    "INSERT INTO nowhere (step) VALUES (3)",
];

fn registry(schema: &'static [Migration]) -> Registry {
    Registry::new().with(Notebook {
        schema: Some(schema),
        ..Notebook::default()
    })
}

fn open(database: &Shared, schema: &'static [Migration]) -> Result<Shard<Shared>, OpenError> {
    let limits = ShardLimits {
        loaded_bytes_max: usize::MAX,
    };
    let placement = Placement::Hashed { shards: 1 };
    Shard::open(database.clone(), registry(schema), placement, limits, START)
}

fn marks(database: &Shared) -> Vec<u64> {
    let mut marks = Vec::new();
    database
        .sql()
        .run("SELECT step FROM marks ORDER BY step", &[], &mut |row| {
            marks.push(row.number(0)?);
            Ok(())
        })
        .unwrap();
    marks
}

#[test]
fn each_step_is_taken_once() {
    let database = Shared::new(Sqlite::in_memory().unwrap());
    for (schema, expected) in [
        (&[FIRST][..], &[1][..]),
        (&[FIRST], &[1]),
        (&[FIRST, SECOND], &[1, 2]),
        (&[FIRST, SECOND], &[1, 2]),
    ] {
        open(&database, schema).unwrap();
        assert_eq!(marks(&database), expected);
    }
    let at_once = Shared::new(Sqlite::in_memory().unwrap());
    open(&at_once, &[FIRST, SECOND]).unwrap();
    assert_eq!(marks(&at_once), [1, 2]);
}

#[test]
fn data_of_a_newer_program_are_refused_and_left_alone() {
    let database = Shared::new(Sqlite::in_memory().unwrap());
    open(&database, &[FIRST, SECOND]).unwrap();
    let error = open(&database, &[FIRST]).err().unwrap();
    let newer = OpenError::Newer {
        name: "probe",
        found: 2,
        known: 1,
    };
    assert_eq!(error, newer);
    let problems = check(database.sql(), &registry(&[FIRST])).unwrap();
    assert_eq!(problems, ["schema probe is at version 2, this program knows 1"]);
    assert_eq!(marks(&database), [1, 2]);
}

#[test]
fn a_step_that_fails_leaves_the_version_before() {
    let database = Shared::new(Sqlite::in_memory().unwrap());
    open(&database, &[FIRST]).unwrap();
    let error = open(&database, &[FIRST, SECOND, BROKEN]).err().unwrap();
    assert!(
        matches!(error, OpenError::Fault(selvage_object::Fault::Sql(fault)) if fault.kind == SqlFaultKind::Other)
    );
    assert_eq!(marks(&database), [1]);
    open(&database, &[FIRST, SECOND]).unwrap();
    assert_eq!(marks(&database), [1, 2]);
}

#[test]
fn a_kind_that_is_gone_is_named_by_the_check() {
    let database = Shared::new(Sqlite::in_memory().unwrap());
    open(&database, &[FIRST]).unwrap();
    let problems = check(database.sql(), &Registry::new()).unwrap();
    assert_eq!(problems, ["schema probe is not known to this program"]);
}
