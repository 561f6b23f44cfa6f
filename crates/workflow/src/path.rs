//! The paths of requests to other servers.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What stands for itself in every part of a path or query (RFC 3986 §2.3); everything else is encoded, so that no proxy
/// on the way has a reason to write it otherwise and break the signature.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The path of an endpoint: what comes first as it is, then the segments that vary, each encoded.
#[must_use]
pub fn path(endpoint: &str, segments: &[&str]) -> String {
    let mut path = endpoint.to_owned();
    for segment in segments {
        path.push('/');
        path.extend(utf8_percent_encode(segment, ENCODED));
    }
    path
}

/// The path with a query of these names and values; without any, the path.
#[must_use]
pub fn with_query(mut path: String, pairs: &[(&str, &str)]) -> String {
    for (at, (name, value)) in pairs.iter().enumerate() {
        path.push(if at == 0 { '?' } else { '&' });
        path.extend(utf8_percent_encode(name, ENCODED));
        path.push('=');
        path.extend(utf8_percent_encode(value, ENCODED));
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_segment_is_one_segment() {
        let joined = path("/_matrix/federation/v1/make_join", &["!a/b?c:d", "@e%2F:f"]);
        assert_eq!(
            joined,
            "/_matrix/federation/v1/make_join/%21a%2Fb%3Fc%3Ad/%40e%252F%3Af"
        );
        let asked = with_query("/a".to_owned(), &[("ver", "1"), ("ver", "a&b=c d")]);
        assert_eq!(asked, "/a?ver=1&ver=a%26b%3Dc%20d");
        assert_eq!(with_query("/a".to_owned(), &[]), "/a");
    }
}
