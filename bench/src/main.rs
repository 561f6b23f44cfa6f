//! A load tool for any homeserver.
//!
//! It uses the public client-server API alone, so it measures Selvage and Synapse by the same requests, side by side
//! in one run. `docs/bench.md` says how to run it and what each figure means.
//!
//! The generator shares the machine with the server under test. It is therefore one thread, one task per request in
//! flight at most, and a hand-written HTTP/1.1 client ([`http`]); what it costs itself is measured and reported.
//!
//! It may depend on no other crate of the workspace: what it knows of a server is what any client knows.

mod args;
mod clock;
mod counts;
mod echo;
mod fan_out;
mod fault;
mod figures;
mod http;
mod machine;
mod matrix;
mod meter;
mod modes;
mod phases;
mod proc;
mod report;
mod server;
mod stats;
mod table;
mod world;

use std::process::ExitCode;

use clap::Parser as _;

use crate::{args::Cli, fault::Fault};

/// Runs the command; any error in a response, or a fault, makes the exit code 1.
fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(errors) => {
            eprintln!("bench: {errors} requests failed; the figures are not to be trusted");
            ExitCode::FAILURE
        }
        Err(fault) => {
            eprintln!("bench: {fault}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the command on one thread and returns how many requests failed.
fn run(cli: &Cli) -> Result<u64, Fault> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(modes::run(&cli.command))
}
