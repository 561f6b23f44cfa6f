//! Makes a fresh machine ready, and does nothing on one that is.
//!
//! Everything comes from the package registries of the languages at hand (crates.io, npm, PyPI) and from
//! Debian; nothing is downloaded from anywhere else.

mod apt;
mod clients;
pub(crate) mod node;
pub(crate) mod python;
mod stamp;
mod tools;
pub(crate) mod wasm;
mod wasm_debian;

use anyhow::{Context, Result};

use crate::repo::Repo;

/// One thing that a machine needs.
pub(crate) struct Part {
    name: &'static str,
    about: &'static str,
    /// All that decides what the part makes, its pinned versions above all. The part is made again when this
    /// changes. `None`: the tree holds nothing that needs the part.
    inputs: fn(&Repo) -> Result<Option<String>>,
    /// Whether what it made is still there.
    present: fn(&Repo) -> bool,
    make: fn(&Repo) -> Result<()>,
}

pub(crate) const WASM: Part = Part {
    name: "wasm",
    about: "the wasm32-unknown-unknown target",
    inputs: wasm::inputs,
    present: wasm::present,
    make: wasm::make,
};

pub(crate) const WORKER_TOOLS: Part = Part {
    name: "worker-tools",
    about: "Node, workerd, wrangler, esbuild, wasm-opt",
    inputs: tools::inputs,
    present: tools::present,
    make: tools::make,
};

pub(crate) const PYTHON: Part = Part {
    name: "python",
    about: "virtual environments with matrix-nio and with Synapse",
    inputs: python::inputs,
    present: python::present,
    make: python::make,
};

pub(crate) const NODE_CLIENTS: Part = Part {
    name: "node-clients",
    about: "the npm packages of the end-to-end drivers",
    inputs: clients::inputs,
    present: clients::present,
    make: clients::make,
};

/// In the order in which they need each other.
pub(crate) const PARTS: [Part; 4] = [WASM, WORKER_TOOLS, PYTHON, NODE_CLIENTS];

/// Makes the named parts ready; all when no name is given.
pub(crate) fn named(repo: &Repo, names: &[String]) -> Result<()> {
    for name in names {
        let known = PARTS.iter().any(|part| part.name == name);
        anyhow::ensure!(known, "there is no part `{name}`; the parts are {}", part_names());
    }
    let wanted = |part: &&Part| names.is_empty() || names.iter().any(|name| name == part.name);
    PARTS
        .iter()
        .filter(wanted)
        .try_for_each(|part| ensure(repo, part))
}

/// Makes one part ready unless it is.
pub(crate) fn ensure(repo: &Repo, part: &Part) -> Result<()> {
    let Some(inputs) = (part.inputs)(repo)? else {
        println!("setup: {} is not needed yet", part.name);
        return Ok(());
    };
    if stamp::matches(repo, part.name, &inputs) && (part.present)(repo) {
        println!("setup: {} is ready", part.name);
        return Ok(());
    }
    println!("setup: making {} ready ({})", part.name, part.about);
    (part.make)(repo).with_context(|| format!("setting up {}", part.name))?;
    stamp::leave(repo, part.name, &inputs)
}

fn part_names() -> String {
    PARTS.map(|part| part.name).join(", ")
}
