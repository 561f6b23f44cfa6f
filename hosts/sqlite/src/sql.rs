//! Running one statement.

use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection};
use selvage_object::{INTEGER_MAX, Param, Row, SqlFault, SqlFaultKind, Value};

use crate::fault::fault;

struct Bound<'a>(Param<'a>);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Param::Null => ValueRef::Null,
            Param::Integer(integer) => ValueRef::Integer(integer),
            Param::Text(text) => ValueRef::Text(text.as_bytes()),
            Param::Blob(blob) => ValueRef::Blob(blob),
        }))
    }
}

/// Runs a statement to its end and returns how many rows it changed.
pub(crate) fn run(
    connection: &Connection,
    sql: &str,
    params: &[Param<'_>],
    each: &mut dyn FnMut(Row) -> Result<(), SqlFault>,
) -> Result<u64, SqlFault> {
    let mut statement = connection.prepare_cached(sql).map_err(fault)?;
    bind(&mut statement, params)?;
    let before = connection.total_changes();
    let columns = statement.column_count();
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next().map_err(fault)? {
        each(read(row, columns)?)?;
    }
    Ok(connection.total_changes().saturating_sub(before))
}

/// Durable Objects refuse too few as well as too many parameters; SQLite would take NULL for those that lack.
fn bind(statement: &mut CachedStatement<'_>, params: &[Param<'_>]) -> Result<(), SqlFault> {
    let (wanted, given) = (statement.parameter_count(), params.len());
    if wanted != given {
        let message = format!("{given} parameters for a statement with {wanted}");
        return Err(SqlFault::new(SqlFaultKind::Other, message));
    }
    for (index, param) in params.iter().enumerate() {
        statement
            .raw_bind_parameter(index + 1, Bound(*param))
            .map_err(fault)?;
    }
    Ok(())
}

fn read(row: &rusqlite::Row<'_>, columns: usize) -> Result<Row, SqlFault> {
    (0..columns)
        .map(|column| value(column, row.get_ref(column).map_err(fault)?))
        .collect::<Result<_, _>>()
        .map(Row)
}

fn value(column: usize, value: ValueRef<'_>) -> Result<Value, SqlFault> {
    let mistyped =
        |what: &str| SqlFault::new(SqlFaultKind::Mistyped, format!("column {column} holds {what}"));
    match value {
        ValueRef::Null => Ok(Value::Null),
        ValueRef::Integer(integer) if integer.unsigned_abs() > INTEGER_MAX.unsigned_abs() => {
            Err(mistyped("an integer that Workers would round"))
        }
        ValueRef::Integer(integer) => Ok(Value::Integer(integer)),
        ValueRef::Real(_) => Err(mistyped("a floating-point number")),
        ValueRef::Text(text) => String::from_utf8(text.to_vec())
            .map(Value::Text)
            .map_err(|_| mistyped("a text that is not UTF-8")),
        ValueRef::Blob(blob) => Ok(Value::Blob(blob.to_vec())),
    }
}
