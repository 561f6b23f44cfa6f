//! Python virtual environments: a client library to test with, and the homeserver to compare with.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use super::apt;
use crate::{files, process, repo::Repo};

/// Each has its requirements in `xtask/python/NAME.txt` and lies in `.setup/python/NAME`.
const ENVIRONMENTS: [&str; 2] = ["nio", "synapse"];

pub(super) fn inputs(repo: &Repo) -> Result<Option<String>> {
    let texts = ENVIRONMENTS.map(|name| files::read(&requirements(repo, name)));
    Ok(Some(texts.into_iter().collect::<Result<Vec<_>>>()?.concat()))
}

pub(super) fn present(repo: &Repo) -> bool {
    ENVIRONMENTS
        .iter()
        .all(|name| interpreter(&environment(repo, name)).exists())
}

pub(super) fn make(repo: &Repo) -> Result<()> {
    ENVIRONMENTS
        .iter()
        .try_for_each(|name| make_environment(repo, name))
}

fn make_environment(repo: &Repo, name: &str) -> Result<()> {
    let dir = environment(repo, name);
    files::fresh_dir(&dir)?;
    create(&dir)?;
    let mut pip = Command::new(interpreter(&dir));
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--requirement",
    ]);
    process::run(pip.arg(requirements(repo, name))).with_context(|| {
        format!("installing xtask/python/{name}.txt; it needs PyPI and Python 3.11 or later")
    })
}

fn create(dir: &Path) -> Result<()> {
    let attempt = || process::run(Command::new("python3").args(["-m", "venv"]).arg(dir));
    if attempt().is_ok() {
        return Ok(());
    }
    // Debian packs the venv module apart from Python.
    apt::install(&["python3", "python3-venv"])?;
    files::fresh_dir(dir)?;
    attempt()
}

fn requirements(repo: &Repo, name: &str) -> PathBuf {
    repo.join("xtask/python").join(name).with_extension("txt")
}

fn environment(repo: &Repo, name: &str) -> PathBuf {
    repo.setup_dir().join("python").join(name)
}

fn interpreter(environment: &Path) -> PathBuf {
    environment.join("bin/python")
}
