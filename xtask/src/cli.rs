//! Arguments to commands.

use std::path::PathBuf;

use anyhow::{Result, bail, ensure};
use pico_args::Arguments;

use crate::{
    repo::Repo,
    setup, test, tidy,
    worker::{self, Bundle},
};

const HELP: &str = "\
The project's own commands.

cargo xtask setup [PART]...     make this machine ready; a part that is ready is left alone
                                parts: wasm, worker-tools, python, node-clients (default: all)
cargo xtask worker build        compile and bundle the Workers host
    --features A,B              features of selvage-workers to turn on
    --out DIR                   where the bundle goes (default: hosts/workers/dist)
cargo xtask test                set up, then run every test of the project, on both hosts
    --only STEP                 run one step alone (repeatable)
    --list                      name the steps
cargo xtask tidy                check layers, dependencies, sizes, markers, links
    --shrink                    lower the ratchets to what the tree holds now

Environment:
    SELVAGE_WASM_FALLBACK=1     take Debian's toolchain for wasm even where rustup has the target
";

pub(crate) fn run() -> Result<()> {
    let mut args = Arguments::from_env();
    if args.contains(["-h", "--help"]) {
        print!("{HELP}");
        return Ok(());
    }
    let repo = Repo::find()?;
    match args.subcommand()?.as_deref() {
        Some("setup") => setup_command(&repo, args),
        Some("worker") => worker_command(&repo, args),
        Some("test") => test_command(&repo, args),
        Some("tidy") => tidy_command(&repo, args),
        Some(other) => bail!("there is no command `{other}`\n\n{HELP}"),
        None => bail!("which command?\n\n{HELP}"),
    }
}

fn setup_command(repo: &Repo, mut args: Arguments) -> Result<()> {
    let mut names = Vec::new();
    while let Some(name) = args.subcommand()? {
        names.push(name);
    }
    finish(args)?;
    setup::named(repo, &names)
}

fn worker_command(repo: &Repo, mut args: Arguments) -> Result<()> {
    let action = args.subcommand()?;
    ensure!(
        action.as_deref() == Some("build"),
        "the worker command is `worker build`"
    );
    let features: Option<String> = args.opt_value_from_str("--features")?;
    let out: Option<PathBuf> = args.opt_value_from_str("--out")?;
    finish(args)?;
    let out = out.unwrap_or_else(|| repo.worker_dist());
    worker::build(
        repo,
        &Bundle {
            features: features.as_deref(),
            out: &out,
            deployable: true,
        },
    )
}

fn test_command(repo: &Repo, mut args: Arguments) -> Result<()> {
    let only: Vec<String> = args.values_from_str("--only")?;
    let list = args.contains("--list");
    finish(args)?;
    if list {
        test::list();
        return Ok(());
    }
    test::run(repo, &only)
}

fn tidy_command(repo: &Repo, mut args: Arguments) -> Result<()> {
    let shrink = args.contains("--shrink");
    finish(args)?;
    if shrink {
        tidy::shrink(repo)
    } else {
        tidy::require(repo)
    }
}

fn finish(args: Arguments) -> Result<()> {
    let rest = args.finish();
    ensure!(rest.is_empty(), "unknown arguments: {rest:?}\n\n{HELP}");
    Ok(())
}
