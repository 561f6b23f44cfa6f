//! An authority that certifies this machine to itself.

use std::fs;
use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};

use super::Presence;

/// A certificate authority that lives as long as the test.
#[derive(Debug)]
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Default for Authority {
    fn default() -> Self {
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, "Authority of the tests");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let issuer = CertifiedIssuer::self_signed(params, new_key()).expect("an authority signs itself");
        Authority { issuer }
    }
}

impl Authority {
    /// Certifies the host of `name`, a name or address with a port; all files are put into `directory`.
    pub fn certify(&self, name: &str, port: u16, directory: &Path) -> Presence {
        let (host, _) = name.rsplit_once(':').expect("a name with a port");
        let key = new_key();
        let mut params = CertificateParams::new(vec![host.to_owned()]).expect("a host");
        params.use_authority_key_identifier_extension = true;
        let certificate = params
            .signed_by(&key, &self.issuer)
            .expect("an authority signs certificates");
        let written = |file: &str, text: String| {
            let path = directory.join(file);
            fs::write(&path, text).expect("a file of a certificate");
            path
        };
        Presence {
            name: name.to_owned(),
            port,
            certificate: written("tls.crt", certificate.pem()),
            key: written("tls.key", key.serialize_pem()),
            authority: written("authority.crt", self.issuer.pem()),
        }
    }
}

fn new_key() -> KeyPair {
    KeyPair::generate().expect("a key")
}
