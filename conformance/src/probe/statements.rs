//! Statements at the edge of what both hosts understand.

/// What a host does with a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It runs, and gives so many rows.
    Rows(u64),
    /// It is refused.
    Refused,
}

/// A statement, its name, and what every host does with it.
#[derive(Clone, Copy, Debug)]
pub struct Statement {
    /// The name.
    pub name: &'static str,
    /// The text. `?1` is the probe's number, and the only parameter.
    pub sql: &'static str,
    /// What comes of it.
    pub verdict: Verdict,
}

const fn refused(name: &'static str, sql: &'static str) -> Statement {
    Statement {
        name,
        sql,
        verdict: Verdict::Refused,
    }
}

const fn runs(name: &'static str, sql: &'static str, rows: u64) -> Statement {
    Statement {
        name,
        sql,
        verdict: Verdict::Rows(rows),
    }
}

/// Every statement that the suite runs.
pub const STATEMENTS: &[Statement] = &[
    refused("attach", "ATTACH ?1 AS other"),
    refused("vacuum", "VACUUM INTO ?1"),
    refused("temporary table", "CREATE TEMP TABLE mine AS SELECT ?1"),
    refused("schema version", "SELECT * FROM pragma_user_version WHERE ?1"),
    refused("journal mode", "SELECT * FROM pragma_journal_mode WHERE ?1"),
    refused("too few parameters", "SELECT ?1, ?2"),
    refused("no parameter", "SELECT 1"),
    refused("library version", "SELECT sqlite_version() WHERE ?1"),
    refused("load extension", "SELECT load_extension('x') WHERE ?1"),
    refused("json pretty", "SELECT json_pretty('[1]') WHERE ?1"),
    refused(
        "six compound terms",
        "SELECT ?1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6",
    ),
    refused(
        "long pattern",
        "SELECT 1 WHERE ?1 AND 'a' LIKE '012345678901234567890123456789012345678901234567890'",
    ),
    refused("no such table", "SELECT * FROM nowhere WHERE a = ?1"),
    refused("no such function", "SELECT nothing(?1)"),
    refused("syntax", "SELEC ?1"),
    refused(
        "text in an integer column",
        "INSERT INTO probe_sums (object, name, sum) VALUES (?1, 'typed', 'a')",
    ),
    refused(
        "null where none may be",
        "INSERT INTO probe_sums (object, name, sum) VALUES (?1, 'typed', NULL)",
    ),
    refused(
        "no such parent",
        "INSERT INTO probe_children (object, name) VALUES (?1, 'orphan')",
    ),
    runs(
        "five compound terms",
        "SELECT ?1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5",
        5,
    ),
    runs("pattern", "SELECT 1 WHERE ?1 AND 'ab' LIKE 'a%'", 1),
    runs(
        "returning",
        "INSERT INTO probe_sums (object, name, sum) VALUES (?1, 'returning', 1) ON CONFLICT DO UPDATE SET sum = 2 RETURNING sum",
        1,
    ),
    runs(
        "window",
        "SELECT row_number() OVER (ORDER BY value) FROM json_each('[3,1,2]') WHERE ?1",
        3,
    ),
    runs(
        "recursion",
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) SELECT i FROM n WHERE ?1",
        500,
    ),
    runs("json", "SELECT '{\"a\":[1,2]}' ->> '$.a[1]' WHERE ?1", 1),
    runs("hex", "SELECT hex(zeroblob(3)), substr('abc', ?1, 1)", 1),
    runs(
        "full text",
        "SELECT rowid FROM probe_words WHERE probe_words MATCH 'nothing' AND ?1",
        0,
    ),
];
