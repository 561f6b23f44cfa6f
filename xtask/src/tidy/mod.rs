//! Tidiness as a test: rules that the compiler does not know, each a function from what the tree holds to findings.

mod docs;
mod git;
mod layers;
mod length;
mod links;
mod manifests;
mod markers;
mod packages;
mod purity;
mod ratchet;
mod rust;
mod tree;

use anyhow::{Result, ensure};

use self::tree::Tree;
use crate::repo::Repo;

/// One place that breaks a rule.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    /// A file, with a line where there is one, or a package.
    place: String,
    /// What is wrong and what to do.
    message: String,
}

impl Finding {
    fn new(place: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            message: message.into(),
        }
    }

    fn at(file: &str, line: usize, message: impl Into<String>) -> Self {
        Self::new(format!("{file}:{line}"), message)
    }
}

struct Check {
    name: &'static str,
    run: fn(&Tree) -> Result<Vec<Finding>>,
}

const CHECKS: &[Check] = &[
    Check {
        name: "layers",
        run: layers::check,
    },
    Check {
        name: "dependencies of the core",
        run: packages::check_core,
    },
    Check {
        name: "number of packages",
        run: packages::check_count,
    },
    Check {
        name: "sources of packages",
        run: packages::check_sources,
    },
    Check {
        name: "manifests",
        run: manifests::check,
    },
    Check {
        name: "purity of the core",
        run: purity::check,
    },
    Check {
        name: "crate pages",
        run: docs::check,
    },
    Check {
        name: "examples",
        run: docs::check_examples,
    },
    Check {
        name: "lengths",
        run: length::check,
    },
    Check {
        name: "markers",
        run: markers::check,
    },
    Check {
        name: "spec links",
        run: links::check,
    },
];

/// How many checks passed, and how many did not.
pub(crate) struct Outcome {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
}

/// Runs every check and prints what they find.
pub(crate) fn run(repo: &Repo) -> Result<Outcome> {
    let tree = Tree::load(repo)?;
    let mut outcome = Outcome { passed: 0, failed: 0 };
    for check in CHECKS {
        let findings = (check.run)(&tree)?;
        report(check.name, &findings);
        *(if findings.is_empty() {
            &mut outcome.passed
        } else {
            &mut outcome.failed
        }) += 1;
    }
    Ok(outcome)
}

/// As [`run`], with an error when anything was found.
pub(crate) fn require(repo: &Repo) -> Result<()> {
    let outcome = run(repo)?;
    ensure!(
        outcome.failed == 0,
        "{} of the checks found something",
        outcome.failed
    );
    Ok(())
}

fn report(name: &str, findings: &[Finding]) {
    println!(
        "tidy: {name}: {}",
        if findings.is_empty() { "ok" } else { "FAILED" }
    );
    for Finding { place, message } in findings {
        println!("  {place}: {message}");
    }
}

/// Lowers the ratchets to what the tree holds now.
pub(crate) fn shrink(repo: &Repo) -> Result<()> {
    let tree = Tree::load(repo)?;
    ratchet::shrink(repo, &length::measure(&tree)?)
}
