//! Starting `workerd`.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::process::{Launch, Process};

/// A path that the environment names, or else one in this repository.
fn place(variable: &str, usual: &str, build: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let path = env::var_os(variable).map_or_else(|| root.join(usual), PathBuf::from);
    assert!(
        path.exists(),
        "{} is missing: run `{build}`, or name another place in {variable}",
        path.display()
    );
    path
}

/// The bundle with probes.
pub(crate) fn conformance_bundle() -> PathBuf {
    place(
        "SELVAGE_WORKER_CONFORMANCE_DIST",
        "target/worker-conformance",
        "cargo xtask worker build --features conformance --out target/worker-conformance",
    )
}

/// The bundle that is deployed.
pub(crate) fn product_bundle() -> PathBuf {
    place(
        "SELVAGE_WORKER_DIST",
        "hosts/workers/dist",
        "cargo xtask worker build",
    )
}

/// Starts `workerd` with this configuration and these variables.
pub(crate) fn start(config: &Path, variables: &'static [(&'static str, &'static str)]) -> Process {
    Process::start(launch(config, variables))
}

/// How `workerd` is started with this configuration and these variables.
pub(crate) fn launch(config: &Path, variables: &'static [(&'static str, &'static str)]) -> Launch {
    let workerd = place("SELVAGE_SETUP", ".setup", "cargo xtask setup worker-tools").join("bin/workerd");
    let config = config.to_owned();
    Box::new(move |address, data| {
        let mut command = Command::new(&workerd);
        command.args([OsStr::new("serve"), config.as_os_str()]);
        command.arg(format!("--socket-addr=http={address}"));
        command.arg(format!("--directory-path=disk={}", data.display()));
        command.envs(variables.iter().copied());
        command
    })
}
