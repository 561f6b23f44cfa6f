//! Parsing what clients send.

use percent_encoding::percent_decode_str;
use selvage_protocol::{Json, errcode};
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::ApiError;

/// The deepest nesting of arrays and objects in a body. Events may be 100 deep, and lie one level down in `createRoom`'s.
const NESTING_MAX: usize = 110;

/// Parses a JSON object. No body at all counts as `{}`, for clients that leave it out where nothing is required.
///
/// # Errors
/// `M_NOT_JSON` when it is none, `M_BAD_JSON` when it has another shape.
pub(crate) fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    let text = text(body)?;
    let parsed = if text.starts_with('{') {
        serde_json::from_str(text).map_err(|error| error.to_string())
    } else {
        // serde takes arrays for structs too; the API knows objects only.
        Err("not a JSON object".to_owned())
    };
    parsed.map_err(|problem| fault(text, problem))
}

/// What is wrong with a text that was not understood. serde stops at the first problem, which may be one of shape before one
/// of grammar, so the grammar is looked at alone.
fn fault(text: &str, problem: String) -> ApiError {
    match serde_json::from_str::<IgnoredAny>(text) {
        Ok(_) => ApiError::bad_json(problem),
        Err(error) => ApiError::new(errcode::NOT_JSON, error.to_string()),
    }
}

/// Takes a JSON object without looking into it.
///
/// # Errors
/// As for [`json`].
pub(crate) fn raw_object(body: &[u8]) -> Result<Json, ApiError> {
    json(body)
}

/// Takes a JSON object that is not an event, after reading all of it: what cannot be read back is refused here.
///
/// # Errors
/// As for [`json`].
pub(crate) fn checked_object(body: &[u8]) -> Result<Json, ApiError> {
    json::<serde_json::Map<String, serde_json::Value>>(body)?;
    raw_object(body)
}

fn text(body: &[u8]) -> Result<&str, ApiError> {
    let text = std::str::from_utf8(body)
        .map_err(|_| ApiError::new(errcode::NOT_JSON, "the body is not UTF-8"))?
        .trim_ascii();
    if nesting(text) > NESTING_MAX {
        return Err(ApiError::bad_json("the body is nested too deeply"));
    }
    Ok(if text.is_empty() { "{}" } else { text })
}

/// The deepest nesting of brackets outside of strings.
fn nesting(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut in_string, mut escaped) = (false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => depth += 1,
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// Parses the query of a URI.
///
/// # Errors
/// `M_INVALID_PARAM`.
pub(crate) fn query<T: DeserializeOwned>(query: Option<&str>) -> Result<T, ApiError> {
    let parsed = serde_html_form::from_str(query.unwrap_or_default());
    parsed.map_err(|error| ApiError::invalid_param(format!("query: {error}")))
}

/// Decodes one segment of a path.
///
/// # Errors
/// `M_INVALID_PARAM` when it is not UTF-8.
pub(crate) fn segment(raw: &str) -> Result<String, ApiError> {
    let decoded = percent_decode_str(raw).decode_utf8();
    let decoded = decoded.map_err(|_| ApiError::invalid_param("the path is not UTF-8"))?;
    Ok(decoded.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[derive(Debug, serde::Deserialize)]
    struct Named {
        name: Option<String>,
    }

    fn errcode_of(body: &[u8]) -> String {
        json::<Named>(body).unwrap_err().errcode.into_owned()
    }

    #[test]
    fn no_body_is_an_empty_object() {
        for body in ["", " \r\n\t", "{}", r#"{"name":null}"#] {
            assert_eq!(json::<Named>(body.as_bytes()).unwrap().name, None, "{body:?}");
        }
    }

    #[test]
    fn bodies_that_are_no_json_differ_from_those_of_another_shape() {
        for body in [
            "{",
            "nonsense",
            r#"{"name":"a"} more"#,
            r#"{"name":1}{}"#,
            "[1",
            "{'name':1}",
        ] {
            assert_eq!(errcode_of(body.as_bytes()), "M_NOT_JSON", "{body}");
        }
        assert_eq!(errcode_of(b"{\"name\":\"\xff\"}"), "M_NOT_JSON");
        for body in [r#"{"name":1}"#, r#"{"name":"\ud800"}"#, "[1]", "1", "null"] {
            assert_eq!(errcode_of(body.as_bytes()), "M_BAD_JSON", "{body}");
        }
    }

    #[test]
    fn deep_nesting_is_refused_and_brackets_in_strings_do_not_count() {
        let nested =
            |levels: usize| format!("{{\"a\":{}{}}}", "[".repeat(levels - 1), "]".repeat(levels - 1));
        assert!(json::<Value>(nested(NESTING_MAX).as_bytes()).is_ok());
        assert_eq!(errcode_of(nested(NESTING_MAX + 1).as_bytes()), "M_BAD_JSON");
        let text = json!({ "name": format!("\"\\{}", "[{".repeat(1_000)) }).to_string();
        assert!(json::<Named>(text.as_bytes()).is_ok());
    }

    #[test]
    fn raw_objects_keep_every_byte() {
        let body = r#"{ "b": 1.50, "a": 12345678901234567890 }"#;
        assert_eq!(raw_object(body.as_bytes()).unwrap().get(), body);
        assert_eq!(raw_object(b"[]").unwrap_err().errcode, "M_BAD_JSON");
    }

    #[test]
    fn segments_are_decoded_once() {
        assert_eq!(segment("%21a%2Fb%253A").unwrap(), "!a/b%3A");
        assert_eq!(segment("%ff").unwrap_err().errcode, "M_INVALID_PARAM");
    }
}
