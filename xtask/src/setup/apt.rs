//! Debian packages, for what no language's own registry holds.

use std::process::Command;

use anyhow::{Context, Result};

use crate::process;

/// Installs what is missing; on a machine without apt-get the error names the packages.
pub(super) fn install(packages: &[&str]) -> Result<()> {
    if packages.iter().all(|package| installed(package)) {
        return Ok(());
    }
    let advice = || format!("install these yourself and try again: {}", packages.join(" "));
    // Without a fresh list apt may know no package at all, or only old versions.
    process::run(apt().arg("update")).with_context(advice)?;
    process::run(
        apt()
            .args(["install", "--yes", "--no-install-recommends"])
            .args(packages),
    )
    .with_context(advice)
}

fn apt() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive").arg("--quiet");
    command
}

fn installed(package: &str) -> bool {
    let mut query = Command::new("dpkg-query");
    query.args(["--show", "--showformat=${db:Status-Status}", package]);
    process::capture(&mut query).is_ok_and(|status| status == "installed")
}
