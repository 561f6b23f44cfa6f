//! The Worker under `wrangler dev`.

use std::path::Path;
use std::process::Command;

use super::worker_settings;
use crate::server::Options;
use crate::tools;

/// `wrangler dev --local` with the configuration beside the bundle's directory, which starts `workerd` as a child.
pub(super) fn command(directory: &Path, port: u16, options: &Options) -> Command {
    let config = tools::worker_dist()
        .parent()
        .expect("a directory of its own")
        .join("wrangler.jsonc");
    let mut command = Command::new(tools::wrangler());
    command
        .args(["dev", "--local", "--ip", "127.0.0.1", "--inspector-port", "0"])
        .args([
            "--port",
            &port.to_string(),
            "--show-interactive-dev-session=false",
        ])
        .arg("--config")
        .arg(config)
        .arg("--persist-to")
        .arg(directory.join("state"));
    for (name, value) in worker_settings(options) {
        command.args(["--var", &format!("{name}:{value}")]);
    }
    // It is a script for the node that is found first.
    let node = tools::node();
    let paths = std::env::var("PATH").unwrap_or_default();
    command.env(
        "PATH",
        format!("{}:{paths}", node.parent().unwrap_or(directory).display()),
    );
    // Its own settings and caches belong to this server too.
    command
        .env("CI", "true")
        .env("WRANGLER_SEND_METRICS", "false")
        .env("HOME", directory);
    command
}
