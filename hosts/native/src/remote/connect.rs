//! From where to connect to a connection with TLS.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use rustls::pki_types::ServerName;
use selvage_workflow::RemoteError;
use selvage_workflow::discovery::{HostName, Target};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::dns::Dns;
use super::guard::Guard;
use super::trust;

/// How long a connection to one target may take, TLS included.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);
/// How long an address is waited for before the next is tried beside it. RFC 8305 §5.
const STAGGER: Duration = Duration::from_millis(250);
/// The most addresses of one host that are tried.
const ADDRESSES_MAX: usize = 8;

/// Makes connections.
pub(super) struct Connector {
    pub(super) dns: Dns,
    pub(super) guard: Guard,
    pub(super) tls: TlsConnector,
    /// The port of web sites that name none.
    pub(super) https_port: u16,
}

impl Connector {
    /// Connects to the first target that answers with a certificate for this host.
    ///
    /// # Errors
    /// That of the last target.
    pub(super) async fn connect(
        &self,
        targets: &[Target],
        certificate: &HostName,
    ) -> Result<TlsStream<TcpStream>, RemoteError> {
        let name = trust::certificate_name(certificate)?;
        let mut last = RemoteError::Unreachable(format!("{certificate} has no address"));
        for target in targets {
            let connected = timeout(CONNECT_TIME_MAX, self.connect_to(target, name.clone())).await;
            let late = || unreachable(target, format!("no connection within {CONNECT_TIME_MAX:?}"));
            match connected.unwrap_or_else(|_| Err(late())) {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn connect_to(
        &self,
        target: &Target,
        name: ServerName<'static>,
    ) -> Result<TlsStream<TcpStream>, RemoteError> {
        let addresses = self.addresses(target).await?;
        let stream = tcp(&addresses)
            .await
            .map_err(|error| unreachable(target, error))?;
        // What is written is written at once, in one piece.
        stream
            .set_nodelay(true)
            .map_err(|error| unreachable(target, error))?;
        let connected = self.tls.connect(name, stream).await;
        connected.map_err(|error| unreachable(target, format!("TLS: {error}")))
    }

    /// The addresses of a target that may be connected to. What is checked here is what is connected to: the name is not
    /// looked up again.
    async fn addresses(&self, target: &Target) -> Result<Vec<SocketAddr>, RemoteError> {
        let all = match &target.host {
            HostName::Ip(address) => vec![*address],
            HostName::Name(name) => self.dns.addresses(name).await?,
        };
        let mut refused = None;
        let mut allowed = Vec::new();
        for address in all {
            match self.guard.check(address) {
                Ok(()) => allowed.push(SocketAddr::new(address, target.port)),
                Err(what) => refused = Some((address, what)),
            }
        }
        allowed.truncate(ADDRESSES_MAX);
        match refused {
            Some((address, what)) if allowed.is_empty() => Err(forbidden(target, address, what)),
            _ => Ok(allowed),
        }
    }
}

fn forbidden(target: &Target, address: IpAddr, what: &str) -> RemoteError {
    let problem = format!("{address} is {what}, which is refused without --allow-private-addresses");
    match target.host {
        HostName::Ip(_) => RemoteError::Unsupported(problem),
        // It may have another address later.
        HostName::Name(_) => unreachable(target, problem),
    }
}

fn unreachable(target: &Target, problem: impl std::fmt::Display) -> RemoteError {
    RemoteError::Unreachable(format!("{target}: {problem}"))
}

/// Connects to one of these addresses. They are tried in order, each a moment after the one before. RFC 8305.
async fn tcp(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut rest = addresses.iter();
    let mut attempts = FuturesUnordered::new();
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    loop {
        attempts.extend(rest.next().map(|address| TcpStream::connect(*address)));
        if attempts.is_empty() {
            return Err(last);
        }
        tokio::select! {
            Some(attempt) = attempts.next() => match attempt {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            },
            () = sleep(STAGGER), if rest.len() > 0 => {}
        }
    }
}
