//! The project's own commands: set-up, tests, tidiness, packaging.
//!
//! `cargo xtask --help` lists them. This crate knows the repository and the machine; no other crate may depend
//! on it, and it depends on no crate of the project, so that it compiles while they do not.

mod cli;
mod files;
mod process;
mod repo;
mod setup;
mod test;
mod tidy;
mod worker;

use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
