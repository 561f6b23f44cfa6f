//! How a Worker reaches another server: by `fetch`, which connects to the host that its URL names and to no other.

use selvage_workflow::RemoteError;
use selvage_workflow::discovery::{Authority, HostName, Target};

/// Refuses an authority that `fetch` cannot reach wherever its SRV records lead.
///
/// # Errors
/// [`RemoteError::Unsupported`].
pub(crate) fn check(authority: &Authority) -> Result<(), RemoteError> {
    match authority.host() {
        HostName::Name(_) => Ok(()),
        HostName::Ip(address) => Err(RemoteError::Unsupported(format!(
            "{address} is an IP address, and Cloudflare Workers reach servers by name only"
        ))),
    }
}

/// The beginning of a server's URLs, of which the rest is a path with a query. The `Host` header has the port that is in the
/// URL, also where the spec would leave it out: `fetch` allows no other.
///
/// # Errors
/// [`RemoteError::Unsupported`] when SRV records lead to other hosts alone.
pub(crate) fn origin(authority: &Authority, targets: &[Target]) -> Result<String, RemoteError> {
    let own = targets.iter().find(|target| target.host == *authority.host());
    let own = own.ok_or_else(|| {
        let host = targets.first().map(ToString::to_string).unwrap_or_default();
        RemoteError::Unsupported(format!(
            "{authority} is at {host} by its SRV records, where Cloudflare Workers cannot follow; its operator can delegate with \
             /.well-known/matrix/server instead"
        ))
    })?;
    Ok(format!("https://{own}"))
}

/// What Cloudflare itself answers in place of a server that it does not reach.
pub(crate) fn trouble(status: u16) -> Option<&'static str> {
    Some(match status {
        520 | 527 => "it answers nothing that makes sense",
        521 => "it refuses the connection",
        522 | 524 => "it does not answer in time",
        523 => "there is no way to it",
        525 => "TLS cannot be agreed on",
        526 => "its certificate is not valid",
        530 => "its name has no address, or it may not be reached",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authority(name: &str) -> Authority {
        Authority::new(&name.parse().unwrap()).unwrap()
    }

    fn target(host: &str, port: u16) -> Target {
        Target {
            host: HostName::Name(host.to_owned()),
            port,
        }
    }

    #[test]
    fn names_are_reached_on_their_port() {
        for (name, url) in [
            ("a.org", "https://a.org:8448"),
            ("A.org:443", "https://a.org:443"),
        ] {
            let authority = authority(name);
            assert_eq!(check(&authority), Ok(()));
            assert_eq!(origin(&authority, &[authority.direct()]), Ok(url.to_owned()));
        }
        let other_port = origin(&authority("a.org"), &[target("b.org", 1), target("a.org", 2)]);
        assert_eq!(other_port, Ok("https://a.org:2".to_owned()));
    }

    #[test]
    fn what_fetch_cannot_reach_is_said_to_be_so() {
        for name in ["192.0.2.1", "192.0.2.1:443", "[2001:db8::1]:8448"] {
            assert!(
                matches!(check(&authority(name)), Err(RemoteError::Unsupported(_))),
                "{name}"
            );
        }
        let elsewhere = origin(&authority("a.org"), &[target("b.org", 443)]);
        assert!(matches!(elsewhere, Err(RemoteError::Unsupported(why)) if why.contains("b.org:443")));
    }
}
