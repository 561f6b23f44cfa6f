//! What Durable Objects refuse is refused here, and what they take is taken.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected fails"
)]

use selvage_object::{Param, Sql, SqlFaultKind, Storage, VALUE_MAX_BYTES};
use selvage_sqlite::Sqlite;

fn database() -> Sqlite {
    let sqlite = Sqlite::in_memory().unwrap();
    for statement in [
        "CREATE TABLE rows (object INTEGER, name TEXT, data BLOB, PRIMARY KEY (object, name)) STRICT, WITHOUT ROWID",
        "CREATE TABLE parents (id INTEGER PRIMARY KEY) STRICT",
        "CREATE TABLE children (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES parents (id)) STRICT",
    ] {
        run(&sqlite, statement, &[]).unwrap();
    }
    sqlite
}

fn run(sqlite: &Sqlite, sql: &'static str, params: &[Param<'_>]) -> Result<u64, SqlFaultKind> {
    sqlite
        .run(sql, params, &mut |_| Ok(()))
        .map_err(|fault| fault.kind)
}

fn leaked(sql: String) -> &'static str {
    sql.leak()
}

#[test]
fn statements_that_durable_objects_refuse() {
    let sqlite = database();
    for statement in [
        "BEGIN",
        "BEGIN IMMEDIATE",
        "COMMIT",
        "ROLLBACK",
        "SAVEPOINT turn",
        "RELEASE turn",
        "ATTACH ':memory:' AS other",
        "DETACH main",
        "VACUUM",
        "VACUUM INTO '/nowhere/copy.sqlite'",
        "CREATE TEMP TABLE t (a INTEGER)",
        "CREATE TEMP VIEW v AS SELECT 1",
        "CREATE TEMP TRIGGER tr AFTER INSERT ON rows BEGIN SELECT 1; END",
        "CREATE TABLE _cf_t (a INTEGER)",
        "CREATE TABLE _CF_t (a INTEGER)",
        "CREATE VIRTUAL TABLE v USING dbstat",
        "CREATE VIRTUAL TABLE v USING fts3 (a)",
        "PRAGMA user_version",
        "PRAGMA user_version = 3",
        "PRAGMA journal_mode = DELETE",
        "PRAGMA synchronous = OFF",
        "PRAGMA cache_size = 1",
        "PRAGMA integrity_check",
        "PRAGMA wal_checkpoint",
        "PRAGMA writable_schema = ON",
        "SELECT sqlite_version()",
        "SELECT load_extension('x')",
        "SELECT random()",
        "SELECT randomblob(4)",
        "SELECT datetime('now')",
        "SELECT unixepoch()",
        "SELECT CURRENT_TIMESTAMP",
        "SELECT log10(2)",
        "SELECT json_pretty('{}')",
        "SELECT 1; SELECT 2",
        "SELECT \"no such column\"",
    ] {
        assert_eq!(
            run(&sqlite, statement, &[]),
            Err(SqlFaultKind::Other),
            "{statement}"
        );
    }
}

#[test]
fn host_statements_in_the_cache_do_not_let_object_code_through() {
    let sqlite = database();
    for _ in 0..2 {
        sqlite
            .atomically(&mut |sql| {
                for statement in ["RELEASE turn", "ROLLBACK TO turn", "SAVEPOINT turn"] {
                    assert!(sql.run(statement, &[], &mut |_| Ok(())).is_err(), "{statement}");
                }
                Ok(())
            })
            .unwrap();
    }
}

#[test]
fn statements_that_durable_objects_take() {
    let sqlite = database();
    for statement in [
        "CREATE VIRTUAL TABLE words USING fts5 (body, tokenize = 'unicode61')",
        "INSERT INTO words (rowid, body) VALUES (1, 'hello world')",
        "SELECT highlight(words, 0, '<', '>'), snippet(words, 0, '', '', '', 5) FROM words WHERE words MATCH 'hello'",
        "DELETE FROM words WHERE rowid = 1",
        "INSERT INTO words (words) VALUES ('optimize')",
        "DROP TABLE words",
        "CREATE VIEW names AS SELECT name FROM rows",
        "CREATE TRIGGER tr AFTER INSERT ON parents BEGIN INSERT INTO children (parent) VALUES (new.id); END",
        "INSERT INTO parents (id) VALUES (1) RETURNING id",
        "INSERT INTO rows (object, name) VALUES (1, 'a') ON CONFLICT DO UPDATE SET data = excluded.data",
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10) SELECT max(i) FROM n",
        "SELECT value FROM json_each('[1,2,3]')",
        "SELECT '{\"a\":1}' ->> 'a', json_object('a', 1), jsonb('{}')",
        "SELECT row_number() OVER (ORDER BY name) FROM rows",
        "PRAGMA foreign_keys",
        "PRAGMA table_info(rows)",
        "ALTER TABLE rows ADD COLUMN more TEXT",
        "EXPLAIN QUERY PLAN SELECT * FROM rows WHERE object = 1",
        "ANALYZE",
    ] {
        run(&sqlite, statement, &[]).unwrap_or_else(|kind| panic!("{statement}: {kind:?}"));
    }
}

