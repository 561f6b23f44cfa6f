//! Schemas and their versions, each kept in a table and brought up to date when a shard wakes.

use crate::{Failure, Fault, Param, Refusal, Sql, SqlFault, Storage};

/// One step of a schema: some statements that bring it from the version before to this one.
pub type Migration = &'static [&'static str];

/// Why a shard could not be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// A newer Selvage wrote these data.
    #[error(
        "the data were written by a newer version: schema {name} is at {found}, this version knows {known}"
    )]
    Newer {
        /// Whose schema it is.
        name: &'static str,
        /// The version in the database.
        found: u64,
        /// The newest version that this program knows.
        known: u64,
    },
    /// The database refused or failed.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<SqlFault> for OpenError {
    fn from(fault: SqlFault) -> Self {
        Self::Fault(Fault::Sql(fault))
    }
}

const VERSIONS_TABLE: &str = "CREATE TABLE IF NOT EXISTS schema_versions (name TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT, WITHOUT ROWID";

/// Brings the schema `name` to its newest version, in one savepoint.
pub(crate) fn migrate(
    storage: &dyn Storage,
    name: &'static str,
    steps: &[Migration],
) -> Result<(), OpenError> {
    let known = steps.len() as u64;
    let found = version(storage.sql(), name)?;
    if found > known {
        return Err(OpenError::Newer { name, found, known });
    }
    if found == known {
        return Ok(());
    }
    let missing = steps.iter().skip(usize::try_from(found).unwrap_or(usize::MAX));
    storage
        .atomically(&mut |sql| Ok(apply(sql, name, missing.clone(), known)?))
        .map_err(|failure| match failure {
            Failure::Fault(fault) => OpenError::Fault(fault),
            Failure::Refusal(Refusal { message, .. }) => OpenError::Fault(Fault::corrupt(message)),
        })
}

/// Makes the table that all versions stand in; the first thing that happens to a new database.
pub(crate) fn prepare(sql: &dyn Sql) -> Result<(), SqlFault> {
    run(sql, VERSIONS_TABLE, &[])
}

fn version(sql: &dyn Sql, name: &str) -> Result<u64, SqlFault> {
    let mut version = 0;
    sql.run(
        "SELECT version FROM schema_versions WHERE name = ?1",
        &[Param::Text(name)],
        &mut |row| {
            version = row.number(0)?;
            Ok(())
        },
    )?;
    Ok(version)
}

fn apply<'a>(
    sql: &dyn Sql,
    name: &str,
    missing: impl Iterator<Item = &'a Migration>,
    known: u64,
) -> Result<(), SqlFault> {
    for statement in missing.flat_map(|step| step.iter()) {
        run(sql, statement, &[])?;
    }
    let set = "INSERT INTO schema_versions (name, version) VALUES (?1, ?2) \
               ON CONFLICT (name) DO UPDATE SET version = excluded.version";
    run(sql, set, &[Param::Text(name), Param::number(known)])
}

fn run(sql: &dyn Sql, statement: &'static str, params: &[Param<'_>]) -> Result<(), SqlFault> {
    sql.run(statement, params, &mut |_| Ok(())).map(|_| ())
}
