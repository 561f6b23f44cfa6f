//! Every test of the project, in one go and on both hosts.
//!
//! The workspace is compiled once, and its test programs are started from here rather than by `cargo test` for
//! one package after another: choosing other packages makes cargo choose other features of shared dependencies,
//! and build those again.

mod build;
mod programs;
mod steps;
mod tally;
mod watch;

use anyhow::{Result, ensure};

use self::{
    build::Built,
    steps::{STEPS, Step},
    tally::Tally,
};
use crate::repo::Repo;

/// What the steps share.
struct Session<'a> {
    repo: &'a Repo,
    /// The compiled workspace, once a step has needed it; the message when it does not compile.
    built: Option<Result<Built, String>>,
}

/// Prints the names of the steps.
pub(crate) fn list() {
    for step in STEPS {
        println!("{:12} {}", step.name, step.about);
    }
}

/// Runs all steps, or those named; goes on after a failure, and fails at the end.
pub(crate) fn run(repo: &Repo, only: &[String]) -> Result<()> {
    for name in only {
        let known = STEPS.iter().any(|step| step.name == name);
        ensure!(
            known,
            "there is no step `{name}`; `cargo xtask test --list` names them"
        );
    }
    let mut session = Session { repo, built: None };
    let wanted = |step: &&Step| only.is_empty() || only.iter().any(|name| name == step.name);
    let mut lines = Vec::new();
    let mut total = Tally::default();
    for step in STEPS.iter().filter(wanted) {
        let tally = run_step(&mut session, step);
        lines.push(format!("{:12} {tally}", step.name));
        total += tally;
    }
    println!("\n{}\n\n{total}", lines.join("\n"));
    ensure!(total.failed == 0, "{} failed", total.failed);
    Ok(())
}

fn run_step(session: &mut Session, step: &Step) -> Tally {
    println!("\n== {}: {}", step.name, step.about);
    let outcome = watch::timed(|| (step.run)(session));
    outcome.unwrap_or_else(|error| {
        println!("FAILED {}: {error:#}", step.name);
        Tally::failure()
    })
}
