//! The native host: `selvage serve`.

use std::path::Path;
use std::process::Command;

use crate::server::Options;
use crate::tools;

pub(super) fn command(directory: &Path, port: u16, options: &Options) -> Command {
    let mut command = Command::new(tools::native());
    command
        .current_dir(directory)
        .args(["serve", "--server-name", "localhost", "--rate-limits", "off"])
        .args(["--listen", &format!("127.0.0.1:{port}")])
        .args(["--registration", options.registration])
        .arg("--data-dir")
        .arg(directory.join("data"));
    if let Some(secret) = &options.registration_shared_secret {
        command.args(["--registration-shared-secret", secret]);
    }
    command.args(&options.arguments);
    for (name, value) in &options.environment {
        command.env(name, value);
    }
    command
}
