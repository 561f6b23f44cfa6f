//! Canonical JSON of room versions 1 to 5, where numbers may be anything.
//!
//! The events of those versions were hashed by Python's `json.dumps`: integers keep all their digits, floats are
//! written with the shortest digits that read back the same, exponents from 1e16 and below 1e-4.
//! spec: `rooms/v1 §Canonical JSON` ("must not strictly enforce").

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Number;
use serde_json::value::RawValue;

use super::{CanonicalError, write_string};
use crate::limits::MAX_NESTING_RECEIVED;

/// From this power of ten on, Python writes an exponent.
const EXPONENT_FROM: i32 = 16;

/// Below this power of ten, Python writes an exponent.
const EXPONENT_BELOW: i32 = -4;

/// Reads JSON and writes it canonically. The text of every level is scanned once more for the level below it, so
/// the cost is the size times the depth, both bounded.
pub(super) fn canonicalise(bytes: &[u8]) -> Result<String, CanonicalError> {
    let raw: &RawValue = serde_json::from_slice(bytes).map_err(|_| CanonicalError::NotJson)?;
    let mut out = String::with_capacity(bytes.len());
    value(&mut out, raw, MAX_NESTING_RECEIVED)?;
    Ok(out)
}

fn value(out: &mut String, raw: &RawValue, nesting: usize) -> Result<(), CanonicalError> {
    match raw.get().as_bytes().first() {
        Some(b'{') => object(out, raw, nesting),
        Some(b'[') => array(out, raw, nesting),
        Some(b'"') => {
            let text: String = read(raw)?;
            write_string(out, &text);
            Ok(())
        }
        Some(b't' | b'f' | b'n') => {
            out.push_str(raw.get());
            Ok(())
        }
        _ => number_text(out, raw.get()),
    }
}

fn object(out: &mut String, raw: &RawValue, nesting: usize) -> Result<(), CanonicalError> {
    let inner = nesting.checked_sub(1).ok_or(CanonicalError::TooDeep)?;
    let entries: BTreeMap<String, &RawValue> = read(raw)?;
    out.push('{');
    for (index, (key, entry)) in entries.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_string(out, &key);
        out.push(':');
        value(out, entry, inner)?;
    }
    out.push('}');
    Ok(())
}

fn array(out: &mut String, raw: &RawValue, nesting: usize) -> Result<(), CanonicalError> {
    let inner = nesting.checked_sub(1).ok_or(CanonicalError::TooDeep)?;
    let items: Vec<&RawValue> = read(raw)?;
    out.push('[');
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        value(out, item, inner)?;
    }
    out.push(']');
    Ok(())
}

fn read<'a, T: serde::Deserialize<'a>>(raw: &'a RawValue) -> Result<T, CanonicalError> {
    serde_json::from_str(raw.get()).map_err(|_| CanonicalError::NotJson)
}

fn number_text(out: &mut String, text: &str) -> Result<(), CanonicalError> {
    let is_integer = text.bytes().all(|c| c.is_ascii_digit() || c == b'-');
    if is_integer {
        out.push_str(if text == "-0" { "0" } else { text });
        return Ok(());
    }
    let float: f64 = text.parse().map_err(|_| CanonicalError::NotJson)?;
    write_float(out, float)
}

/// Writes a number that was read by `serde_json`.
pub(super) fn write_number(out: &mut String, number: &Number) -> Result<(), CanonicalError> {
    if number.is_f64() {
        return write_float(out, number.as_f64().unwrap_or(f64::NAN));
    }
    // Writing into a String cannot fail.
    let _ = write!(out, "{number}");
    Ok(())
}

/// Writes a float as Python's `repr` does.
fn write_float(out: &mut String, float: f64) -> Result<(), CanonicalError> {
    if !float.is_finite() {
        return Err(CanonicalError::NotJson);
    }
    let scientific = format!("{float:e}");
    let (mantissa, exponent) = scientific.split_once('e').ok_or(CanonicalError::NotJson)?;
    let exponent: i32 = exponent.parse().map_err(|_| CanonicalError::NotJson)?;
    if (EXPONENT_BELOW..EXPONENT_FROM).contains(&exponent) {
        let plain = format!("{float}");
        out.push_str(&plain);
        if !plain.contains('.') {
            out.push_str(".0");
        }
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        let _ = write!(out, "{mantissa}e{sign}{:02}", exponent.unsigned_abs());
    }
    Ok(())
}
