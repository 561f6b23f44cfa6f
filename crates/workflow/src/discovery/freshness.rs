//! How long an answer at `/.well-known/matrix/server` holds. RFC 9111 §4.2, as far as a private cache needs it.

use std::time::{SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderName, header};
use selvage_object::Timestamp;

const MINUTE_MS: u64 = 60 * 1_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;

/// How long an answer holds that does not say so itself, in milliseconds.
const DEFAULT_MS: u64 = 24 * HOUR_MS;
/// The longest that one holds, in milliseconds.
pub(super) const MAX_MS: u64 = 48 * HOUR_MS;
/// The shortest that one holds, in milliseconds, whatever it says: it is asked for before every request otherwise.
pub(super) const MIN_MS: u64 = 5 * MINUTE_MS;
/// The longest that an error holds, in milliseconds.
pub(super) const ERROR_MAX_MS: u64 = HOUR_MS;
/// How long the first error holds, in milliseconds; each that follows upon it holds twice as long.
const ERROR_MIN_MS: u64 = MINUTE_MS;

/// How long an answer with these headers holds from now on, in milliseconds.
pub(super) fn of_answer(headers: &HeaderMap, now: Timestamp) -> u64 {
    said(headers, now).unwrap_or(DEFAULT_MS).clamp(MIN_MS, MAX_MS)
}

/// How long the last of so many errors holds, in milliseconds.
pub(super) fn of_errors(count: u32) -> u64 {
    let doubled = ERROR_MIN_MS.checked_shl(count.saturating_sub(1).min(16));
    doubled.unwrap_or(ERROR_MAX_MS).min(ERROR_MAX_MS)
}

fn said(headers: &HeaderMap, now: Timestamp) -> Option<u64> {
    let values = headers.get_all(header::CACHE_CONTROL).into_iter();
    let texts = values.filter_map(|value| value.to_str().ok());
    let mut max_age = None;
    for directive in texts.flat_map(|text| text.split(',')) {
        let directive = directive.trim().to_ascii_lowercase();
        if directive == "no-store" || directive.starts_with("no-cache") {
            return Some(0);
        }
        if let Some(seconds) = directive.strip_prefix("max-age=") {
            // What is no number is as good as over.
            max_age = Some(seconds.trim_matches('"').parse::<u64>().unwrap_or(0));
        }
    }
    match max_age {
        Some(seconds) => Some(seconds.saturating_sub(age(headers)).saturating_mul(1_000)),
        None => expires(headers, now),
    }
}

/// How long it has been in caches on its way, in seconds.
fn age(headers: &HeaderMap) -> u64 {
    text(headers, &header::AGE)
        .and_then(|text| text.parse().ok())
        .unwrap_or(0)
}

fn expires(headers: &HeaderMap, now: Timestamp) -> Option<u64> {
    let expires = text(headers, &header::EXPIRES)?;
    let end = date(expires).unwrap_or_default();
    let sent = text(headers, &header::DATE).and_then(date);
    Some(end.ms_since(sent.unwrap_or(now)))
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn date(text: &str) -> Option<Timestamp> {
    let time: SystemTime = httpdate::parse_http_date(text).ok()?;
    let since = time.duration_since(UNIX_EPOCH).ok()?;
    u64::try_from(since.as_millis()).ok().map(Timestamp)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-01-01T00:00:00Z.
    const NOW: Timestamp = Timestamp(1_767_225_600_000);

    fn check(headers: &[(&str, &str)]) -> u64 {
        let pairs = headers
            .iter()
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap()));
        of_answer(&pairs.collect(), NOW)
    }

    #[test]
    fn answers_hold_as_long_as_they_say_within_bounds() {
        let table: [(&[(&str, &str)], u64); 12] = [
            (&[], 24 * HOUR_MS),
            (&[("cache-control", "public, Max-Age=7200")], 2 * HOUR_MS),
            (&[("cache-control", "max-age=\"7200\""), ("age", "3600")], HOUR_MS),
            (&[("cache-control", "max-age=99999999999999999999")], MIN_MS),
            (&[("cache-control", "max-age=31536000")], 48 * HOUR_MS),
            (&[("cache-control", "max-age=0")], MIN_MS),
            (&[("cache-control", "max-age=7200, no-store")], MIN_MS),
            (
                &[
                    ("cache-control", "public"),
                    ("expires", "Thu, 01 Jan 2026 03:00:00 GMT"),
                ],
                3 * HOUR_MS,
            ),
            (
                &[("cache-control", "max-age=7200"), ("expires", "0")],
                2 * HOUR_MS,
            ),
            (
                &[
                    ("expires", "Thu, 01 Jan 2026 03:00:00 GMT"),
                    ("date", "Thu, 01 Jan 2026 01:00:00 GMT"),
                ],
                2 * HOUR_MS,
            ),
            (&[("expires", "Thu, 01 Jan 2099 00:00:00 GMT")], 48 * HOUR_MS),
            (&[("expires", "0")], MIN_MS),
        ];
        for (headers, ms) in table {
            assert_eq!(check(headers), ms, "{headers:?}");
        }
    }

    #[test]
    fn errors_hold_longer_the_more_there_are_and_an_hour_at_most() {
        let minutes: Vec<_> = (1..=8).map(|count| of_errors(count) / MINUTE_MS).collect();
        assert_eq!(minutes, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(of_errors(u32::MAX), HOUR_MS);
    }
}
