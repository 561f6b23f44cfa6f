//! Builds the Workers host: Rust to wasm, its JavaScript glue, one module of each.
//!
//! `wrangler` and `worker-build` do the same with tools that they download; here every tool comes from the
//! set-up, with its version pinned in the tree.

mod classes;
mod size;

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Result;

use crate::{
    files, process,
    repo::Repo,
    setup::{self, wasm},
};

const PACKAGE: &str = "selvage-workers";
const ARTIFACT: &str = "selvage_workers.wasm";
const PROFILE: &str = "worker";
const SHIM: &str = "xtask/worker/shim.js";
/// Copied into the bundle where it exists, so that its paths to the modules are the bundle's own.
const WORKERD_CONFIG: &str = "hosts/workers/workerd.capnp";

/// The workspace optimises its dependencies for the tests' sake; the glue takes a second either way, but building
/// its tool takes minutes with that and one without.
const FAST_TO_COMPILE: &str = "profile.dev.package.'*'.opt-level=0";

/// What the compiler emits and workerd runs. Named one by one: wasm-opt may turn any feature that is on into
/// encodings which the runtime does not read yet.
const WASM_FEATURES: [&str; 7] = [
    "bulk-memory",
    "exception-handling",
    "multivalue",
    "mutable-globals",
    "nontrapping-float-to-int",
    "reference-types",
    "sign-ext",
];

/// What to build.
pub(crate) struct Bundle<'a> {
    /// Features of the host to turn on, separated by commas.
    pub(crate) features: Option<&'a str>,
    /// Where the modules go; emptied first.
    pub(crate) out: &'a Path,
    /// Whether it will be deployed: then it is made small, and must be.
    pub(crate) deployable: bool,
}

/// Leaves `index.js` and `index_bg.wasm` in a directory; an error when they are larger than the platform takes.
pub(crate) fn build(repo: &Repo, bundle: &Bundle) -> Result<()> {
    setup::ensure(repo, &setup::WASM)?;
    setup::ensure(repo, &setup::WORKER_TOOLS)?;
    let wasm = compile(repo, bundle.features)?;
    let glue = repo
        .target_dir()
        .join("worker-glue")
        .join(bundle.features.unwrap_or("plain"));
    files::fresh_dir(&glue)?;
    bindgen(repo, &wasm, &glue)?;
    write_entry(repo, &glue)?;
    files::fresh_dir(bundle.out)?;
    copy_config(repo, bundle.out)?;
    join(repo, &glue, &bundle.out.join("index.js"))?;
    let (module, small) = (glue.join("index_bg.wasm"), bundle.out.join("index_bg.wasm"));
    if !bundle.deployable {
        return files::copy(&module, &small);
    }
    optimise(repo, &module, &small)?;
    size::check(bundle.out)
}

fn compile(repo: &Repo, features: Option<&str>) -> Result<PathBuf> {
    let mut cargo = wasm::cargo(repo)?;
    cargo.args([
        "build",
        "--package",
        PACKAGE,
        "--lib",
        "--profile",
        PROFILE,
        "--target",
        wasm::TARGET,
    ]);
    if let Some(features) = features {
        cargo.args(["--features", features]);
    }
    process::run(&mut cargo)?;
    Ok(wasm::target_dir(repo)?.join(PROFILE).join(ARTIFACT))
}

fn bindgen(repo: &Repo, wasm: &Path, glue: &Path) -> Result<()> {
    let mut cargo = repo.cargo();
    cargo.args([
        "run",
        "--quiet",
        "--package",
        "xtask-bindgen",
        "--config",
        FAST_TO_COMPILE,
        "--",
    ]);
    process::run(cargo.arg(wasm).arg(glue))
}

/// The entry module: our shim, and an export for each Durable Object class.
fn write_entry(repo: &Repo, glue: &Path) -> Result<()> {
    let generated = files::read(&glue.join("index.js"))?;
    let exported = classes::durable_objects(&generated);
    println!("Durable Object classes: {}", exported.join(", "));
    let exports = exported
        .iter()
        .map(|class| format!("export const {class} = durableObject(wasm.{class});\n"));
    let shim = files::read(&repo.join(SHIM))?;
    files::write(&glue.join("shim.js"), shim + &exports.collect::<String>())
}

/// One JavaScript module out of the shim, the glue and its snippets.
fn join(repo: &Repo, glue: &Path, to: &Path) -> Result<()> {
    let mut esbuild = Command::new(repo.tool("esbuild"));
    esbuild.current_dir(glue).args([
        "shim.js",
        "--bundle",
        "--format=esm",
        "--minify",
        "--log-level=warning",
    ]);
    esbuild.args(["--external:./index_bg.wasm", "--external:cloudflare:*"]);
    process::run(esbuild.arg(format!("--outfile={}", std::path::absolute(to)?.display())))
}

fn optimise(repo: &Repo, from: &Path, to: &Path) -> Result<()> {
    let mut wasm_opt = Command::new(repo.tool("wasm-opt"));
    wasm_opt
        .arg("-Os")
        .args(WASM_FEATURES.map(|feature| format!("--enable-{feature}")));
    process::run(wasm_opt.arg(from).arg("-o").arg(to))
}

fn copy_config(repo: &Repo, out: &Path) -> Result<()> {
    let config = repo.join(WORKERD_CONFIG);
    if config.exists() {
        files::copy(&config, &out.join("workerd.capnp"))
    } else {
        Ok(())
    }
}
