//! What the operator decides: from the command line, the environment and a file, in this order of precedence.

mod environment;
mod file;
mod options;
mod resolve;
mod tls;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use selvage_event::{RoomVersion, ServerName};
use selvage_gateway::{FederationSettings, Registration, Support};

pub use environment::check_environment;
pub use options::{LogFormat, LogLevel, Options, Place, RegistrationOption, Switch};

use crate::directory::Wanted;

/// A setting that is wrong. The message begins with the setting's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {problem}")]
pub struct SettingError {
    /// The setting, as on the command line.
    pub name: String,
    /// What is wrong with it.
    pub problem: String,
}

impl SettingError {
    pub(crate) fn new(name: impl Into<String>, problem: impl ToString) -> Self {
        Self {
            name: name.into(),
            problem: problem.to_string(),
        }
    }
}

/// All settings, checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The data directory.
    pub data_dir: PathBuf,
    /// What the directory has to be, or becomes.
    pub wanted: Wanted,
    /// Where plain HTTP is served.
    pub listen: Vec<SocketAddr>,
    /// Where HTTPS is served, and with what.
    pub tls: Option<Tls>,
    /// Where the figures are served.
    pub metrics_listen: Option<SocketAddr>,
    /// How the log looks.
    pub log_format: LogFormat,
    /// What is logged.
    pub log_level: LogLevel,
    /// The gateway's share.
    pub gateway: GatewayOptions,
    /// Requests of this server to others.
    pub outgoing: Outgoing,
    /// Where the registrations of application services lie.
    pub appservice_dir: Option<PathBuf>,
}

/// HTTPS.
#[derive(Clone, Debug)]
pub struct Tls {
    /// The addresses.
    pub listen: Vec<SocketAddr>,
    /// Certificate and key, ready for use.
    pub config: Arc<rustls::ServerConfig>,
}

/// What the gateway is told.
#[derive(Clone, Debug)]
pub struct GatewayOptions {
    /// Who may register.
    pub registration: Registration,
    /// The secret of the registration endpoint for tools.
    pub registration_shared_secret: Option<String>,
    /// The version of new rooms.
    pub default_room_version: RoomVersion,
    /// Whether requests are counted.
    pub rate_limits: bool,
    /// The memory of a password hash, in KiB.
    pub password_hash_memory_kib: u32,
    /// Where clients reach this server.
    pub public_base_url: Option<String>,
    /// Where other servers reach it.
    pub federation_address: Option<String>,
    /// With which other servers this one speaks, and how often it tries again.
    pub federation: FederationSettings,
    /// Where people find help.
    pub support: Support,
}

impl GatewayOptions {
    /// The gateway's settings, for the server of this name.
    #[must_use]
    pub fn settings(&self, server_name: ServerName) -> selvage_gateway::Settings {
        let mut settings = selvage_gateway::Settings::new(server_name);
        settings.registration = self.registration;
        settings
            .registration_shared_secret
            .clone_from(&self.registration_shared_secret);
        settings.default_room_version = self.default_room_version;
        settings.rate_limits = self.rate_limits;
        settings.password_hash_memory_kib = self.password_hash_memory_kib;
        settings.public_base_url.clone_from(&self.public_base_url);
        settings.federation_address.clone_from(&self.federation_address);
        settings.federation.clone_from(&self.federation);
        settings.support.clone_from(&self.support);
        settings
    }
}

/// How this server reaches others.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// Certificates of authorities that are trusted beside the system's.
    pub extra_ca: Vec<CertificateDer<'static>>,
    /// Whether loopback, private and link-local addresses may be reached.
    pub allow_private_addresses: bool,
    /// The DNS server to ask instead of the system's.
    pub dns_server: Option<SocketAddr>,
    /// The port at which web sites are asked for delegations: 443. Tests have another, which needs no privilege.
    pub https_port: u16,
    /// Addresses that may be reached although they are private: none. Tests have some.
    pub exceptions: Vec<IpAddr>,
}

impl Default for Outgoing {
    fn default() -> Self {
        Self {
            extra_ca: Vec::new(),
            allow_private_addresses: false,
            dns_server: None,
            https_port: 443,
            exceptions: Vec::new(),
        }
    }
}
