//! The hosts a homeserver runs on, each with the command line that its operator would use.

mod native;
mod synapse;
mod workerd;
mod wrangler;

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use crate::server::Options;

/// What the server under test runs on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Host {
    /// The binary with SQLite.
    Native,
    /// The Worker on bare `workerd`.
    Workerd,
    /// The Worker under `wrangler dev`.
    Wrangler,
    /// Synapse, to check the tests themselves.
    Synapse,
}

impl Host {
    /// Prepares `directory`, which keeps the data over restarts, and returns the command that serves on 127.0.0.1:`port`.
    pub(crate) fn command(self, directory: &Path, port: u16, options: &Options) -> Command {
        let mut command = match self {
            Host::Native => native::command(directory, port, options),
            Host::Workerd => workerd::command(directory, port, options),
            Host::Wrangler => wrangler::command(directory, port, options),
            Host::Synapse => synapse::command(directory, port, options),
        };
        forget_surroundings(&mut command);
        command
    }
}

/// Takes this test's own variables out of the server's environment: a server refuses those that it does not know.
fn forget_surroundings(command: &mut Command) {
    let given: Vec<OsString> = command.get_envs().map(|(name, _)| name.to_owned()).collect();
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("SELVAGE_") && !given.contains(&name) {
            command.env_remove(name);
        }
    }
}

/// The settings of a Worker, as variables of the names that the native host's environment has.
fn worker_settings(options: &Options) -> Vec<(&'static str, &str)> {
    let mut settings = vec![
        ("SELVAGE_SERVER_NAME", "localhost"),
        ("SELVAGE_RATE_LIMITS", "off"),
        ("SELVAGE_REGISTRATION", options.registration),
    ];
    if let Some(secret) = &options.registration_shared_secret {
        settings.push(("SELVAGE_REGISTRATION_SHARED_SECRET", secret));
    }
    if let Some(url) = &options.public_base_url {
        settings.push(("SELVAGE_PUBLIC_BASE_URL", url));
    }
    settings
}
