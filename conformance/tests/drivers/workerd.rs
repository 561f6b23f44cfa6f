//! Starting `workerd`.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::NamedTempFile;

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

/// Writes a configuration beside the modules of the bundle with probes.
pub(crate) fn configuration(name: &str, text: &str) -> PathBuf {
    let bundle = conformance_bundle();
    let config = bundle.join(name);
    // Tests of several threads write it at once, each the same; none may read a part.
    let fresh = NamedTempFile::new_in(&bundle).expect("the bundle's directory");
    fs::write(&fresh, text).expect("the configuration");
    fresh.persist(&config).expect("the configuration's name");
    config
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
    launch_with(config, Vec::new(), variables)
}

/// How `workerd` is started with this configuration, these arguments and these variables.
pub(crate) fn launch_with(
    config: &Path,
    arguments: Vec<String>,
    variables: &'static [(&'static str, &'static str)],
) -> Launch {
    let workerd = place("SELVAGE_SETUP", ".setup", "cargo xtask setup worker-tools").join("bin/workerd");
    let config = config.to_owned();
    Box::new(move |address, data| {
        let mut command = Command::new(&workerd);
        command.args([OsStr::new("serve"), config.as_os_str()]);
        command.arg(format!("--socket-addr=http={address}"));
        command.arg(format!("--directory-path=disk={}", data.display()));
        command.args(&arguments);
        command.envs(variables.iter().copied());
        command
    })
}
