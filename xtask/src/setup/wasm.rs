//! The wasm target: rustup's where rustup has it, else one built from Debian's sources.

use std::{env, path::PathBuf, process::Command};

use anyhow::{Context, Result, bail};

use super::wasm_debian;
use crate::{files, process, repo::Repo};

pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// Set to `1`, it makes the set-up take Debian's toolchain: for trying that way where rustup works.
const FORCE_DEBIAN: &str = "SELVAGE_WASM_FALLBACK";

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Toolchain {
    /// The machine's own toolchain, which has the target.
    Rustup,
    /// Debian's, with a standard library that we built.
    Debian,
}

impl Toolchain {
    const ALL: [Self; 2] = [Self::Rustup, Self::Debian];

    fn name(self) -> &'static str {
        match self {
            Self::Rustup => "rustup",
            Self::Debian => "debian",
        }
    }
}

pub(super) fn inputs(repo: &Repo) -> Result<Option<String>> {
    let rustc = process::capture(Command::new("rustc").arg("-vV").current_dir(repo.root()))?;
    Ok(Some(format!(
        "{rustc}debian forced: {}\n{}\n",
        debian_forced(),
        wasm_debian::VERSION
    )))
}

pub(super) fn present(repo: &Repo) -> bool {
    match chosen(repo) {
        Ok(Toolchain::Rustup) => target_installed(),
        Ok(Toolchain::Debian) => wasm_debian::present(repo),
        Err(_) => false,
    }
}

pub(super) fn make(repo: &Repo) -> Result<()> {
    let toolchain = if !debian_forced() && rustup_has_it() {
        Toolchain::Rustup
    } else {
        Toolchain::Debian
    };
    if toolchain == Toolchain::Debian {
        println!("rustup cannot add {TARGET} here; building it from Debian's packages");
        wasm_debian::make(repo)?;
    }
    files::write(&choice(repo), toolchain.name())
}

fn debian_forced() -> bool {
    env::var_os(FORCE_DEBIAN).is_some_and(|value| value == "1")
}

/// A toolchain that was installed by other means than rustup may have the target all the same.
fn rustup_has_it() -> bool {
    target_installed() || process::run(Command::new("rustup").args(["target", "add", TARGET])).is_ok()
}

fn target_installed() -> bool {
    let mut query = Command::new("rustc");
    query.args(["--target", TARGET, "--print", "target-libdir"]);
    process::capture(&mut query).is_ok_and(|dir| PathBuf::from(dir.trim()).is_dir())
}

fn choice(repo: &Repo) -> PathBuf {
    repo.setup_dir().join("wasm-toolchain")
}

/// The toolchain that the set-up chose.
pub(crate) fn chosen(repo: &Repo) -> Result<Toolchain> {
    let name = files::read(&choice(repo)).context("run `cargo xtask setup wasm` first")?;
    match Toolchain::ALL
        .into_iter()
        .find(|toolchain| toolchain.name() == name)
    {
        Some(toolchain) => Ok(toolchain),
        None => bail!(
            "`{name}` is no toolchain: remove {} and set up again",
            choice(repo).display()
        ),
    }
}

/// cargo with all that building for `TARGET` needs; add `--target` [`TARGET`] to its arguments.
pub(crate) fn cargo(repo: &Repo) -> Result<Command> {
    Ok(match chosen(repo)? {
        Toolchain::Rustup => repo.cargo(),
        Toolchain::Debian => wasm_debian::cargo(repo),
    })
}

/// Where [`cargo`] puts what it builds for the target.
pub(crate) fn target_dir(repo: &Repo) -> Result<PathBuf> {
    let dir = match chosen(repo)? {
        Toolchain::Rustup => repo.target_dir(),
        Toolchain::Debian => wasm_debian::target_dir(repo),
    };
    Ok(dir.join(TARGET))
}
