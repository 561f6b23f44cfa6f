//! Where a server listens.

use std::{fmt, str::FromStr};

/// Port of an `http://` address that names none.
const DEFAULT_PORT: u16 = 80;

/// A server's address, from `http://host[:port]`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Address {
    /// `host:port`, as the resolver and the `Host` header take it.
    pub(crate) authority: String,
}

impl Address {
    /// A server on this machine.
    pub(crate) fn local(port: u16) -> Self {
        Self {
            authority: format!("127.0.0.1:{port}"),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.authority)
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, String> {
        let rest = url
            .strip_prefix("http://")
            .ok_or("only http:// addresses can be loaded")?;
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.is_empty() || authority.contains(['/', '?', '#', '@', ' ']) {
            return Err("expected http://HOST[:PORT]".to_owned());
        }
        let after_brackets = authority.rsplit(']').next().unwrap_or(authority);
        let authority = match after_brackets.rsplit_once(':') {
            Some((_, port)) => port
                .parse::<u16>()
                .map(|_| authority.to_owned())
                .map_err(|e| e.to_string())?,
            None => format!("{authority}:{DEFAULT_PORT}"),
        };
        Ok(Self { authority })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, expected: Option<&str>) {
        let parsed = url.parse::<Address>().ok();
        assert_eq!(parsed.map(|address| address.authority).as_deref(), expected);
    }

    #[test]
    fn addresses() {
        check("http://127.0.0.1:8008", Some("127.0.0.1:8008"));
        check("http://localhost:8008/", Some("localhost:8008"));
        check("http://localhost", Some("localhost:80"));
        check("http://[::1]", Some("[::1]:80"));
        check("http://[::1]:8008", Some("[::1]:8008"));
        check("https://localhost", None);
        check("http://", None);
        check("http://localhost/path", None);
        check("http://localhost:99999", None);
        check("http://localhost:", None);
    }
}
