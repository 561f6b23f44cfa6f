//! The grammar of server names. spec: `appendices §Server Name`.

use super::{IdError, ServerName};
use crate::limits::MAX_ID_BYTES;

/// The most digits that the grammar allows a port.
const MAX_PORT_DIGITS: usize = 5;

/// The shortest and longest IPv6 literal, without brackets.
const IPV6_CHARS: std::ops::RangeInclusive<usize> = 2..=45;

/// Checks the grammar `hostname [":" port]`.
///
/// Two things are accepted that other implementations refuse, because Synapse accepts them in identifiers and a
/// server that dropped such events would see another room than the rest: `_` in a host name, and ports over
/// 65535, which the grammar (`1*5DIGIT`) allows.
pub(super) fn check(text: &str) -> Result<(), IdError> {
    if text.len() > MAX_ID_BYTES {
        return Err(IdError::TooLong);
    }
    let (host, port) = split_port(text).ok_or(IdError::ServerName)?;
    let ok = host_ok(host) && port.is_none_or(port_ok);
    ok.then_some(()).ok_or(IdError::ServerName)
}

/// Host (brackets included) and port.
fn split_port(text: &str) -> Option<(&str, Option<&str>)> {
    let host_len = if text.starts_with('[') {
        text.find(']')? + 1
    } else {
        text.find(':').unwrap_or(text.len())
    };
    let (host, rest) = text.split_at_checked(host_len)?;
    if rest.is_empty() {
        Some((host, None))
    } else {
        Some((host, Some(rest.strip_prefix(':')?)))
    }
}

fn port_ok(port: &str) -> bool {
    (1..=MAX_PORT_DIGITS).contains(&port.len()) && port.bytes().all(|c| c.is_ascii_digit())
}

fn host_ok(host: &str) -> bool {
    if let Some(inner) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        let allowed = |c: u8| c.is_ascii_hexdigit() || c == b':' || c == b'.';
        return IPV6_CHARS.contains(&inner.len()) && inner.bytes().all(allowed);
    }
    let allowed = |c: u8| c.is_ascii_alphanumeric() || b"-._".contains(&c);
    !host.is_empty() && host.bytes().all(allowed)
}

impl ServerName {
    /// The host without the port; IPv6 literals keep their brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        split_port(self.as_str()).map_or("", |(host, _)| host)
    }

    /// The port, when one is written and it is a port (at most 65535).
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        split_port(self.as_str()).and_then(|(_, port)| port?.parse().ok())
    }

    /// Whether the host is an IPv4 or IPv6 literal.
    #[must_use]
    pub fn is_ip_literal(&self) -> bool {
        self.host().starts_with('[') || self.host().parse::<std::net::Ipv4Addr>().is_ok()
    }
}
