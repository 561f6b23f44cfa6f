//! Canonical JSON: the one encoding of a JSON value that is hashed and signed.
//!
//! Room versions from 6 on are strict: integers in ±(2^53 - 1) and nothing else. Before, whatever a server sent
//! must be hashed as it would write it, so the lenient mode writes numbers as Synapse (Python) does, which made
//! most of those events. spec: `appendices §Canonical JSON`, `rooms/v6 §Canonical JSON`.

use serde_json::{Number, Value};

use crate::Map;
use crate::limits::{MAX_CANONICAL_INT, MAX_NESTING_RECEIVED};

mod lenient;
pub(crate) mod members;
#[cfg(test)]
mod tests;

/// Why a value has no canonical form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CanonicalError {
    /// A number with a fraction, an exponent, or negative zero.
    #[error("a number is not an integer")]
    NotAnInteger,
    /// An integer beyond ±(2^53 - 1).
    #[error("an integer is out of range")]
    IntegerOutOfRange,
    /// Arrays and objects nested deeper than the limit.
    #[error("nested too deeply")]
    TooDeep,
    /// The bytes are not JSON in UTF-8, or hold a lone surrogate.
    #[error("not JSON")]
    NotJson,
    /// JSON, but not an object.
    #[error("not a JSON object")]
    NotAnObject,
}

/// How numbers are treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Integers in ±(2^53 - 1) only (room versions from 6 on, and everything that is no event).
    Strict,
    /// Any number (room versions 1 to 5).
    Lenient,
}

impl Mode {
    /// The mode of a room version's events.
    #[must_use]
    pub fn of(rules: &crate::Rules) -> Self {
        if rules.strict_json {
            Self::Strict
        } else {
            Self::Lenient
        }
    }
}

/// The canonical form of an object, strict.
///
/// # Errors
/// [`CanonicalError`] names what canonical JSON cannot hold.
pub fn to_canonical(object: &Map) -> Result<String, CanonicalError> {
    object_to_canonical(object, Mode::Strict, MAX_NESTING_RECEIVED)
}

/// The canonical form of an object in the given mode, at most `max_nesting` deep (the object itself is 1).
///
/// # Errors
/// [`CanonicalError`] names what canonical JSON cannot hold.
pub fn object_to_canonical(object: &Map, mode: Mode, max_nesting: usize) -> Result<String, CanonicalError> {
    let mut writer = Writer {
        out: String::with_capacity(512),
        mode,
    };
    writer.object(object, max_nesting)?;
    Ok(writer.out)
}

/// The canonical form of any value in the given mode.
///
/// # Errors
/// [`CanonicalError`] names what canonical JSON cannot hold.
pub fn value_to_canonical(value: &Value, mode: Mode, max_nesting: usize) -> Result<String, CanonicalError> {
    let mut writer = Writer {
        out: String::new(),
        mode,
    };
    writer.value(value, max_nesting)?;
    Ok(writer.out)
}

/// Reads an object from bytes. A key that comes twice counts once, with its last value, as everywhere in the
/// network; lone surrogates and nesting over 127 are refused.
///
/// # Errors
/// [`CanonicalError::NotJson`], [`CanonicalError::NotAnObject`].
pub fn parse_object(bytes: &[u8]) -> Result<Map, CanonicalError> {
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(CanonicalError::NotAnObject),
        Err(_) => Err(CanonicalError::NotJson),
    }
}

/// Lenient canonical form of any value, straight from the bytes, so that integers of any length keep their digits.
///
/// # Errors
/// [`CanonicalError::NotJson`], [`CanonicalError::TooDeep`].
pub fn lenient_from_bytes(bytes: &[u8]) -> Result<String, CanonicalError> {
    lenient::canonicalise(bytes)
}

struct Writer {
    out: String,
    mode: Mode,
}

impl Writer {
    fn value(&mut self, value: &Value, nesting: usize) -> Result<(), CanonicalError> {
        match value {
            Value::Null => self.out.push_str("null"),
            Value::Bool(true) => self.out.push_str("true"),
            Value::Bool(false) => self.out.push_str("false"),
            Value::Number(number) => self.number(number)?,
            Value::String(text) => write_string(&mut self.out, text),
            Value::Array(items) => self.array(items, nesting)?,
            Value::Object(object) => self.object(object, nesting)?,
        }
        Ok(())
    }

    fn array(&mut self, items: &[Value], nesting: usize) -> Result<(), CanonicalError> {
        let inner = nesting.checked_sub(1).ok_or(CanonicalError::TooDeep)?;
        self.out.push('[');
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.out.push(',');
            }
            self.value(item, inner)?;
        }
        self.out.push(']');
        Ok(())
    }

    fn object(&mut self, object: &Map, nesting: usize) -> Result<(), CanonicalError> {
        let inner = nesting.checked_sub(1).ok_or(CanonicalError::TooDeep)?;
        self.out.push('{');
        if object.keys().is_sorted() {
            self.entries(object.iter(), inner)?;
        } else {
            // Only when some crate in the build turns on serde_json's `preserve_order`.
            let mut entries: Vec<_> = object.iter().collect();
            entries.sort_unstable_by_key(|(key, _)| *key);
            self.entries(entries.into_iter(), inner)?;
        }
        self.out.push('}');
        Ok(())
    }

    fn entries<'a>(
        &mut self,
        entries: impl Iterator<Item = (&'a String, &'a Value)>,
        nesting: usize,
    ) -> Result<(), CanonicalError> {
        for (index, (key, value)) in entries.enumerate() {
            if index > 0 {
                self.out.push(',');
            }
            write_string(&mut self.out, key);
            self.out.push(':');
            self.value(value, nesting)?;
        }
        Ok(())
    }

    fn number(&mut self, number: &Number) -> Result<(), CanonicalError> {
        if self.mode == Mode::Lenient {
            return lenient::write_number(&mut self.out, number);
        }
        let Some(integer) = number.as_i64() else {
            let whole = number.as_u64().is_some();
            return Err(if whole {
                CanonicalError::IntegerOutOfRange
            } else {
                CanonicalError::NotAnInteger
            });
        };
        if !(-MAX_CANONICAL_INT..=MAX_CANONICAL_INT).contains(&integer) {
            return Err(CanonicalError::IntegerOutOfRange);
        }
        write_integer(&mut self.out, integer);
        Ok(())
    }
}

/// Writes an integer in decimal.
pub(crate) fn write_integer(out: &mut String, integer: i64) {
    use std::fmt::Write as _;
    // Writing into a String cannot fail.
    let _ = write!(out, "{integer}");
}

/// Writes a string with the shortest escapes. spec: `appendices §Grammar`
pub(crate) fn write_string(out: &mut String, text: &str) {
    out.push('"');
    let mut rest = text;
    while let Some(at) = rest.bytes().position(needs_escape) {
        let (plain, from) = rest.split_at_checked(at).unwrap_or((rest, ""));
        out.push_str(plain);
        let mut chars = from.chars();
        if let Some(escaped) = chars.next() {
            write_escape(out, escaped);
        }
        rest = chars.as_str();
    }
    out.push_str(rest);
    out.push('"');
}

fn needs_escape(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

fn write_escape(out: &mut String, escaped: char) {
    use std::fmt::Write as _;
    match escaped {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\u{8}' => out.push_str("\\b"),
        '\t' => out.push_str("\\t"),
        '\n' => out.push_str("\\n"),
        '\u{c}' => out.push_str("\\f"),
        '\r' => out.push_str("\\r"),
        other => {
            // Writing into a String cannot fail.
            let _ = write!(out, "\\u{:04x}", u32::from(other));
        }
    }
}
