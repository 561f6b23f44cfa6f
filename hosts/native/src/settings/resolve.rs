//! From what is written to what is meant: defaults, and the refusal of what cannot be.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use selvage_event::{RoomVersion, ServerName, UserId};
use selvage_gateway::{
    FederationSettings, PASSWORD_HASH_MEMORY_DEFAULT_KIB, PASSWORD_HASH_MEMORY_MAX_KIB,
    PASSWORD_HASH_MEMORY_MIN_KIB, Registration, ServerPattern, Support,
};

use super::{
    GatewayOptions, LogFormat, LogLevel, Options, Outgoing, RegistrationOption, SettingError, Settings,
    Switch, Tls, file, tls,
};
use crate::directory::{SHARDS_MAX, Wanted};

const LISTEN_DEFAULT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8008);
const DATA_DIR_DEFAULT: &str = "data";

type Checked<T> = Result<T, SettingError>;

impl Settings {
    /// Reads the settings file, if one is named, fills in the defaults, and checks everything.
    ///
    /// # Errors
    /// With the name of the first setting that is wrong.
    pub fn resolve(options: Options) -> Checked<Self> {
        let options = match &options.place.config {
            Some(path) => options.clone().or(file::read(path)?),
            None => options.or(Options::default()),
        };
        check_addresses(&options)?;
        let tls = tls(&options)?;
        Ok(Self {
            listen: match (&options.listen, &tls) {
                (Some(listen), _) => listen.clone(),
                (None, None) => vec![LISTEN_DEFAULT],
                (None, Some(_)) => Vec::new(),
            },
            tls,
            wanted: wanted(&options)?,
            gateway: gateway(&options)?,
            outgoing: outgoing(&options)?,
            metrics_listen: options.metrics_listen,
            log_format: options.log_format.unwrap_or(LogFormat::Text),
            log_level: options.log_level.unwrap_or(LogLevel::Info),
            appservice_dir: appservice_dir(options.appservice_dir)?,
            data_dir: options
                .data_dir
                .unwrap_or_else(|| PathBuf::from(DATA_DIR_DEFAULT)),
        })
    }
}

fn wanted(options: &Options) -> Checked<Wanted> {
    let server_name = options.server_name.as_ref().map(ServerName::parse).transpose();
    let server_name = server_name.map_err(|error| SettingError::new("--server-name", error))?;
    if options
        .shards
        .is_some_and(|shards| !(1..=SHARDS_MAX).contains(&shards))
    {
        return Err(SettingError::new(
            "--shards",
            format!("not between 1 and {SHARDS_MAX}"),
        ));
    }
    Ok(Wanted {
        server_name,
        shards: options.shards,
    })
}

/// Every address has one purpose. Port 0, of which the system makes a free one, can be said several times.
fn check_addresses(options: &Options) -> Checked<()> {
    let mut all = Vec::new();
    let lists = [
        ("--listen", &options.listen),
        ("--listen-tls", &options.listen_tls),
    ];
    for (name, addresses) in lists {
        if addresses.as_ref().is_some_and(Vec::is_empty) {
            return Err(SettingError::new(name, "empty"));
        }
        all.extend(addresses.iter().flatten().map(|address| (name, *address)));
    }
    all.extend(
        options
            .metrics_listen
            .map(|address| ("--metrics-listen", address)),
    );
    for (index, (name, address)) in all.iter().enumerate() {
        if address.port() != 0 && all.iter().take(index).any(|(_, other)| other == address) {
            return Err(SettingError::new(
                *name,
                format!("{address} is listened on twice"),
            ));
        }
    }
    Ok(())
}

fn tls(options: &Options) -> Checked<Option<Tls>> {
    let needs = |name: &str, other: &str| Err(SettingError::new(name, format!("needs {other}")));
    match (&options.listen_tls, &options.tls_cert, &options.tls_key) {
        (None, None, None) => Ok(None),
        (None, Some(_), _) => needs("--tls-cert", "--listen-tls"),
        (None, None, Some(_)) => needs("--tls-key", "--listen-tls"),
        (Some(_), None, _) => needs("--listen-tls", "--tls-cert"),
        (Some(_), Some(_), None) => needs("--listen-tls", "--tls-key"),
        (Some(listen), Some(certificate), Some(key)) => Ok(Some(Tls {
            listen: listen.clone(),
            config: tls::server(certificate, key)?,
        })),
    }
}

fn gateway(options: &Options) -> Checked<GatewayOptions> {
    let secret = options.registration_shared_secret.clone();
    if secret.as_deref() == Some("") {
        return Err(SettingError::new("--registration-shared-secret", "empty"));
    }
    Ok(GatewayOptions {
        registration: match options.registration {
            None | Some(RegistrationOption::Closed) => Registration::Closed,
            Some(RegistrationOption::Token) => Registration::Token,
            Some(RegistrationOption::Open) => Registration::Open,
        },
        registration_shared_secret: secret,
        default_room_version: room_version(options.default_room_version.as_deref())?,
        rate_limits: options.rate_limits != Some(Switch::Off),
        password_hash_memory_kib: hash_memory(options.password_hash_memory)?,
        public_base_url: base_url(options.public_base_url.as_deref())?,
        federation_address: federation_address(options.federation_address.as_deref())?,
        federation: federation(options)?,
        support: support(options)?,
    })
}

