//! Python virtual environments: a client library to test with, and the homeserver to compare with.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use super::apt;
use crate::{files, process, repo::Repo};

struct Environment {
    /// Its directory in `.setup`.
    name: &'static str,
    /// What it holds, with every version pinned.
    requirements: &'static str,
}

const ENVIRONMENTS: [Environment; 2] = [
    Environment {
        name: "python",
        requirements: "e2e/drivers/python/requirements.txt",
    },
    Environment {
        name: "synapse",
        requirements: "xtask/python/synapse.txt",
    },
];

pub(super) fn inputs(repo: &Repo) -> Result<Option<String>> {
    let texts = ENVIRONMENTS.map(|environment| files::read(&repo.join(environment.requirements)));
    Ok(Some(texts.into_iter().collect::<Result<Vec<_>>>()?.concat()))
}

pub(super) fn present(repo: &Repo) -> bool {
    ENVIRONMENTS
        .iter()
        .all(|environment| interpreter(repo, environment.name).exists())
}

pub(super) fn make(repo: &Repo) -> Result<()> {
    ENVIRONMENTS
        .iter()
        .try_for_each(|environment| make_environment(repo, environment))
}

fn make_environment(repo: &Repo, environment: &Environment) -> Result<()> {
    let dir = repo.setup_dir().join(environment.name);
    files::fresh_dir(&dir)?;
    create(&dir)?;
    let mut pip = Command::new(interpreter(repo, environment.name));
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--requirement",
    ]);
    process::run(pip.arg(repo.join(environment.requirements))).with_context(|| {
        format!(
            "installing {}; it needs PyPI and Python 3.11 or later",
            environment.requirements
        )
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

/// The interpreter of an environment.
pub(crate) fn interpreter(repo: &Repo, name: &str) -> PathBuf {
    repo.setup_dir().join(name).join("bin/python")
}
