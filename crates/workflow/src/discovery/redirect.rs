//! Where a redirect of `/.well-known/matrix/server` leads. RFC 3986 §5.2, as far as `https` needs it.

use http::Uri;
use http::uri::PathAndQuery;

/// The address that a `Location` names at this address; `None` when it is none that may be followed.
pub(super) fn follow(at: &Uri, location: &str) -> Option<Uri> {
    let location = location.split('#').next()?;
    let authority = at.authority()?;
    let absolute = if has_scheme(location) {
        location.to_owned()
    } else if location.starts_with("//") {
        format!("https:{location}")
    } else if location.starts_with('/') {
        format!("https://{authority}{location}")
    } else {
        format!(
            "https://{authority}{}{location}",
            directory(at.path_and_query(), location)
        )
    };
    let next: Uri = absolute.parse().ok()?;
    (next.scheme_str() == Some("https") && plain(&next)).then_some(next)
}

fn has_scheme(location: &str) -> bool {
    let scheme = location.split_once(':').map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| !scheme.is_empty() && scheme.bytes().all(|c| c.is_ascii_alphanumeric()))
}

/// What a relative location is put behind.
fn directory<'a>(at: Option<&'a PathAndQuery>, location: &str) -> &'a str {
    let path = at.map_or("/", PathAndQuery::path);
    if location.is_empty() || location.starts_with('?') {
        return path;
    }
    path.rfind('/').and_then(|last| path.get(..=last)).unwrap_or("/")
}

/// Whether it names a host, and nobody's password.
fn plain(uri: &Uri) -> bool {
    uri.authority()
        .is_some_and(|authority| !authority.host().is_empty() && !authority.as_str().contains('@'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(location: &str) -> Option<String> {
        let at = Uri::from_static("https://a.org/.well-known/matrix/server");
        follow(&at, location).map(|uri| uri.to_string())
    }

    #[test]
    fn locations_are_read_as_links() {
        let links = [
            ("https://b.org/x?y=z#f", "https://b.org/x?y=z"),
            ("HTTPS://b.org:8443/x", "https://b.org:8443/x"),
            ("//b.org/x", "https://b.org/x"),
            ("/x", "https://a.org/x"),
            ("x", "https://a.org/.well-known/matrix/x"),
            ("?x", "https://a.org/.well-known/matrix/server?x"),
            ("https://b.org", "https://b.org/"),
        ];
        for (location, to) in links {
            assert_eq!(check(location).as_deref(), Some(to), "{location}");
        }
    }

    /// `https` only: nobody on the way may change where a server is.
    #[test]
    fn other_schemes_are_not_followed() {
        for location in [
            "http://b.org/x",
            "ftp://b.org/x",
            "file:///etc/passwd",
            "https://user:password@b.org/x",
            "https:///x",
            "https://",
        ] {
            assert_eq!(check(location), None, "{location}");
        }
    }
}