fn room_version(version: Option<&str>) -> Checked<RoomVersion> {
    let Some(version) = version else {
        return Ok(RoomVersion::NEWEST_STABLE);
    };
    let known = RoomVersion::ALL.map(|version| version.to_string()).join(", ");
    let problem = || format!("{version:?} is none of {known}");
    version
        .parse()
        .map_err(|_| SettingError::new("--default-room-version", problem()))
}

fn hash_memory(kib: Option<u32>) -> Checked<u32> {
    let kib = kib.unwrap_or(PASSWORD_HASH_MEMORY_DEFAULT_KIB);
    let allowed = PASSWORD_HASH_MEMORY_MIN_KIB..=PASSWORD_HASH_MEMORY_MAX_KIB;
    if !allowed.contains(&kib) {
        let problem = format!("not between {} and {}", allowed.start(), allowed.end());
        return Err(SettingError::new("--password-hash-memory", problem));
    }
    Ok(kib)
}

fn is_url(text: &str) -> bool {
    let uri = text.parse::<http::Uri>();
    uri.is_ok_and(|uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some())
}

fn base_url(url: Option<&str>) -> Checked<Option<String>> {
    let Some(url) = url else { return Ok(None) };
    let whole = url.trim_end_matches('/');
    if !is_url(whole) || whole.contains(['?', '#']) {
        return Err(SettingError::new(
            "--public-base-url",
            "not an http or https address",
        ));
    }
    Ok(Some(whole.to_owned()))
}

fn federation_address(address: Option<&str>) -> Checked<Option<String>> {
    let name = address.map(ServerName::parse).transpose();
    let name = name.map_err(|error| SettingError::new("--federation-address", error))?;
    Ok(name.map(String::from))
}

fn support(options: &Options) -> Checked<Support> {
    if let Some(Err(error)) = options.support_matrix_id.as_ref().map(UserId::parse) {
        return Err(SettingError::new("--support-matrix-id", error));
    }
    if options
        .support_email
        .as_ref()
        .is_some_and(|address| !address.contains('@'))
    {
        return Err(SettingError::new("--support-email", "not a mail address"));
    }
    if options.support_page.as_ref().is_some_and(|page| !is_url(page)) {
        return Err(SettingError::new(
            "--support-page",
            "not an http or https address",
        ));
    }
    Ok(Support {
        matrix_id: options.support_matrix_id.clone(),
        email_address: options.support_email.clone(),
        page: options.support_page.clone(),
    })
}

fn notaries(names: Option<&[String]>) -> Checked<Vec<ServerName>> {
    let name = |text: &String| {
        ServerName::parse(text).map_err(|error| SettingError::new("--federation-trusted-notary", error))
    };
    names.unwrap_or_default().iter().map(name).collect()
}

fn federation(options: &Options) -> Checked<FederationSettings> {
    let default = FederationSettings::default();
    let min = options.federation_retry_min.unwrap_or(default.retry_min_ms);
    let max = options
        .federation_retry_max
        .unwrap_or(default.retry_max_ms.max(min));
    if min == 0 {
        return Err(SettingError::new("--federation-retry-min", "0"));
    }
    if min > max {
        return Err(SettingError::new(
            "--federation-retry-max",
            "less than --federation-retry-min",
        ));
    }
    Ok(FederationSettings {
        allow: patterns("--federation-allow", options.federation_allow.as_deref())?,
        deny: patterns("--federation-deny", options.federation_deny.as_deref())?,
        trusted_notaries: notaries(options.federation_trusted_notary.as_deref())?,
        retry_min_ms: min,
        retry_max_ms: max,
    })
}

fn patterns(name: &str, texts: Option<&[String]>) -> Checked<Vec<ServerPattern>> {
    let parse = |text: &String| {
        ServerPattern::parse(text).map_err(|error| SettingError::new(name, format!("{text:?}: {error}")))
    };
    // An empty list would allow everybody, and somebody wrote it.
    if texts.is_some_and(<[String]>::is_empty) {
        return Err(SettingError::new(name, "empty"));
    }
    texts.unwrap_or_default().iter().map(parse).collect()
}

fn outgoing(options: &Options) -> Checked<Outgoing> {
    Ok(Outgoing {
        extra_ca: tls::authorities(options.extra_ca.as_deref().unwrap_or_default())?,
        allow_private_addresses: options.allow_private_addresses.unwrap_or(false),
        dns_server: options.dns_server,
        ..Outgoing::default()
    })
}

fn appservice_dir(directory: Option<PathBuf>) -> Checked<Option<PathBuf>> {
    if let Some(directory) = &directory {
        let readable = std::fs::read_dir(directory);
        let problem =
            |error| SettingError::new("--appservice-dir", format!("{}: {error}", directory.display()));
        readable.map_err(problem)?;
    }
    Ok(directory)
}
