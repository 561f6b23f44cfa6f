//! Runs the compiled test programs, one after the other.

use std::{path::Path, process::Command, time::Duration};

use anyhow::{Context, Result};

use super::{
    Session,
    build::{Built, TestProgram},
    tally::Tally,
    watch,
};
use crate::{repo::Repo, setup};

/// The longest that one test program may take; the end-to-end tests are several programs.
const PROGRAM_LIMIT: Duration = Duration::from_secs(15 * 60);

/// Runs the test programs of the packages whose directory, as seen from the root, begins with one of `areas`.
pub(super) fn run(session: &mut Session, areas: &[&str]) -> Result<Tally> {
    let repo = session.repo;
    let built = session.built()?;
    let in_areas = |test: &&TestProgram| areas.iter().any(|area| test.package.starts_with(repo.join(area)));
    Ok(built
        .tests
        .iter()
        .filter(in_areas)
        .map(|test| run_one(repo, &built.native, test))
        .sum())
}

impl Session<'_> {
    /// Compiles at the first call; says so at each later one when that failed.
    pub(super) fn built(&mut self) -> Result<&Built> {
        let repo = self.repo;
        let built = self
            .built
            .get_or_insert_with(|| Built::make(repo).map_err(|error| format!("{error:#}")));
        built.as_ref().map_err(|error| anyhow::anyhow!("{error}"))
    }
}

fn run_one(repo: &Repo, native: &Path, test: &TestProgram) -> Tally {
    println!(
        "\n{} of {}",
        test.name,
        test.package
            .strip_prefix(repo.root())
            .unwrap_or(&test.package)
            .display()
    );
    counted(repo, native, test).unwrap_or_else(|error| {
        println!("FAILED {}: {error:#}", test.name);
        Tally::failure()
    })
}

fn counted(repo: &Repo, native: &Path, test: &TestProgram) -> Result<Tally> {
    let mut command = Command::new(&test.path);
    command
        .current_dir(&test.package)
        .env("CARGO_MANIFEST_DIR", &test.package);
    environment(repo, native, &mut command)?;
    count_output(&mut command)
}

/// Runs something that prints what Rust's test harness prints.
fn count_output(command: &mut Command) -> Result<Tally> {
    let mut tally = Tally::default();
    let mut summed_up = false;
    let status = watch::run_lines(command, PROGRAM_LIMIT, |line| {
        println!("{line}");
        if let Some(counts) = Tally::of_line(line) {
            summed_up = true;
            tally += counts;
        }
    })?;
    // A program that dies half-way prints no counts, or has failed all the same.
    if !status.success() && tally.failed == 0 {
        tally += Tally::failure();
    }
    anyhow::ensure!(summed_up || !status.success(), "it printed no counts");
    Ok(tally)
}

/// Where the tests find what they start.
fn environment(repo: &Repo, native: &Path, command: &mut Command) -> Result<()> {
    command.env("SELVAGE_NATIVE_BIN", native);
    command.env("SELVAGE_WORKER_DIST", repo.worker_dist());
    command.env(
        "SELVAGE_WORKER_CONFORMANCE_DIST",
        super::steps::conformance_dist(repo),
    );
    command.env("SELVAGE_SETUP", repo.setup_dir());
    command.env("SELVAGE_PYTHON", setup::python::interpreter(repo, "python"));
    command.env(
        "SELVAGE_SYNAPSE_PYTHON",
        setup::python::interpreter(repo, "synapse"),
    );
    command.env("PATH", setup::node::path_with_tools(repo).context("PATH")?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts_of(script: &str) -> Result<Tally> {
        count_output(Command::new("sh").args(["-c", script]))
    }

    #[test]
    fn counts_are_taken_from_the_output() {
        let ok = "echo 'test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out'";
        assert_eq!(
            counts_of(ok).expect("ran"),
            Tally {
                passed: 3,
                ..Tally::default()
            }
        );
    }

    #[test]
    fn a_program_that_dies_counts_as_failed() {
        assert_eq!(counts_of("kill -ABRT $$").expect("ran"), Tally::failure());
        let some =
            "echo 'test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out'; exit 1";
        assert_eq!(
            counts_of(some).expect("ran"),
            Tally {
                passed: 3,
                failed: 1,
                skipped: 0
            }
        );
    }

    #[test]
    fn a_program_that_ran_nothing_and_says_nothing_is_an_error() {
        assert!(counts_of("true").is_err());
    }
}
