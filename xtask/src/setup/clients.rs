//! The JavaScript clients that the end-to-end tests drive; their manifest lies with the drivers.

use std::path::PathBuf;

use anyhow::Result;

use super::node;
use crate::{files, repo::Repo};

pub(super) fn inputs(repo: &Repo) -> Result<Option<String>> {
    let lock = drivers(repo).join("package-lock.json");
    lock.exists().then(|| files::read(&lock)).transpose()
}

pub(super) fn present(repo: &Repo) -> bool {
    drivers(repo).join("node_modules").is_dir()
}

pub(super) fn make(repo: &Repo) -> Result<()> {
    if !repo.tool("node").exists() {
        node::provide(repo)?;
    }
    node::npm_ci(repo, &drivers(repo))
}

fn drivers(repo: &Repo) -> PathBuf {
    repo.join("e2e/drivers/js")
}
