//! A world of a test's own: addresses, names, certificates, servers.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt as _;
use http::{Request, Response};
use http_body_util::Full;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use selvage::remote::Remotes;
use selvage::settings::Outgoing;
use selvage_gateway::{FederationSettings, RemoteError, RemoteResponse};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::dns::Dns;
use crate::site::{Behaviour, Site};

/// Where web sites of tests listen, without a privilege.
pub const HTTPS: u16 = 8443;
/// Where Matrix servers listen.
pub const MATRIX: u16 = 8448;
/// How long tests wait for an answer, in milliseconds.
pub const TIMEOUT_MS: u64 = 20_000;

/// The protocols that servers of tests speak.
pub const ONE: &[&str] = &["http/1.1"];
pub const TWO: &[&str] = &["h2", "http/1.1"];

pub struct World {
    pub dns: Dns,
    pub ca: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
    network: u32,
}

impl World {
    pub async fn new() -> Self {
        static NETWORKS: AtomicU32 = AtomicU32::new(0);
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self {
            dns: Dns::start().await,
            ca: params.self_signed(&key).unwrap().der().clone(),
            issuer: Issuer::new(params, key),
            network: NETWORKS.fetch_add(1, Ordering::SeqCst),
        }
    }

    /// An address that no other test has.
    pub fn ip(&self, host: u8) -> IpAddr {
        let process = std::process::id().to_be_bytes()[3];
        let network = u8::try_from(self.network).unwrap();
        IpAddr::V4(Ipv4Addr::new(127, 1 + process % 200, network, host))
    }

    /// How a server of this world is told to reach others.
    pub fn outgoing(&self) -> Outgoing {
        Outgoing {
            extra_ca: vec![self.ca.clone()],
            allow_private_addresses: true,
            dns_server: Some(self.dns.address),
            https_port: HTTPS,
            ..Outgoing::default()
        }
    }

    pub fn remotes(&self) -> Remotes {
        Remotes::new(&self.outgoing(), FederationSettings::default()).unwrap()
    }

    /// A server with a certificate for this name or address.
    pub async fn server(
        &self,
        address: (IpAddr, u16),
        certificate: &str,
        protocols: &[&str],
        behaviour: Behaviour,
    ) -> Site {
        let tls = self.tls(certificate, protocols);
        Site::start(SocketAddr::from(address), tls, behaviour).await
    }

    /// A Matrix server that answers everything with `{}`.
    pub async fn matrix(&self, address: (IpAddr, u16), certificate: &str) -> Site {
        self.server(address, certificate, TWO, body("{}")).await
    }

    /// A web site that says to whom it delegates.
    pub async fn delegates(&self, host: u8, name: &str, to: &str) -> Site {
        self.dns.host(name, self.ip(host));
        let said = body(&format!(r#"{{"m.server":"{to}"}}"#));
        self.server((self.ip(host), HTTPS), name, TWO, said).await
    }

    fn tls(&self, name: &str, protocols: &[&str]) -> ServerConfig {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        config
    }
}

/// Answers everything with this body.
pub fn body(text: &str) -> Behaviour {
    let body = Bytes::copy_from_slice(text.as_bytes());
    Behaviour::Http(Arc::new(move |_| Response::new(Full::new(body.clone()))))
}

/// Redirects everything to this place.
pub fn redirect(to: &str) -> Behaviour {
    let to = to.to_owned();
    Behaviour::Http(Arc::new(move |_| {
        let response = Response::builder().status(302).header("location", &to);
        response.body(Full::default()).unwrap()
    }))
}

/// Speaks as it likes, once the request has begun to arrive.
pub fn raw<F>(speak: impl Fn(TlsStream<TcpStream>) -> F + Send + Sync + 'static) -> Behaviour
where
    F: Future<Output = ()> + Send + 'static,
{
    Behaviour::Raw(Arc::new(move |stream| Box::pin(speak(stream))))
}

pub fn request(path: &str) -> Request<Bytes> {
    Request::get(path).body(Bytes::new()).unwrap()
}

pub async fn ask(remotes: &Remotes, server: &str) -> Result<RemoteResponse, RemoteError> {
    remotes
        .exchange(
            &server.parse().unwrap(),
            request("/_matrix/key/v2/server"),
            TIMEOUT_MS,
        )
        .await
}

/// Asks and reads the whole answer.
pub async fn read(remotes: &Remotes, server: &str) -> Result<(u16, Bytes), RemoteError> {
    let response = ask(remotes, server).await?;
    let chunks: Vec<Bytes> = response.body.try_collect().await?;
    let mut body = BytesMut::new();
    chunks.iter().for_each(|chunk| body.extend_from_slice(chunk));
    Ok((response.status.as_u16(), body.freeze()))
}

/// Asserts that a server is reached and answers `{}`.
pub async fn reached(remotes: &Remotes, server: &str) {
    assert_eq!(
        read(remotes, server).await,
        Ok((200, Bytes::from_static(b"{}"))),
        "{server}"
    );
}

/// Asserts that a server is not reached, and returns what the operator reads.
pub async fn unreachable(remotes: &Remotes, server: &str) -> String {
    match read(remotes, server).await {
        Err(RemoteError::Unreachable(why)) => why,
        other => panic!("{server}: {other:?}"),
    }
}
