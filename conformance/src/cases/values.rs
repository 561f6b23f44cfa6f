//! What goes into the database comes out of it, or is refused on every host.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use selvage_object::{BOUND_PARAMETERS_MAX, INTEGER_MAX, VALUE_MAX_BYTES};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{ask, must};
use crate::probe::{Command, Datum, Digest, STATEMENTS, Verdict};
use crate::{HostUnderTest, NoAnswer};

fn data() -> Vec<Datum> {
    let integers = [0, 1, -1, 255, i64::from(i32::MAX) + 1, INTEGER_MAX, -INTEGER_MAX];
    let texts = [
        "",
        "a",
        "\0",
        "a\0b",
        "é\u{301}",
        "😀👩‍👩‍👧",
        "\u{feff}x",
        "\u{10ffff}",
        "\r\n\t\u{7f}",
        "5.0",
        "true",
        "NULL",
    ];
    let all_bytes: Vec<u8> = (0..=255).collect();
    let blobs: [&[u8]; 5] = [b"", b"\0", b"\0\0\0", b"\xed\xa0\x80", &all_bytes];
    let integers = integers.into_iter().map(Datum::Integer);
    let texts = texts.into_iter().map(|text| Datum::Text(text.to_owned()));
    let blobs = blobs.into_iter().map(|blob| Datum::Blob(STANDARD.encode(blob)));
    integers.chain(texts).chain(blobs).chain([Datum::Null]).collect()
}

/// Byte for byte, over the life of the process that wrote them.
pub(super) fn values_come_back_as_they_went_in(host: &dyn HostUnderTest) {
    let data = data();
    for (slot, value) in data.iter().enumerate() {
        let put = Command::Put {
            slot: slot.to_string(),
            value: value.clone(),
        };
        must::<()>(host, "values", &put);
    }
    host.crash();
    for (slot, value) in data.iter().enumerate() {
        let found: Option<Datum> = must(
            host,
            "values",
            &Command::Get {
                slot: slot.to_string(),
            },
        );
        assert_eq!(found.as_ref(), Some(value));
    }
}

fn put_long(host: &dyn HostUnderTest, bytes: usize, text: bool) -> Result<Value, NoAnswer> {
    let slot = format!("{bytes} {text}");
    ask(host, "long", &Command::PutLong { slot, bytes, text })
}

fn digest(host: &dyn HostUnderTest, bytes: usize, text: bool) -> Option<Digest> {
    let slot = format!("{bytes} {text}");
    must(host, "long", &Command::GetDigest { slot })
}

/// `VALUE_MAX_BYTES` bytes are stored, one more is refused.
pub(super) fn the_largest_values_fit_and_larger_ones_do_not(host: &dyn HostUnderTest) {
    for text in [true, false] {
        put_long(host, VALUE_MAX_BYTES, text).expect("the largest value");
        let expected = Digest {
            bytes: VALUE_MAX_BYTES,
            sha256: STANDARD.encode(Sha256::digest("x".repeat(VALUE_MAX_BYTES))),
        };
        assert_eq!(digest(host, VALUE_MAX_BYTES, text), Some(expected));
        let refused = put_long(host, VALUE_MAX_BYTES + 1, text);
        assert!(matches!(refused, Err(NoAnswer::Unavailable(_))), "{refused:?}");
        assert_eq!(digest(host, VALUE_MAX_BYTES + 1, text), None);
    }
}

/// Beyond 2^53 - 1 either way.
pub(super) fn integers_that_would_be_rounded_are_refused(host: &dyn HostUnderTest) {
    for integer in [INTEGER_MAX + 1, -INTEGER_MAX - 1, i64::MAX, i64::MIN] {
        let put = Command::Put {
            slot: "integer".to_owned(),
            value: Datum::Integer(integer),
        };
        let refused = ask::<Value>(host, "integers", &put);
        assert!(
            matches!(refused, Err(NoAnswer::Unavailable(_))),
            "{integer}: {refused:?}"
        );
    }
    let stored: Option<Datum> = must(
        host,
        "integers",
        &Command::Get {
            slot: "integer".to_owned(),
        },
    );
    assert_eq!(stored, None);
}

/// See [`STATEMENTS`].
pub(super) fn statements_are_understood_or_refused_alike(host: &dyn HostUnderTest) {
    let mut wrong = Vec::new();
    must::<()>(
        host,
        "statements",
        &Command::Trouble {
            ending: crate::probe::Ending::Reply,
        },
    );
    for statement in STATEMENTS {
        let run = Command::Run {
            statement: statement.name.to_owned(),
        };
        let answer = ask::<u64>(host, "statements", &run);
        let verdict = match &answer {
            Ok(rows) => Verdict::Rows(*rows),
            Err(NoAnswer::Unavailable(_)) => Verdict::Refused,
            Err(other) => panic!("{}: {other:?}", statement.name),
        };
        if verdict != statement.verdict {
            wrong.push((statement.name, statement.verdict, answer));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// 100 and no more.
pub(super) fn parameters_are_limited(host: &dyn HostUnderTest) {
    let bind = |parameters| ask::<usize>(host, "parameters", &Command::Bind { parameters });
    assert_eq!(bind(BOUND_PARAMETERS_MAX), Ok(2));
    for parameters in [BOUND_PARAMETERS_MAX - 1, BOUND_PARAMETERS_MAX + 1] {
        let refused = bind(parameters);
        assert!(
            matches!(refused, Err(NoAnswer::Unavailable(_))),
            "{parameters}: {refused:?}"
        );
    }
}
