//! Addresses and SRV records of other servers.

use std::fmt::Display;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::ProtoError;
use hickory_resolver::proto::rr::{Name, RData};
use hickory_resolver::{ResolverBuilder, TokioResolver};
use selvage_workflow::RemoteError;
use selvage_workflow::discovery::SrvRecord;

/// How long a DNS server has to answer.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(3);
/// How many times DNS servers are asked.
const ATTEMPTS: usize = 2;
/// Where a machine asks that has no list of DNS servers.
const LOCAL_SERVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 53);

/// The resolver. It keeps answers as long as they hold.
pub(super) struct Dns(TokioResolver);

impl Dns {
    /// Asks this server, or else those that the system names. `/etc/hosts` goes before either.
    ///
    /// # Errors
    /// When the resolver cannot be made.
    pub(super) fn new(server: Option<SocketAddr>) -> Result<Self, NetError> {
        let mut builder = server.map_or_else(system, only);
        let options = builder.options_mut();
        options.timeout = ANSWER_TIME_MAX;
        options.attempts = ATTEMPTS;
        Ok(Self(builder.build()?))
    }

    /// The addresses of a host, in the order in which to try them.
    ///
    /// # Errors
    /// When it has none, or DNS does not answer.
    pub(super) async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, RemoteError> {
        let problem =
            |error: &dyn Display| RemoteError::Unreachable(format!("{host} has no address in DNS: {error}"));
        let name = absolute(host).map_err(|error| problem(&error))?;
        let found = self.0.lookup_ip(name).await.map_err(|error| problem(&error))?;
        Ok(alternating(&found.iter().collect::<Vec<_>>()))
    }

    /// The SRV records of a name.
    ///
    /// # Errors
    /// When DNS does not answer; that there are none is an answer.
    pub(super) async fn srv(&self, name: &str) -> Result<Vec<SrvRecord>, RemoteError> {
        let problem = |error: &dyn Display| {
            RemoteError::Unreachable(format!("the SRV records of {name} cannot be looked up: {error}"))
        };
        // A name that is too long with the service before it has no records.
        let Ok(absolute) = absolute(name) else {
            return Ok(Vec::new());
        };
        match self.0.srv_lookup(absolute).await {
            Ok(found) => Ok(found
                .answers()
                .iter()
                .filter_map(|record| srv(&record.data))
                .collect()),
            Err(error) if error.is_no_records_found() => Ok(Vec::new()),
            Err(error) => Err(problem(&error)),
        }
    }
}

fn system() -> ResolverBuilder<TokioRuntimeProvider> {
    TokioResolver::builder_tokio().unwrap_or_else(|error| {
        tracing::warn!(%error, "no DNS servers in the system's configuration; asking one on this machine");
        only(LOCAL_SERVER)
    })
}

fn only(server: SocketAddr) -> ResolverBuilder<TokioRuntimeProvider> {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = server.port();
        connection
    });
    let server = NameServerConfig::new(server.ip(), true, connections.to_vec());
    let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
    TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
}

/// A name as it is: the system's search domains would make another of it, which somebody else may own.
fn absolute(name: &str) -> Result<Name, ProtoError> {
    let mut name = Name::from_ascii(name)?;
    name.set_fqdn(true);
    Ok(name)
}

fn srv(data: &RData) -> Option<SrvRecord> {
    let RData::SRV(srv) = data else {
        return None;
    };
    Some(SrvRecord {
        priority: srv.priority,
        weight: srv.weight,
        port: srv.port,
        target: srv.target.to_ascii(),
    })
}

/// IPv6 and IPv4 in turns, so that a network without one of them costs one attempt. RFC 8305 §4.
fn alternating(addresses: &[IpAddr]) -> Vec<IpAddr> {
    let of = |v6| {
        addresses
            .iter()
            .filter(move |address| address.is_ipv6() == v6)
            .copied()
    };
    let (mut v6, mut v4) = (of(true), of(false));
    let mut turns = Vec::with_capacity(addresses.len());
    while turns.len() < addresses.len() {
        turns.extend(v6.next());
        turns.extend(v4.next());
    }
    turns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_families_take_turns() {
        let parse = |texts: &[&str]| {
            texts
                .iter()
                .map(|text| text.parse().unwrap())
                .collect::<Vec<IpAddr>>()
        };
        let given = parse(&["::1", "::2", "::3", "1.0.0.1"]);
        assert_eq!(alternating(&given), parse(&["::1", "1.0.0.1", "::2", "::3"]));
        assert!(alternating(&[]).is_empty());
    }
}
