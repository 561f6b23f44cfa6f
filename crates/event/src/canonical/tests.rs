use super::*;

fn check(json: &str, expected: Result<&str, CanonicalError>) {
    let object = parse_object(json.as_bytes());
    let got = object.and_then(|object| to_canonical(&object));
    assert_eq!(got.as_deref(), expected.as_ref().map(|text| *text), "{json}");
}

fn lenient(json: &str, expected: &str) {
    assert_eq!(
        lenient_from_bytes(json.as_bytes()).as_deref(),
        Ok(expected),
        "{json}"
    );
}

/// The examples of `appendices §Canonical JSON`.
#[test]
fn spec_examples() {
    check("{}", Ok("{}"));
    check(r#"{ "one": 1, "two": "Two" }"#, Ok(r#"{"one":1,"two":"Two"}"#));
    check(r#"{ "b": "2", "a": "1" }"#, Ok(r#"{"a":"1","b":"2"}"#));
    check(
        r#"{"auth": {"success": true, "mxid": "@john.doe:example.com", "profile": {"display_name": "John Doe",
           "three_pids": [{"medium": "email", "address": "john.doe@example.org"},
                          {"medium": "msisdn", "address": "123456789"}]}}}"#,
        Ok(
            r#"{"auth":{"mxid":"@john.doe:example.com","profile":{"display_name":"John Doe","three_pids":[{"address":"john.doe@example.org","medium":"email"},{"address":"123456789","medium":"msisdn"}]},"success":true}}"#,
        ),
    );
    check(r#"{"a": "日本語"}"#, Ok(r#"{"a":"日本語"}"#));
    check(r#"{"本": 2, "日": 1}"#, Ok(r#"{"日":1,"本":2}"#));
    check(r#"{"a": "\u65E5"}"#, Ok(r#"{"a":"日"}"#));
    check(r#"{"a": null}"#, Ok(r#"{"a":null}"#));
}

#[test]
fn strings_take_the_shortest_escape() {
    check(
        r#"{"a":"\u0000\u0007\b\t\n\u000b\f\r\u001f\"\\\/\u007f\u00e9"}"#,
        Ok("{\"a\":\"\\u0000\\u0007\\b\\t\\n\\u000b\\f\\r\\u001f\\\"\\\\/\u{7f}é\"}"),
    );
}

#[test]
fn strict_numbers() {
    check(
        r#"{"a":9007199254740991,"b":-9007199254740991}"#,
        Ok(r#"{"a":9007199254740991,"b":-9007199254740991}"#),
    );
    check(
        r#"{"a":9007199254740992}"#,
        Err(CanonicalError::IntegerOutOfRange),
    );
    check(
        r#"{"a":-9007199254740992}"#,
        Err(CanonicalError::IntegerOutOfRange),
    );
    check(
        r#"{"a":18446744073709551615}"#,
        Err(CanonicalError::IntegerOutOfRange),
    );
    for float in ["1.0", "1e3", "-0", "0.5", "-0.0", "99999999999999999999"] {
        check(
            &format!(r#"{{"a":[{float}]}}"#),
            Err(CanonicalError::NotAnInteger),
        );
    }
}

#[test]
fn what_is_no_object() {
    check("[]", Err(CanonicalError::NotAnObject));
    check("", Err(CanonicalError::NotJson));
    check(r#"{"a":"\ud800"}"#, Err(CanonicalError::NotJson));
    check("{\"a\":\"\u{1}\"}", Err(CanonicalError::NotJson));
    assert_eq!(parse_object(b"{\"a\":\"\xff\"}"), Err(CanonicalError::NotJson));
}

/// A key that comes twice counts with its last value, as in Python and ruma.
#[test]
fn duplicate_keys_last_wins() {
    check(r#"{"a":1,"a":2}"#, Ok(r#"{"a":2}"#));
    lenient(r#"{"a":1,"a":2}"#, r#"{"a":2}"#);
}

#[test]
fn nesting_has_an_end() {
    let nested = |depth: usize| {
        let mut value = Value::Null;
        for _ in 1..depth {
            value = Value::Array(vec![value]);
        }
        Map::from_iter([("a".to_owned(), value)])
    };
    assert!(object_to_canonical(&nested(100), Mode::Strict, 100).is_ok());
    assert_eq!(
        object_to_canonical(&nested(101), Mode::Strict, 100),
        Err(CanonicalError::TooDeep)
    );
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    assert_eq!(parse_object(deep.as_bytes()), Err(CanonicalError::NotJson));
    assert!(lenient_from_bytes(deep.as_bytes()).is_err());
    let just_too_deep = format!("{}{}", "[".repeat(128), "]".repeat(128));
    assert!(lenient_from_bytes(just_too_deep.as_bytes()).is_err());
    let just_fits = format!("{}{}", "[".repeat(127), "]".repeat(127));
    assert_eq!(
        lenient_from_bytes(just_fits.as_bytes()).as_deref(),
        Ok(just_fits.as_str())
    );
}

/// What Python's `json.dumps(json.loads(x))` writes.
#[test]
fn lenient_numbers_are_written_as_python_does() {
    for (text, expected) in [
        ("1", "1"),
        ("-0", "0"),
        ("-0.0", "-0.0"),
        ("1.0", "1.0"),
        ("1.10", "1.1"),
        ("1e3", "1000.0"),
        ("1E15", "1000000000000000.0"),
        ("1e16", "1e+16"),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
        ("1.5e300", "1.5e+300"),
        ("0.0001", "0.0001"),
        ("0.00001", "1e-05"),
        ("1.25e-10", "1.25e-10"),
        ("5.114698E4", "51146.98"),
    ] {
        lenient(&format!("[{text}]"), &format!("[{expected}]"));
    }
    assert!(lenient_from_bytes(b"[1e999]").is_err());
}

#[test]
fn lenient_is_otherwise_the_same() {
    lenient(
        r#" {"b" : [true, null, {"y":"\u00e9", "x":false}], "a" : {} } "#,
        r#"{"a":{},"b":[true,null,{"x":false,"y":"é"}]}"#,
    );
}

#[test]
fn members_of_canonical_text() {
    let text = r#"{"a":"}\",","b":[1,{"x":"]"}],"c":{},"d":-5,"e":null}"#;
    let got: Vec<_> = members::members(text).collect();
    let expected = [
        ("a", r#""}\",""#),
        ("b", r#"[1,{"x":"]"}]"#),
        ("c", "{}"),
        ("d", "-5"),
        ("e", "null"),
    ];
    assert_eq!(got, expected);
    assert_eq!(members::members("{}").count(), 0);
    assert_eq!(
        members::without(text, &["a", "c", "e"]),
        r#"{"b":[1,{"x":"]"}],"d":-5}"#
    );
    assert_eq!(
        members::with_member(r#"{"a":1,"c":2}"#, "b", "9"),
        r#"{"a":1,"b":9,"c":2}"#
    );
    assert_eq!(
        members::with_member(r#"{"a":1,"c":2}"#, "a", "9"),
        r#"{"a":9,"c":2}"#
    );
    assert_eq!(members::with_member(r#"{"a":1}"#, "z", "9"), r#"{"a":1,"z":9}"#);
    assert_eq!(members::with_member("{}", "z", "9"), r#"{"z":9}"#);
}

#[test]
fn walking_text_that_is_not_canonical_ends() {
    for text in [
        "",
        "{",
        "{\"",
        "{\"a",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":{",
        "{\"a\":\"\\",
        "[1]",
        "{a:1}",
        "{\"a\":[}",
    ] {
        assert!(members::members(text).count() <= 1, "{text}");
    }
}
