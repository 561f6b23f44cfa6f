//! Synapse with SQLite: the reference against which the cases themselves are checked.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::server::Options;
use crate::tools;

/// Far more than any test asks for; Synapse has no switch that turns its rate limits off.
const UNLIMITED: u32 = 1_000_000;
/// Synapse's limiters, by the path of their settings.
const LIMITERS: [&str; 10] = [
    "/rc_message",
    "/rc_registration",
    "/rc_login/address",
    "/rc_login/account",
    "/rc_login/failed_attempts",
    "/rc_joins/local",
    "/rc_joins_per_room",
    "/rc_invites/per_room",
    "/rc_invites/per_user",
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
        "server_name": "localhost",
        "listeners": [listener],
        "database": {"name": "sqlite3", "args": {"database": directory.join("homeserver.db")}},
        "media_store_path": directory.join("media"),
        "signing_key_path": directory.join("signing.key"),
        "public_baseurl": options.public_base_url,
        "registration_shared_secret": options.registration_shared_secret,
        "enable_registration": options.registration == "open",
        "enable_registration_without_verification": true,
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
    settings
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
        "version": 1,
        "handlers": {"console": {"class": "logging.StreamHandler"}},
        "root": {"level": "WARNING", "handlers": ["console"]},
    })
}
