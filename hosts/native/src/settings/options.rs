//! The settings as they are written: one structure for the command line, the environment and the file.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::Deserialize;

/// Which data directory, and how to read its settings.
#[derive(Args, Clone, Debug, Default)]
pub struct Place {
    /// A TOML file with settings, named as here without the dashes (server-name = "example.org"); the command line and
    /// the environment go before it
    #[arg(long, value_name = "FILE", env = "SELVAGE_CONFIG")]
    pub config: Option<PathBuf>,
    /// The directory of all data [default: ./data]
    #[arg(long, value_name = "DIR", env = "SELVAGE_DATA_DIR")]
    pub data_dir: Option<PathBuf>,
}

/// Who may register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum RegistrationOption {
    /// Nobody: accounts come from `selvage user create` or the shared secret
    Closed,
    /// Whoever has a token of `selvage token create`
    Token,
    /// Anybody
    Open,
}

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Switch {
    /// On
    On,
    /// Off
    Off,
}

/// How the log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// A line for people
    Text,
    /// A JSON object a line
    Json,
}

/// What is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// What has to be looked at
    Error,
    /// What may have to be
    Warn,
    /// Starts and stops as well
    Info,
    /// Every request, without its query and body
    Debug,
}

/// Every setting of `selvage serve`. What is left out here is looked for in the next place, and has a default at last.
#[derive(Args, Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Options {
    /// See [`Place`].
    #[command(flatten)]
    #[serde(skip)]
    pub place: Place,

    /// The data directory, when the file names it.
    #[arg(skip)]
    pub data_dir: Option<PathBuf>,

    /// The name of this server, the part after the colon of its users' ids; fixed once there are data [default: that of
    /// the data, localhost where there are none]
    #[arg(long, value_name = "NAME", env = "SELVAGE_SERVER_NAME")]
    pub server_name: Option<String>,

    /// How many shards new data are spread over, each one thread and one file; fixed once there are data [default: 4]
    #[arg(long, value_name = "NUMBER", env = "SELVAGE_SHARDS")]
    pub shards: Option<u16>,

    /// Serve clients and other servers by plain HTTP here; can be repeated [default: 127.0.0.1:8008, or none with
    /// --listen-tls]
    #[arg(long, value_name = "ADDR:PORT", env = "SELVAGE_LISTEN", value_delimiter = ',')]
    pub listen: Option<Vec<SocketAddr>>,

    /// Serve clients and other servers by HTTPS here; can be repeated; needs --tls-cert and --tls-key
    #[arg(
        long,
        value_name = "ADDR:PORT",
        env = "SELVAGE_LISTEN_TLS",
        value_delimiter = ','
    )]
    pub listen_tls: Option<Vec<SocketAddr>>,

    /// The certificate of --listen-tls and those that it rests on, as PEM; read at the start
    #[arg(long, value_name = "FILE", env = "SELVAGE_TLS_CERT")]
    pub tls_cert: Option<PathBuf>,

    /// The private key of --tls-cert, as PEM; read at the start
    #[arg(long, value_name = "FILE", env = "SELVAGE_TLS_KEY")]
    pub tls_key: Option<PathBuf>,

    /// Serve figures for Prometheus here, under /metrics; for the operator alone [default: nowhere]
    #[arg(long, value_name = "ADDR:PORT", env = "SELVAGE_METRICS_LISTEN")]
    pub metrics_listen: Option<SocketAddr>,

    /// How the log looks [default: text]
    #[arg(long, value_name = "FORMAT", env = "SELVAGE_LOG_FORMAT")]
    pub log_format: Option<LogFormat>,

    /// What is logged [default: info]
    #[arg(long, value_name = "LEVEL", env = "SELVAGE_LOG_LEVEL")]
    pub log_level: Option<LogLevel>,

    /// Who may make an account [default: closed]
    #[arg(long, value_name = "WHO", env = "SELVAGE_REGISTRATION")]
    pub registration: Option<RegistrationOption>,

    /// Whoever knows this secret may make accounts at /_synapse/admin/v1/register, administrators' too [default: that
    /// endpoint is off]
    #[arg(
        long,
        value_name = "SECRET",
        env = "SELVAGE_REGISTRATION_SHARED_SECRET",
        hide_env_values = true
    )]
    pub registration_shared_secret: Option<String>,

    /// The version of rooms whose creator asks for none [default: 12]
    #[arg(long, value_name = "VERSION", env = "SELVAGE_DEFAULT_ROOM_VERSION")]
    pub default_room_version: Option<String>,

    /// Whether those who send too many requests are told to wait [default: on]
    #[arg(long, value_name = "ON|OFF", env = "SELVAGE_RATE_LIMITS")]
    pub rate_limits: Option<Switch>,

    /// The memory of one password hash, in KiB, from 8 to 32768: less is faster and weaker [default: 19456]
    #[arg(long, value_name = "KIB", env = "SELVAGE_PASSWORD_HASH_MEMORY")]
    pub password_hash_memory: Option<u32>,

    /// Where clients reach this server (https://…), for /.well-known/matrix/client [default: not published]
    #[arg(long, value_name = "URL", env = "SELVAGE_PUBLIC_BASE_URL")]
    pub public_base_url: Option<String>,

    /// Where other servers reach this one (HOST:PORT), for /.well-known/matrix/server [default: not published]
    #[arg(long, value_name = "HOST:PORT", env = "SELVAGE_FEDERATION_ADDRESS")]
    pub federation_address: Option<String>,

    /// The Matrix id of an administrator, for /.well-known/matrix/support [default: not published]
    #[arg(long, value_name = "ID", env = "SELVAGE_SUPPORT_MATRIX_ID")]
    pub support_matrix_id: Option<String>,

    /// The mail address of an administrator, for the same [default: not published]
    #[arg(long, value_name = "ADDRESS", env = "SELVAGE_SUPPORT_EMAIL")]
    pub support_email: Option<String>,

    /// A page that helps, for the same [default: not published]
    #[arg(long, value_name = "URL", env = "SELVAGE_SUPPORT_PAGE")]
    pub support_page: Option<String>,

    /// Certificates of authorities to trust in outgoing TLS beside the system's, as PEM; can be repeated; read at the
    /// start
    #[arg(long, value_name = "FILE", env = "SELVAGE_EXTRA_CA", value_delimiter = ',')]
    pub extra_ca: Option<Vec<PathBuf>>,

    /// Reach other servers on loopback, private and link-local addresses too, for private federations and tests
    #[arg(long, value_name = "TRUE|FALSE", env = "SELVAGE_ALLOW_PRIVATE_ADDRESSES",
          num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub allow_private_addresses: Option<bool>,

    /// Ask this DNS server for other servers' addresses and SRV records [default: those of the system]
    #[arg(long, value_name = "ADDR:PORT", env = "SELVAGE_DNS_SERVER")]
    pub dns_server: Option<SocketAddr>,

    /// Speak with these other servers only; * and ? stand for any characters and for one, a name without a port for
    /// every port; can be repeated [default: with all]
    #[arg(
        long,
        value_name = "SERVER",
        env = "SELVAGE_FEDERATION_ALLOW",
        value_delimiter = ','
    )]
    pub federation_allow: Option<Vec<String>>,

    /// Speak with these other servers never, even if --federation-allow names them; can be repeated [default: with all]
    #[arg(
        long,
        value_name = "SERVER",
        env = "SELVAGE_FEDERATION_DENY",
        value_delimiter = ','
    )]
    pub federation_deny: Option<Vec<String>>,

    /// Ask these servers for the signing keys of others that cannot be reached; can be repeated [default: none]
    #[arg(
        long,
        value_name = "SERVER",
        env = "SELVAGE_FEDERATION_TRUSTED_NOTARY",
        value_delimiter = ','
    )]
    pub federation_trusted_notary: Option<Vec<String>>,

    /// The first pause after a failed request to another server, in milliseconds [default: 1000]
    #[arg(long, value_name = "MS", env = "SELVAGE_FEDERATION_RETRY_MIN")]
    pub federation_retry_min: Option<u64>,

    /// The longest pause, in milliseconds [default: 86400000]
    #[arg(long, value_name = "MS", env = "SELVAGE_FEDERATION_RETRY_MAX")]
    pub federation_retry_max: Option<u64>,

    /// The directory of application services' registrations. Checked to be there at the start; without effect today,
    /// since this version serves no application services
    #[arg(long, value_name = "DIR", env = "SELVAGE_APPSERVICE_DIR")]
    pub appservice_dir: Option<PathBuf>,
}

