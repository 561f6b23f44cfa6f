//! The native host: `selvage serve`.

use std::path::Path;
use std::process::Command;

use crate::federation::Presence;
use crate::server::Options;
use crate::tools;

pub(super) fn command(directory: &Path, port: u16, options: &Options) -> Command {
    let mut command = program(options);
    command
        .current_dir(directory)
        .args([
            "serve",
            "--server-name",
            options.server_name(),
            "--rate-limits",
            "off",
        ])
        .args(["--listen", &format!("127.0.0.1:{port}")])
        .args(["--registration", options.registration])
        .arg("--data-dir")
        .arg(directory.join("data"));
    if let Some(secret) = &options.registration_shared_secret {
        command.args(["--registration-shared-secret", secret]);
    }
    if let Some(url) = &options.public_base_url {
        command.args(["--public-base-url", url]);
    }
    if let Some(presence) = &options.presence {
        federate(&mut command, presence);
    }
    command.args(&options.arguments);
    for (name, value) in &options.environment {
        command.env(name, value);
    }
    command
}

/// The first and the longest pause after another server could not be reached, in milliseconds.
const RETRY_MS: [&str; 2] = ["100", "500"];

fn federate(command: &mut Command, presence: &Presence) {
    let [first, longest] = RETRY_MS;
    command
        .args(["--listen-tls", &format!("127.0.0.1:{}", presence.port)])
        .arg("--tls-cert")
        .arg(&presence.certificate)
        .arg("--tls-key")
        .arg(&presence.key)
        .arg("--extra-ca")
        .arg(&presence.authority)
        .arg("--allow-private-addresses")
        .args(["--federation-retry-min", first, "--federation-retry-max", longest])
        // Many accounts are made, and none is worth an attack.
        .args(["--password-hash-memory", "8"]);
}

fn program(options: &Options) -> Command {
    if !options.survives_file_limit {
        return Command::new(tools::native());
    }
    // An ignored signal stays ignored in the program that the shell becomes.
    let mut command = Command::new("sh");
    command
        .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""])
        .arg(tools::native());
    command
}
