//! The name that a server is spoken to by, and where that leads.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use selvage_event::ServerName;

use super::lookups::Lookups;
use super::srv;
use crate::RemoteError;

/// The port of servers that name none.
const PORT_DEFAULT: u16 = 8448;
/// The service that servers register in DNS, and the name that it had before version 1.8 of the spec.
const SERVICES: [&str; 2] = ["_matrix-fed._tcp", "_matrix._tcp"];
/// The most bytes of a host's name in DNS.
const DNS_NAME_BYTES_MAX: usize = 253;
/// The most bytes of one label of it.
const DNS_LABEL_BYTES_MAX: usize = 63;

/// A host: an address, or a name that leads to some.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HostName {
    /// An address.
    Ip(IpAddr),
    /// A name in DNS, in lower case and without a dot at the end.
    Name(String),
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// Where to connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The host.
    pub host: HostName,
    /// The port.
    pub port: u16,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            HostName::Ip(IpAddr::V6(address)) => write!(f, "[{address}]:{}", self.port),
            host => write!(f, "{host}:{}", self.port),
        }
    }
}

/// The name that a server is spoken to by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Authority {
    text: String,
    host: HostName,
    port: Option<u16>,
}

impl Authority {
    /// Takes a server name apart.
    ///
    /// # Errors
    /// [`RemoteError::Unsupported`] when it follows the grammar of server names and yet can lead nowhere.
    pub fn new(name: &ServerName) -> Result<Self, RemoteError> {
        let nowhere = |what| RemoteError::Unsupported(format!("{name} leads nowhere: {what}"));
        let has_port = name.as_str().len() > name.host().len();
        let port = name.port().filter(|port| *port > 0);
        if has_port && port.is_none() {
            return Err(nowhere("its port is none"));
        }
        Ok(Self {
            text: name.to_string(),
            host: host(name.host()).map_err(nowhere)?,
            port,
        })
    }

    /// The `Host` header of requests, and their `:authority` in HTTP/2.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What the certificate must be for.
    #[must_use]
    pub const fn host(&self) -> &HostName {
        &self.host
    }

    /// Where to connect, in this order, until one answers. SRV records are looked up if they decide.
    ///
    /// # Errors
    /// When they cannot be looked up, or say that there is no server.
    pub async fn targets(&self, lookups: &impl Lookups) -> Result<Vec<Target>, RemoteError> {
        if let (HostName::Name(name), None) = (&self.host, self.port) {
            for service in SERVICES {
                let records = lookups.srv(&format!("{service}.{name}")).await?;
                if !records.is_empty() {
                    return srv::targets(name, records, lookups.random());
                }
            }
        }
        Ok(vec![self.direct()])
    }

    /// Where to connect when there are no SRV records.
    #[must_use]
    pub fn direct(&self) -> Target {
        Target {
            host: self.host.clone(),
            port: self.port.unwrap_or(PORT_DEFAULT),
        }
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Tells addresses from names, and refuses what is neither.
pub(super) fn host(text: &str) -> Result<HostName, &'static str> {
    if let Some(inner) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        let address = inner.parse().map_err(|_| "its address is none")?;
        return Ok(HostName::Ip(IpAddr::V6(address)));
    }
    if let Ok(address) = text.parse::<Ipv4Addr>() {
        return Ok(HostName::Ip(IpAddr::V4(address)));
    }
    let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    let label_ok = |label: &str| (1..=DNS_LABEL_BYTES_MAX).contains(&label.len());
    if name.len() > DNS_NAME_BYTES_MAX || !name.split('.').all(label_ok) {
        return Err("no name in DNS is like that");
    }
    if name.rsplit('.').next().is_some_and(is_number) {
        return Err("it is neither a name nor an address as those are written");
    }
    Ok(HostName::Name(name))
}

/// Whether a last label makes programs read the whole as an IPv4 address in one of its older ways of writing, such as
/// `127.1` or `0x7f000001`: what is refused as an address must not come back as a name.
fn is_number(label: &str) -> bool {
    let hexadecimal = label.strip_prefix("0x");
    hexadecimal.is_some_and(|rest| rest.bytes().all(|c| c.is_ascii_hexdigit()))
        || label.bytes().all(|c| c.is_ascii_digit())
}
