//! The grammar of the header (RFC 9110 §11.4, and what servers of old send).

use std::collections::BTreeMap;

use http::HeaderValue;
use selvage_event::ServerName;

use super::XMatrix;

const SCHEME: &str = "X-Matrix";

/// The parameters of a header of the scheme; `None` for another scheme.
pub(super) fn of_scheme(value: &HeaderValue) -> Option<&str> {
    let text = value.to_str().ok()?.trim();
    let (scheme, params) = text.split_once(' ').unwrap_or((text, ""));
    scheme.eq_ignore_ascii_case(SCHEME).then_some(params)
}

/// Reads the parameters.
pub(super) fn parse(text: &str) -> Option<XMatrix> {
    let mut params = params(text)?;
    let mut name = |of: &str| params.remove(of).map(ServerName::parse);
    let origin = name("origin")?.ok()?;
    let destination = name("destination").transpose().ok()?;
    Some(XMatrix {
        origin,
        destination,
        signatures: BTreeMap::from([(params.remove("key")?, params.remove("sig")?)]),
    })
}

/// All parameters by their names in lower case; `None` when one comes twice or something is in no place.
fn params(text: &str) -> Option<BTreeMap<String, String>> {
    let mut params = BTreeMap::new();
    let mut rest = text.trim_start_matches([' ', '\t', ',']);
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=')?;
        let (value, after) = value(after.trim_start())?;
        let name = name.trim().to_ascii_lowercase();
        if name.is_empty() || params.insert(name, value).is_some() {
            return None;
        }
        let after = after.trim_start();
        if !after.is_empty() && !after.starts_with(',') {
            return None;
        }
        rest = after.trim_start_matches([' ', '\t', ',']);
    }
    Some(params)
}

/// A value and what comes after it.
fn value(text: &str) -> Option<(String, &str)> {
    match text.strip_prefix('"') {
        Some(quoted) => unquote(quoted),
        None => {
            let end = text.find([',', ' ', '\t']).unwrap_or(text.len());
            let (value, rest) = text.split_at_checked(end)?;
            Some((value.to_owned(), rest))
        }
    }
}

/// The text up to the closing quotation mark, in which a backslash quotes the next character.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, text.get(at + 1..)?)),
            '\\' => value.push(chars.next()?.1),
            _ => value.push(c),
        }
    }
    None
}
