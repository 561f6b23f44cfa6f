//! The wasm target from Debian's packages, for machines where rustup cannot add it.
//!
//! Debian packs a recent compiler and the source of its standard library (for building browsers), but not that
//! library for wasm. An empty crate built with `-Zbuild-std` makes cargo build it; the resulting libraries
//! are put into a system root of our own, so nothing of Debian's is changed and nobody rebuilds them.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

use super::{apt, wasm::TARGET};
use crate::{files, process, repo::Repo};

/// Counts up when this file changes what it makes.
pub(super) const VERSION: &str = "debian sysroot 1";

const PACKAGES: [&str; 4] = ["rustc-web", "rust-web-src", "cargo-web", "lld"];
const CARGO: &str = "/usr/bin/cargo";
const RUSTC: &str = "/usr/bin/rustc";

pub(super) fn make(repo: &Repo) -> Result<()> {
    apt::install(&PACKAGES)?;
    let seed = write_seed(repo)?;
    process::run(build_std(&seed).arg("-Zbuild-std=std,panic_abort,proc_macro"))?;
    let built = seed.join("target").join(TARGET).join("release/deps");
    let count = copy_libraries(&built, &libraries(repo))?;
    println!("{count} libraries of the standard library for {TARGET}");
    Ok(())
}

pub(super) fn present(repo: &Repo) -> bool {
    Path::new(CARGO).exists() && Path::new(RUSTC).exists() && libraries(repo).is_dir()
}

pub(super) fn target_dir(repo: &Repo) -> PathBuf {
    // Apart from what another compiler builds: each would throw away the other's work.
    repo.target_dir().join("debian")
}

pub(super) fn cargo(repo: &Repo) -> Command {
    let mut command = debians();
    let flags = format!("--sysroot={}", sysroot(repo).display());
    command
        .current_dir(repo.root())
        .env("CARGO_TARGET_DIR", target_dir(repo));
    // For the target alone: build scripts and macros are for this machine and keep Debian's own system root.
    command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", flags);
    command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", "wasm-ld");
    command
}

/// Debian's cargo with Debian's compiler, whatever stands in `PATH` and whatever called us.
fn debians() -> Command {
    let mut command = Command::new(CARGO);
    for variable in [
        "RUSTUP_TOOLCHAIN",
        "RUSTFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_BUILD_TARGET",
    ] {
        command.env_remove(variable);
    }
    command.env("RUSTC", RUSTC);
    command
}

fn build_std(seed: &Path) -> Command {
    let mut command = debians();
    command
        .current_dir(seed)
        .env("CARGO_TARGET_DIR", seed.join("target"));
    // `-Z` options in a stable compiler; bitcode, because the Worker is linked with LTO.
    command
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", "-Cembed-bitcode=yes");
    command.args(["build", "--release", "--target", TARGET]);
    command
}

/// An empty crate, the occasion for building the standard library.
fn write_seed(repo: &Repo) -> Result<PathBuf> {
    let dir = repo.setup_dir().join("wasm-seed");
    files::fresh_dir(&dir)?;
    let manifest = "[package]\nname = \"seed\"\nversion = \"0.0.0\"\nedition = \"2021\"\n\n[workspace]\n";
    files::write(&dir.join("Cargo.toml"), manifest)?;
    files::write(&dir.join("src/lib.rs"), "#![no_std]\n")?;
    Ok(dir)
}

fn copy_libraries(from: &Path, to: &Path) -> Result<usize> {
    files::fresh_dir(to)?;
    let mut count = 0;
    for entry in from
        .read_dir()
        .with_context(|| format!("listing {}", from.display()))?
    {
        let path = entry?.path();
        if let (Some("rlib"), Some(name)) = (path.extension().and_then(OsStr::to_str), path.file_name()) {
            files::copy(&path, &to.join(name))?;
            count += 1;
        }
    }
    ensure!(count > 0, "the build left no libraries in {}", from.display());
    Ok(count)
}

fn sysroot(repo: &Repo) -> PathBuf {
    repo.setup_dir().join("wasm-sysroot")
}

fn libraries(repo: &Repo) -> PathBuf {
    sysroot(repo).join("lib/rustlib").join(TARGET).join("lib")
}
