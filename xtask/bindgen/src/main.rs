//! Turns a wasm file that uses `wasm-bindgen` into `index_bg.wasm` and its glue `index.js`.
//!
//! This is its own small program, so that `xtask` itself stays quick to compile, and it is built from the
//! workspace's lock file, so that it always has the very version that the Workers host was compiled with.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, ensure};
use wasm_bindgen_cli_support::Bindgen;

const SOURCE_PHASE: &str = "import source ";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask-bindgen: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let mut args = env::args_os().skip(1).map(PathBuf::from);
    let input = args.next().context("usage: xtask-bindgen INPUT.wasm OUT_DIR")?;
    let out_dir = args.next().context("usage: xtask-bindgen INPUT.wasm OUT_DIR")?;
    generate(&input, &out_dir).with_context(|| format!("{}", input.display()))
}

/// After a trap the glue builds a fresh instance on the next call (`reset_state_function`, and the abort
/// handler that asks for it), so that one panic does not end the isolate.
fn generate(input: &Path, out_dir: &Path) -> Result<()> {
    let mut bindgen = Bindgen::new();
    bindgen
        .input_path(input)
        .out_name("index")
        .module(true)?
        .typescript(false);
    bindgen
        .reset_state_function(true)
        .force_enable_abort_handler(true);
    bindgen.generate(out_dir)?;
    import_as_module(&out_dir.join("index.js"))
}

/// workerd makes a plain import of a wasm file a `WebAssembly.Module`; it does not know source phase imports.
fn import_as_module(glue: &Path) -> Result<()> {
    let text = fs::read_to_string(glue)?;
    ensure!(
        text.contains(SOURCE_PHASE),
        "the glue no longer imports its wasm by `{SOURCE_PHASE}`"
    );
    Ok(fs::write(glue, text.replacen(SOURCE_PHASE, "import ", 1))?)
}
