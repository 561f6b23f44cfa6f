//! TLS towards other servers: whom to believe, and how keys are agreed on.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use selvage_workflow::RemoteError;
use selvage_workflow::discovery::HostName;
use tokio_rustls::TlsConnector;

/// The protocols that are spoken, the preferred one first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// TLS that believes the authorities of the system and these. Key exchange prefers X25519MLKEM768, which holds against
/// quantum computers.
///
/// # Errors
/// When the provider of cryptography lacks what TLS needs.
pub(super) fn connector(extra: &[CertificateDer<'static>]) -> Result<TlsConnector, rustls::Error> {
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots(extra))
        .with_no_client_auth();
    config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
    Ok(TlsConnector::from(Arc::new(config)))
}

fn roots(extra: &[CertificateDer<'static>]) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    for error in &system.errors {
        tracing::warn!(%error, "a part of the system's certificate authorities cannot be read");
    }
    // Systems carry some that are malformed; the others count.
    roots.add_parsable_certificates(system.certs);
    if roots.is_empty() {
        tracing::warn!(
            "no certificate authorities on this system: only servers of --extra-ca can be reached"
        );
    }
    roots.add_parsable_certificates(extra.iter().cloned());
    roots
}

/// The name that a certificate must be for.
///
/// # Errors
/// When no certificate can be for it.
pub(super) fn certificate_name(host: &HostName) -> Result<ServerName<'static>, RemoteError> {
    match host {
        HostName::Ip(address) => Ok(ServerName::IpAddress((*address).into())),
        HostName::Name(name) => ServerName::try_from(name.clone())
            .map_err(|_| RemoteError::Unsupported(format!("no certificate can be for the name {name}"))),
    }
}
