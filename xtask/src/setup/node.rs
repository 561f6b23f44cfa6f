//! Node, new enough for the Workers tools: the machine's own, or the one that npm's packages carry.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

use super::apt;
use crate::{files, process, repo::Repo};

/// The oldest major version that wrangler and miniflare run on.
const OLDEST_NODE: u32 = 22;

/// Puts `node` among the tools.
pub(super) fn provide(repo: &Repo) -> Result<()> {
    if !process::succeeds(Command::new("npm").arg("--version")) {
        apt::install(&["nodejs", "npm"])?;
    }
    let node = match machines_own() {
        Some(node) => node,
        None => from_npm(repo)?,
    };
    files::symlink(&node, &repo.tool("node"))
}

/// The path of the machine's Node when it is new enough.
fn machines_own() -> Option<PathBuf> {
    let print = "console.log(process.versions.node + ' ' + process.execPath)";
    let told = process::capture(Command::new("node").args(["-e", print])).ok()?;
    let (version, path) = told.trim().split_once(' ')?;
    new_enough(version).then(|| PathBuf::from(path))
}

fn new_enough(version: &str) -> bool {
    version
        .split('.')
        .next()
        .and_then(|major| major.parse::<u32>().ok())
        .is_some_and(|major| major >= OLDEST_NODE)
}

fn from_npm(repo: &Repo) -> Result<PathBuf> {
    println!("this machine has no Node {OLDEST_NODE} or later; taking the one in npm's packages");
    let dir = repo.setup_dir().join("node");
    install_locked(repo, &repo.join("xtask/node/runtime"), &dir)?;
    find_binary(&dir.join("node_modules"), "node").with_context(|| {
        format!("npm has no Node for this platform: install Node {OLDEST_NODE} or later yourself")
    })
}

/// Installs a committed `package.json` and its lock file into `dir`.
pub(super) fn install_locked(repo: &Repo, from: &Path, dir: &Path) -> Result<()> {
    files::fresh_dir(dir)?;
    for file in ["package.json", "package-lock.json"] {
        files::copy(&from.join(file), &dir.join(file))?;
    }
    npm_ci(repo, dir)
}

/// What the lock file names and nothing else. No install script runs: those fetch and patch as they please,
/// and the packages that we use carry their binaries.
pub(super) fn npm_ci(repo: &Repo, dir: &Path) -> Result<()> {
    let mut npm = Command::new("npm");
    npm.args([
        "ci",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--loglevel=error",
    ]);
    process::run(npm.current_dir(dir).env("PATH", path_with_tools(repo)?))
}

/// `PATH` with our tools first, our Node among them.
pub(crate) fn path_with_tools(repo: &Repo) -> Result<OsString> {
    let old = env::var_os("PATH").unwrap_or_default();
    let ours = repo.setup_dir().join("bin");
    let dirs = std::iter::once(ours).chain(env::split_paths(&old));
    Ok(env::join_paths(dirs)?)
}

/// Finds `PACKAGE/bin/NAME` below a `node_modules` or a scope in it: the package of this platform, since npm
/// installs no other.
pub(super) fn find_binary(modules: &Path, name: &str) -> Result<PathBuf> {
    let mut found = Vec::new();
    for entry in modules
        .read_dir()
        .with_context(|| format!("listing {}", modules.display()))?
    {
        let candidate = entry?.path().join("bin").join(name);
        if candidate.is_file() {
            found.push(candidate);
        }
    }
    ensure!(
        found.len() == 1,
        "{} programs `{name}` below {}",
        found.len(),
        modules.display()
    );
    found.pop().context("counted above")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_number() {
        assert!(new_enough("22.1.0"));
        assert!(new_enough("100.0.0"));
        assert!(!new_enough("20.20.2"));
        assert!(!new_enough("9.9.9"));
        assert!(!new_enough("nonsense"));
    }
}