#[test]
fn limits_hold_and_include_their_last_value() {
    let sqlite = database();
    let list = |count: usize, item: &str| vec![item; count].join(", ");
    let columns = |count: usize| {
        let names: Vec<_> = (0..count).map(|n| format!("c{n} INTEGER")).collect();
        leaked(format!("CREATE TABLE wide{count} ({}) STRICT", names.join(", ")))
    };
    let nulls = [Param::Null; 101];
    let cases = [
        (leaked(format!("SELECT coalesce({})", list(32, "1"))), true),
        (leaked(format!("SELECT coalesce({})", list(33, "1"))), false),
        (columns(100), true),
        (columns(101), false),
        (leaked(["SELECT 1"; 5].join(" UNION ALL ")), true),
        (leaked(["SELECT 1"; 6].join(" UNION ALL ")), false),
        (
            leaked(format!("SELECT 1 WHERE 'a' LIKE '{}'", "x".repeat(50))),
            true,
        ),
        (
            leaked(format!("SELECT 1 WHERE 'a' LIKE '{}'", "x".repeat(51))),
            false,
        ),
        (leaked(format!("SELECT '{}'", "x".repeat(100_000 - 9))), true),
        (leaked(format!("SELECT '{}'", "x".repeat(100_000 - 8))), false),
        (leaked(format!("SELECT 1{}", "+1".repeat(98))), true),
        (leaked(format!("SELECT 1{}", "+1".repeat(101))), false),
    ];
    for (statement, fits) in cases {
        let shown = statement.get(..60).unwrap_or(statement);
        let expected = if fits { Ok(0) } else { Err(SqlFaultKind::Limit) };
        assert_eq!(
            run(&sqlite, statement, &[]),
            expected,
            "{shown} of {}",
            statement.len()
        );
    }
    let in_list = |count: usize| leaked(format!("SELECT 1 WHERE 1 IN ({})", list(count, "?")));
    assert_eq!(run(&sqlite, in_list(100), &nulls[..100]), Ok(0));
    assert_eq!(run(&sqlite, in_list(101), &nulls), Err(SqlFaultKind::Limit));
}

#[test]
fn values_up_to_their_limit_are_stored_and_larger_ones_refused() {
    let sqlite = database();
    let insert = "INSERT INTO rows (object, name, data) VALUES (?1, 'n', ?2)";
    let bytes = vec![7; VALUE_MAX_BYTES + 8_192];
    let largest = Param::Blob(&bytes[..VALUE_MAX_BYTES]);
    assert_eq!(run(&sqlite, insert, &[Param::Integer(1), largest]), Ok(1));
    let larger = Param::Blob(&bytes);
    assert_eq!(
        run(&sqlite, insert, &[Param::Integer(2), larger]),
        Err(SqlFaultKind::Limit)
    );
}

#[test]
fn the_number_of_parameters_has_to_be_right() {
    let sqlite = database();
    for (given, fits) in [(0, false), (1, true), (2, false)] {
        let params = vec![Param::Integer(1); given];
        assert_eq!(run(&sqlite, "SELECT ?1", &params).is_ok(), fits, "{given}");
    }
}

#[test]
fn constraints_have_their_own_kind_of_fault() {
    let sqlite = database();
    let one = [Param::Integer(1), Param::Text("a")];
    let insert = "INSERT INTO rows (object, name) VALUES (?1, ?2)";
    assert_eq!(run(&sqlite, insert, &one), Ok(1));
    assert_eq!(run(&sqlite, insert, &one), Err(SqlFaultKind::Constraint));
    let mistyped = [Param::Text("no integer"), Param::Text("a")];
    assert_eq!(run(&sqlite, insert, &mistyped), Err(SqlFaultKind::Constraint));
    let orphan = "INSERT INTO children (id, parent) VALUES (1, 99)";
    assert_eq!(run(&sqlite, orphan, &[]), Err(SqlFaultKind::Constraint));
}

#[test]
fn numbers_that_workers_would_change_are_refused() {
    let sqlite = database();
    for statement in [
        "SELECT 0.5",
        "SELECT 9007199254740992",
        "SELECT CAST(x'ff' AS TEXT)",
    ] {
        assert_eq!(
            run(&sqlite, statement, &[]),
            Err(SqlFaultKind::Mistyped),
            "{statement}"
        );
    }
    assert_eq!(run(&sqlite, "SELECT 9007199254740991", &[]), Ok(0));
}
