//! Stored filters (spec: client-server-api §filtering). They are never changed, so the same filter gets the same id.

use selvage_object::{Failure, Fault, Param, Refusal, Turn};
use selvage_protocol::user::PutFilter;
use selvage_protocol::{Json, errcode};
use serde_json::value::RawValue;

/// The longest filter, in bytes.
const FILTER_MAX_BYTES: usize = 65_536;
/// The most filters of one user; clients make one or two each.
const FILTERS_MAX: u64 = 1_000;

/// Stores a filter, unless it is there already, and returns its id.
pub(crate) fn put(turn: &Turn<'_>, command: &PutFilter) -> Result<String, Failure> {
    let filter = command.filter.get();
    if filter.len() > FILTER_MAX_BYTES {
        return Err(Refusal::new(errcode::TOO_LARGE, "this filter is too large").into());
    }
    let text = Param::Text(filter);
    if let Some(row) = turn.row(
        "SELECT filter_id FROM user_filters WHERE object = ?1 AND filter = ?2",
        &[text],
    )? {
        return Ok(row.integer(0)?.to_string());
    }
    let count = turn.row("SELECT count(*) FROM user_filters WHERE object = ?1", &[])?;
    let next = count.map_or(Ok(0), |row| row.number(0))?;
    if next >= FILTERS_MAX {
        return Err(Refusal::new(errcode::LIMIT_EXCEEDED, "this user has too many filters").into());
    }
    let sql = "INSERT INTO user_filters (object, filter_id, filter) VALUES (?1, ?2, ?3)";
    turn.write(sql, &[Param::number(next), text])?;
    Ok(next.to_string())
}

/// The filter of this id, if there is one.
pub(crate) fn get(turn: &Turn<'_>, filter_id: &str) -> Result<Option<Json>, Fault> {
    let Ok(number) = filter_id.parse::<u32>() else {
        return Ok(None);
    };
    let sql = "SELECT filter FROM user_filters WHERE object = ?1 AND filter_id = ?2";
    let Some(mut row) = turn.row(sql, &[Param::number(number.into())])? else {
        return Ok(None);
    };
    let filter = RawValue::from_string(row.text(0)?).map_err(|error| Fault::corrupt(error.to_string()))?;
    Ok(Some(filter))
}
