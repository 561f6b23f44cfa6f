//! Certificates and keys from files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::SettingError;

/// The protocols that are served over TLS, the preferred one first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// A server's certificate and key. Key exchange prefers X25519MLKEM768, which holds against quantum computers.
pub(super) fn server(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>, SettingError> {
    let chain = certificates("--tls-cert", certificate)?;
    let key_der = PrivateKeyDer::from_pem_file(key).map_err(|error| problem("--tls-key", key, error))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| problem("--tls-cert", certificate, error))?
        .with_no_client_auth()
        .with_single_cert(chain, key_der)
        .map_err(|error| problem("--tls-key", key, error))?;
    config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
    Ok(Arc::new(config))
}

/// The certificates of authorities in these files.
pub(super) fn authorities(files: &[PathBuf]) -> Result<Vec<CertificateDer<'static>>, SettingError> {
    let mut roots = rustls::RootCertStore::empty();
    let mut all = Vec::new();
    for file in files {
        for certificate in certificates("--extra-ca", file)? {
            roots
                .add(certificate.clone())
                .map_err(|error| problem("--extra-ca", file, error))?;
            all.push(certificate);
        }
    }
    Ok(all)
}

fn certificates(setting: &str, file: &Path) -> Result<Vec<CertificateDer<'static>>, SettingError> {
    let certificates = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| problem(setting, file, error))?;
    if certificates.is_empty() {
        return Err(problem(setting, file, "no certificate in it"));
    }
    Ok(certificates)
}

fn problem(setting: &str, file: &Path, problem: impl std::fmt::Display) -> SettingError {
    SettingError::new(setting, format!("{}: {problem}", file.display()))
}
