//! The JavaScript tools that bundle and run the Workers host, as programs in one directory.

use std::path::Path;

use anyhow::Result;

use super::node;
use crate::{files, repo::Repo};

const MANIFESTS: [&str; 4] = [
    "xtask/node/runtime/package.json",
    "xtask/node/runtime/package-lock.json",
    "xtask/node/tools/package.json",
    "xtask/node/tools/package-lock.json",
];

const PROGRAMS: [&str; 5] = ["node", "workerd", "esbuild", "wasm-opt", "wrangler"];

pub(super) fn inputs(repo: &Repo) -> Result<Option<String>> {
    let texts = MANIFESTS.map(|manifest| files::read(&repo.join(manifest)));
    Ok(Some(texts.into_iter().collect::<Result<Vec<_>>>()?.concat()))
}

pub(super) fn present(repo: &Repo) -> bool {
    PROGRAMS.iter().all(|program| repo.tool(program).exists())
}

pub(super) fn make(repo: &Repo) -> Result<()> {
    node::provide(repo)?;
    let dir = repo.setup_dir().join("tools");
    node::install_locked(repo, &repo.join("xtask/node/tools"), &dir)?;
    let modules = dir.join("node_modules");
    // The platform's own binaries and not the packages' launchers: a killed launcher leaves its child running.
    files::symlink(
        &node::find_binary(&modules.join("@cloudflare"), "workerd")?,
        &repo.tool("workerd"),
    )?;
    files::symlink(
        &node::find_binary(&modules.join("@esbuild"), "esbuild")?,
        &repo.tool("esbuild"),
    )?;
    script(repo, "wasm-opt", &modules.join("binaryen/bin/wasm-opt"))?;
    script(repo, "wrangler", &modules.join("wrangler/bin/wrangler.js"))
}

/// A program that runs `script` with our Node, whatever Node the `PATH` has.
fn script(repo: &Repo, name: &str, script: &Path) -> Result<()> {
    let node = repo.tool("node");
    let text = format!(
        "#!/bin/sh\nexec '{}' '{}' \"$@\"\n",
        node.display(),
        script.display()
    );
    files::write_executable(&repo.tool(name), &text)
}
