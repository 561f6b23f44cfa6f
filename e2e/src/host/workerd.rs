//! The Worker on bare `workerd`.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::worker_settings;
use crate::server::Options;
use crate::tools;

/// `workerd serve workerd.capnp`, where the configuration beside the bundle names a socket `http` and a disk service
/// `disk`, and takes the Worker's variables from the environment. Killing it evicts every object.
pub(super) fn command(directory: &Path, port: u16, options: &Options) -> Command {
    let disk = directory.join("disk");
    fs::create_dir_all(&disk).expect("a directory for the objects");
    let mut command = Command::new(tools::workerd());
    command
        .arg("serve")
        .arg(tools::worker_dist().join("workerd.capnp"))
        .args(["--socket-addr", &format!("http=127.0.0.1:{port}")])
        .arg("--directory-path")
        .arg(format!("disk={}", disk.display()))
        .envs(worker_settings(options));
    command
}