impl Options {
    /// These options, and where one is left out, the other ones.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            data_dir: self.place.data_dir.clone().or(self.data_dir).or(other.data_dir),
            place: self.place,
            server_name: self.server_name.or(other.server_name),
            shards: self.shards.or(other.shards),
            listen: self.listen.or(other.listen),
            listen_tls: self.listen_tls.or(other.listen_tls),
            tls_cert: self.tls_cert.or(other.tls_cert),
            tls_key: self.tls_key.or(other.tls_key),
            metrics_listen: self.metrics_listen.or(other.metrics_listen),
            log_format: self.log_format.or(other.log_format),
            log_level: self.log_level.or(other.log_level),
            registration: self.registration.or(other.registration),
            registration_shared_secret: self
                .registration_shared_secret
                .or(other.registration_shared_secret),
            default_room_version: self.default_room_version.or(other.default_room_version),
            rate_limits: self.rate_limits.or(other.rate_limits),
            password_hash_memory: self.password_hash_memory.or(other.password_hash_memory),
            public_base_url: self.public_base_url.or(other.public_base_url),
            federation_address: self.federation_address.or(other.federation_address),
            support_matrix_id: self.support_matrix_id.or(other.support_matrix_id),
            support_email: self.support_email.or(other.support_email),
            support_page: self.support_page.or(other.support_page),
            extra_ca: self.extra_ca.or(other.extra_ca),
            allow_private_addresses: self.allow_private_addresses.or(other.allow_private_addresses),
            dns_server: self.dns_server.or(other.dns_server),
            federation_allow: self.federation_allow.or(other.federation_allow),
            federation_deny: self.federation_deny.or(other.federation_deny),
            federation_trusted_notary: self.federation_trusted_notary.or(other.federation_trusted_notary),
            federation_retry_min: self.federation_retry_min.or(other.federation_retry_min),
            federation_retry_max: self.federation_retry_max.or(other.federation_retry_max),
            appservice_dir: self.appservice_dir.or(other.appservice_dir),
        }
    }
}
