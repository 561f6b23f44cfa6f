//! Synapse with SQLite: the reference against which the cases themselves are checked.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::federation::Presence;
use crate::server::Options;
use crate::tools;

/// Far more than any test asks for; Synapse has no switch that turns its rate limits off.
const UNLIMITED: u32 = 1_000_000;
/// Synapse's limiters, by the path of their settings.
const LIMITERS: [&str; 12] = [
    "/rc_message",
    "/rc_registration",
    "/rc_login/address",
    "/rc_login/account",
    "/rc_login/failed_attempts",
    "/rc_joins/local",
    "/rc_joins/remote",
    "/rc_joins_per_room",
    "/rc_invites/per_room",
    "/rc_invites/per_user",
    "/rc_invites/per_issuer",
    "/rc_room_creation",
];

pub(super) fn command(directory: &Path, port: u16, options: &Options) -> Command {
    let config = directory.join("homeserver.yaml");
    // JSON is YAML.
    fs::write(&config, settings(directory, port, options).to_string()).expect("a settings file");
    fs::write(directory.join("log.yaml"), log_settings().to_string()).expect("a settings file");
    generate_keys(directory, &config);
    let mut command = Command::new(tools::synapse_python());
    command
        .current_dir(directory)
        .args(["-m", "synapse.app.homeserver", "-c"])
        .arg(config);
    command
}

fn generate_keys(directory: &Path, config: &Path) {
    let mut command = Command::new(tools::synapse_python());
    command
        .current_dir(directory)
        .args(["-m", "synapse.app.homeserver", "--generate-keys", "-c"])
        .arg(config);
    assert!(
        command.status().expect("Synapse starts").success(),
        "Synapse generates its keys"
    );
}

fn settings(directory: &Path, port: u16, options: &Options) -> Value {
    let listener = json!({
        "bind_addresses": ["127.0.0.1"], "port": port, "type": "http", "tls": false,
        "resources": [{"names": ["client"], "compress": false}],
    });
    let mut settings = json!({
        "server_name": options.server_name(),
        "listeners": [listener],
        "database": {"name": "sqlite3", "args": {"database": directory.join("homeserver.db")}},
        "media_store_path": directory.join("media"),
        "signing_key_path": directory.join("signing.key"),
        "public_baseurl": options.public_base_url,
        "registration_shared_secret": options.registration_shared_secret,
        "enable_registration": options.registration == "open",
        "enable_registration_without_verification": true,
        "bcrypt_rounds": 4,
        "macaroon_secret_key": "macaroon", "form_secret": "form",
        "log_config": directory.join("log.yaml"), "report_stats": false, "trusted_key_servers": [], "presence": {"enabled": false},
        // Or the same question gets the old answer for two minutes.
        "caches": {"sync_response_cache_duration": "0s"},
        "rc_login": {}, "rc_joins": {}, "rc_invites": {},
    });
    for limiter in LIMITERS {
        set(
            &mut settings,
            limiter,
            json!({"per_second": UNLIMITED, "burst_count": UNLIMITED}),
        );
    }
    if let Some(presence) = &options.presence {
        federate(&mut settings, presence);
    }
    settings
}

/// Other servers are reached on loopback, asked again soon after a failure, and not slowed down.
fn federate(settings: &mut Value, presence: &Presence) {
    let listener = json!({
        "bind_addresses": ["127.0.0.1"], "port": presence.port, "type": "http", "tls": true,
        "resources": [{"names": ["federation"], "compress": false}],
    });
    let listeners = settings.pointer_mut("/listeners").and_then(Value::as_array_mut);
    listeners.expect("listeners").push(listener);
    let more = json!({
        "tls_certificate_path": presence.certificate,
        "tls_private_key_path": presence.key,
        "federation_custom_ca_list": [presence.authority],
        "ip_range_blacklist": [],
        "federation": {
            "client_timeout": "10s", "max_long_retries": 3, "max_long_retry_delay": 500,
            "max_short_retries": 1, "max_short_retry_delay": 100,
            "destination_min_retry_interval": 100, "destination_max_retry_interval": 500,
        },
        "rc_federation": {"sleep_limit": UNLIMITED, "reject_limit": UNLIMITED, "concurrent": 20},
        "federation_rr_transactions_per_room_per_second": UNLIMITED,
        "allow_public_rooms_over_federation": true,
        "room_list_publication_rules": [{"action": "allow"}],
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        set(settings, &format!("/{name}"), value.clone());
    }
}

fn set(settings: &mut Value, pointer: &str, value: Value) {
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
    let parent = settings
        .pointer_mut(parent)
        .and_then(Value::as_object_mut)
        .expect("an object");
    parent.insert(name.to_owned(), value);
}

fn log_settings() -> Value {
    json!({
        "version": 1, "disable_existing_loggers": false,
        "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"level": "WARNING", "handlers": ["console"]},
    })
}
