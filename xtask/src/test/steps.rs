//! The steps, cheapest first: what fails early costs least.

use std::{ffi::OsStr, path::PathBuf, process::Command};

use anyhow::{Context, Result};

use super::{Session, programs, tally::Tally};
use crate::{
    process,
    repo::Repo,
    setup::{self, wasm},
    tidy,
    worker::{self, Bundle},
};

pub(super) struct Step {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) run: fn(&mut Session) -> Result<Tally>,
}

pub(super) const STEPS: &[Step] = &[
    Step {
        name: "setup",
        about: "make the machine ready",
        run: set_up,
    },
    Step {
        name: "fmt",
        about: "the code is formatted",
        run: format,
    },
    Step {
        name: "tidy",
        about: "layers, dependencies, sizes, markers, links",
        run: tidiness,
    },
    Step {
        name: "clippy",
        about: "no warnings, tests included",
        run: clippy,
    },
    Step {
        name: "unit",
        about: "tests of the crates and tools",
        run: unit,
    },
    Step {
        name: "wasm",
        about: "the core and the Workers host compile to wasm without warnings",
        run: core_on_wasm,
    },
    Step {
        name: "worker",
        about: "bundles of the Workers host",
        run: bundles,
    },
    Step {
        name: "hosts",
        about: "tests of the hosts, and the suite that both must pass",
        run: hosts,
    },
    Step {
        name: "e2e",
        about: "whole servers over HTTP, on both hosts",
        run: end_to_end,
    },
];

/// The feature of the Workers host that makes it answer the suite of host behaviour.
const CONFORMANCE: &str = "conformance";
const WORKERS: &str = "selvage-workers";

fn set_up(session: &mut Session) -> Result<Tally> {
    setup::named(session.repo, &[])?;
    Ok(Tally::default())
}

fn format(session: &mut Session) -> Result<Tally> {
    check(session.repo.cargo().args(["fmt", "--all", "--check"]))
}

fn tidiness(session: &mut Session) -> Result<Tally> {
    let tidy::Outcome { passed, failed } = tidy::run(session.repo)?;
    Ok(Tally {
        passed,
        failed,
        skipped: 0,
    })
}

fn clippy(session: &mut Session) -> Result<Tally> {
    let mut cargo = session.repo.cargo();
    check(cargo.args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "--deny",
        "warnings",
    ]))
}

fn unit(session: &mut Session) -> Result<Tally> {
    programs::run(session, &["crates", "sim", "network", "bench", "xtask"])
}

fn core_on_wasm(session: &mut Session) -> Result<Tally> {
    let repo = session.repo;
    let mut cargo = wasm::cargo(repo)?;
    // Debian's toolchain has no clippy of the compiler's own version.
    let with_clippy = wasm::chosen(repo)? == wasm::Toolchain::Rustup;
    cargo
        .arg(if with_clippy { "clippy" } else { "check" })
        .args(["--target", wasm::TARGET]);
    cargo.args(["--package", WORKERS, "--features", CONFORMANCE]);
    for name in core_packages(repo)? {
        cargo.args(["--package", &name]);
    }
    if with_clippy {
        cargo.args(["--", "--deny", "warnings"]);
    }
    check(&mut cargo)
}

/// All that lies in `crates`, named by the directory.
fn core_packages(repo: &Repo) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in repo.join("crates").read_dir()? {
        let path = entry?.path();
        if path.join("Cargo.toml").exists() {
            let name = path
                .file_name()
                .and_then(OsStr::to_str)
                .context("a directory name that is not UTF-8")?;
            names.push(format!("selvage-{name}"));
        }
    }
    names.sort();
    Ok(names)
}

fn bundles(session: &mut Session) -> Result<Tally> {
    let repo = session.repo;
    worker::build(
        repo,
        &Bundle {
            features: None,
            out: &repo.worker_dist(),
            deployable: true,
        },
    )?;
    let out = conformance_dist(repo);
    worker::build(
        repo,
        &Bundle {
            features: Some(CONFORMANCE),
            out: &out,
            deployable: false,
        },
    )?;
    Ok(Tally {
        passed: 2,
        ..Tally::default()
    })
}

/// The bundle that the suite of host behaviour talks to; never deployed.
pub(super) fn conformance_dist(repo: &Repo) -> PathBuf {
    repo.target_dir().join("worker-conformance")
}

fn hosts(session: &mut Session) -> Result<Tally> {
    programs::run(session, &["hosts", "conformance"])
}

fn end_to_end(session: &mut Session) -> Result<Tally> {
    programs::run(session, &["e2e"])
}

fn check(command: &mut Command) -> Result<Tally> {
    process::run(command)?;
    Ok(Tally::success())
}
