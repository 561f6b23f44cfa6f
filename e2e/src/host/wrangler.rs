//! The Worker under `wrangler dev`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::worker_settings;
use crate::server::Options;
use crate::tools;

/// `wrangler dev --local`, which starts `workerd` as a child.
pub(super) fn command(directory: &Path, port: u16, options: &Options) -> Command {
    let config = deployment(directory);
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

/// A copy of the deployment's configuration and bundle without the step that builds it; returns the configuration.
fn deployment(directory: &Path) -> PathBuf {
    let dist = tools::worker_dist();
    let copy = directory.join("dist");
    fs::create_dir_all(&copy).expect("a directory for the bundle");
    for module in ["index.js", "index_bg.wasm"] {
        fs::copy(dist.join(module), copy.join(module)).expect("a module of the bundle");
    }
    let original = dist
        .parent()
        .expect("a directory of its own")
        .join("wrangler.jsonc");
    let text =
        fs::read_to_string(&original).unwrap_or_else(|error| panic!("{}: {error}", original.display()));
    let kept: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("\"build\":"))
        .collect();
    let config = directory.join("wrangler.jsonc");
    fs::write(&config, kept.join("\n")).expect("a configuration");
    config
}
