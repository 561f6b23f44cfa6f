//! Values and statements: what goes into the database comes out of it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use selvage_object::{Failure, Fault, Param, Refusal, Row, Turn, Value};
use sha2::{Digest as _, Sha256};

use super::command::{Datum, Digest};
use super::statements::STATEMENTS;

const PUT: &str = "INSERT INTO probe_values (object, slot, number, text, blob) VALUES (?1, ?2, ?3, ?4, ?5) \
                   ON CONFLICT DO UPDATE SET number = excluded.number, text = excluded.text, blob = excluded.blob";
const GET: &str = "SELECT number, text, blob FROM probe_values WHERE object = ?1 AND slot = ?2";
/// A statement with as many parameters as there may be.
const BIND: &str = "SELECT ?1, ?100";

/// Stores a value.
pub(super) fn put(turn: &Turn<'_>, slot: &str, value: &Datum) -> Result<(), Failure> {
    let blob = match value {
        Datum::Blob(text) => STANDARD
            .decode(text)
            .map_err(|error| Fault::corrupt(error.to_string()))?,
        _ => Vec::new(),
    };
    let (number, text, blob) = match value {
        Datum::Null => (Param::Null, Param::Null, Param::Null),
        Datum::Integer(integer) => (Param::Integer(*integer), Param::Null, Param::Null),
        Datum::Text(text) => (Param::Null, Param::Text(text), Param::Null),
        Datum::Blob(_) => (Param::Null, Param::Null, Param::Blob(&blob)),
    };
    Ok(turn.write(PUT, &[Param::Text(slot), number, text, blob])?)
}

/// Stores a long value.
pub(super) fn put_long(turn: &Turn<'_>, slot: &str, bytes: usize, text: bool) -> Result<(), Failure> {
    let long = "x".repeat(bytes);
    let (text, blob) = if text {
        (Param::Text(&long), Param::Null)
    } else {
        (Param::Null, Param::Blob(long.as_bytes()))
    };
    Ok(turn.write(PUT, &[Param::Text(slot), Param::Null, text, blob])?)
}

/// Reads a value.
pub(super) fn get(turn: &Turn<'_>, slot: &str) -> Result<Option<Datum>, Failure> {
    let Some(Row(values)) = turn.row(GET, &[Param::Text(slot)])? else {
        return Ok(None);
    };
    let stored = values.into_iter().find(|value| *value != Value::Null);
    Ok(Some(match stored.unwrap_or(Value::Null) {
        Value::Null => Datum::Null,
        Value::Integer(integer) => Datum::Integer(integer),
        Value::Text(text) => Datum::Text(text),
        Value::Blob(blob) => Datum::Blob(STANDARD.encode(blob)),
    }))
}

/// Reads what a value is without sending it anywhere.
pub(super) fn digest(turn: &Turn<'_>, slot: &str) -> Result<Option<Digest>, Failure> {
    let Some(Row(values)) = turn.row(GET, &[Param::Text(slot)])? else {
        return Ok(None);
    };
    let bytes = values.into_iter().find_map(|value| match value {
        Value::Text(text) => Some(text.into_bytes()),
        Value::Blob(blob) => Some(blob),
        Value::Null | Value::Integer(_) => None,
    });
    Ok(bytes.map(|bytes| Digest {
        bytes: bytes.len(),
        sha256: STANDARD.encode(Sha256::digest(&bytes)),
    }))
}

/// Runs a statement of the suite.
pub(super) fn run(turn: &Turn<'_>, name: &str) -> Result<u64, Failure> {
    let statement = STATEMENTS.iter().find(|statement| statement.name == name);
    let statement = statement.ok_or_else(|| Refusal::new("M_NOT_FOUND", "no such statement"))?;
    let mut rows = 0;
    turn.each(statement.sql, &[], &mut |_| {
        rows += 1;
        Ok(())
    })?;
    Ok(rows)
}

/// Binds so many parameters, the probe's number among them; replies how many values came back.
pub(super) fn bind(turn: &Turn<'_>, parameters: usize) -> Result<usize, Failure> {
    let params = vec![Param::Integer(7); parameters.saturating_sub(1)];
    let row = turn.row(BIND, &params)?;
    Ok(row.map_or(0, |Row(values)| {
        values.iter().filter(|value| **value != Value::Null).count()
    }))
}
