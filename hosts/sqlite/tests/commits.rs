//! Savepoints, group commits, and what a file holds after them.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected fails"
)]

use selvage_object::{Failure, Fault, Param, Refusal, Sql, SqlFaultKind, Storage};
use selvage_sqlite::{Durability, Shared, Sqlite};

const INSERT: &str = "INSERT INTO numbers (n) VALUES (?1)";

fn with_table(sqlite: Sqlite) -> Sqlite {
    sqlite
        .run(
            "CREATE TABLE numbers (n INTEGER PRIMARY KEY) STRICT",
            &[],
            &mut |_| Ok(()),
        )
        .unwrap();
    sqlite
}

fn insert(sqlite: &Sqlite, n: i64) -> Result<(), Failure> {
    sqlite.atomically(&mut |sql| {
        sql.run(INSERT, &[Param::Integer(n)], &mut |_| Ok(()))?;
        Ok(())
    })
}

fn numbers(sqlite: &Sqlite) -> Vec<i64> {
    let mut numbers = Vec::new();
    sqlite
        .run("SELECT n FROM numbers ORDER BY n", &[], &mut |row| {
            numbers.push(row.integer(0)?);
            Ok(())
        })
        .unwrap();
    numbers
}

#[test]
fn a_failed_turn_leaves_nothing_and_its_neighbours_stay() {
    let sqlite = with_table(Sqlite::in_memory().unwrap());
    sqlite.begin(Durability::Synced).unwrap();
    insert(&sqlite, 1).unwrap();
    let refused = sqlite.atomically(&mut |sql| {
        sql.run(INSERT, &[Param::Integer(2)], &mut |_| Ok(()))?;
        Err(Refusal::new("M_FORBIDDEN", "no").into())
    });
    assert!(matches!(refused, Err(Failure::Refusal(_))));
    insert(&sqlite, 3).unwrap();
    sqlite.commit().unwrap();
    assert_eq!(numbers(&sqlite), [1, 3]);
}

#[test]
fn a_panicking_turn_leaves_nothing() {
    let sqlite = Shared::new(with_table(Sqlite::in_memory().unwrap()));
    sqlite.begin(Durability::Synced).unwrap();
    let inner = sqlite.clone();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        inner.atomically(&mut |sql| {
            sql.run(INSERT, &[Param::Integer(1)], &mut |_| Ok(()))?;
            panic!("in the middle of a turn")
        })
    }));
    assert!(panicked.is_err());
    insert(&sqlite, 2).unwrap();
    sqlite.commit().unwrap();
    assert_eq!(numbers(&sqlite), [2]);
}

#[test]
fn a_batch_that_is_rolled_back_leaves_nothing() {
    let sqlite = with_table(Sqlite::in_memory().unwrap());
    sqlite.begin(Durability::Synced).unwrap();
    insert(&sqlite, 1).unwrap();
    sqlite.roll_back();
    insert(&sqlite, 2).unwrap();
    assert_eq!(numbers(&sqlite), [2]);
}

#[test]
fn what_a_row_handler_reports_undoes_the_turn() {
    let sqlite = with_table(Sqlite::in_memory().unwrap());
    let failed = sqlite.atomically(&mut |sql| {
        let fault = selvage_object::SqlFault::new(SqlFaultKind::Mistyped, "not what was expected");
        sql.run("INSERT INTO numbers (n) VALUES (1) RETURNING n", &[], &mut |_| {
            Err(fault.clone())
        })?;
        Ok(())
    });
    let Err(Failure::Fault(Fault::Sql(fault))) = failed else {
        panic!("{failed:?}")
    };
    assert_eq!(fault.kind, SqlFaultKind::Mistyped);
    assert_eq!(numbers(&sqlite), [0_i64; 0]);
}

#[test]
fn the_count_of_written_rows_is_that_of_changed_rows() {
    let sqlite = with_table(Sqlite::in_memory().unwrap());
    let run = |statement: &'static str| sqlite.run(statement, &[], &mut |_| Ok(())).unwrap();
    assert_eq!(
        run("INSERT INTO numbers (n) SELECT value FROM json_each('[1,2,3]')"),
        3
    );
    assert_eq!(run("SELECT * FROM numbers"), 0);
    assert_eq!(run("UPDATE numbers SET n = n + 10 WHERE n > 1"), 2);
    assert_eq!(run("DELETE FROM numbers WHERE n = 99"), 0);
    assert_eq!(run("CREATE TABLE other (n INTEGER) STRICT"), 0);
}

#[test]
fn committed_writes_are_in_the_file_and_others_are_not() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("shard-0.sqlite");
    let sqlite = with_table(Sqlite::open(&path).unwrap());
    for (durability, n) in [
        (Durability::Synced, 1),
        (Durability::Lazy, 2),
        (Durability::Synced, 3),
    ] {
        sqlite.begin(durability).unwrap();
        insert(&sqlite, n).unwrap();
        sqlite.commit().unwrap();
    }
    sqlite.begin(Durability::Synced).unwrap();
    insert(&sqlite, 4).unwrap();
    drop(sqlite);
    let sqlite = Sqlite::open(&path).unwrap();
    assert_eq!(numbers(&sqlite), [1, 2, 3]);
    sqlite.checkpoint().unwrap();
    assert_eq!(sqlite.check_integrity().unwrap(), [""; 0]);
}

#[test]
fn a_file_in_use_is_not_opened_twice() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("shard-0.sqlite");
    let _first = with_table(Sqlite::open(&path).unwrap());
    let fault = Sqlite::open(&path).err().unwrap();
    assert!(fault.message.contains("locked"), "{fault}");
}

#[test]
fn damaged_files_are_reported_as_such() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("shard-0.sqlite");
    std::fs::write(&path, "this is no database, whatever its name says. ".repeat(200)).unwrap();
    let fault = Sqlite::open(&path).err().unwrap();
    assert_eq!(fault.kind, SqlFaultKind::Damaged, "{fault}");
}

#[test]
fn a_full_disk_fails_the_turn_and_what_was_committed_stays() {
    let sqlite = with_table(Sqlite::in_memory().unwrap());
    insert(&sqlite, 1).unwrap();
    sqlite.limit_pages(8).unwrap();
    sqlite
        .run("CREATE TABLE blobs (data BLOB) STRICT", &[], &mut |_| Ok(()))
        .unwrap();
    let large = vec![1; 100_000];
    sqlite.begin(Durability::Synced).unwrap();
    insert(&sqlite, 2).unwrap();
    let failed = sqlite.atomically(&mut |sql| {
        sql.run(
            "INSERT INTO blobs (data) VALUES (?1)",
            &[Param::Blob(&large)],
            &mut |_| Ok(()),
        )?;
        Ok(())
    });
    let Err(Failure::Fault(Fault::Sql(fault))) = failed else {
        panic!("{failed:?}")
    };
    assert_eq!(fault.kind, SqlFaultKind::Full);
    let after = insert(&sqlite, 3);
    let committed = sqlite.commit();
    assert_eq!(
        after.is_ok(),
        committed.is_ok(),
        "a lost transaction takes no more turns"
    );
    assert!(numbers(&sqlite).contains(&1));
    assert_eq!(numbers(&sqlite).contains(&2), committed.is_ok());
    sqlite.limit_pages(100_000).unwrap();
    insert(&sqlite, 4).unwrap();
    assert!(numbers(&sqlite).contains(&4));
}
