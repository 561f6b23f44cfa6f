//! The packages of others that the project depends on: which, how many, and where from.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use serde_json::Value;

use super::{Finding, layers, tree::Tree};
use crate::{process, repo::Repo};

/// What the native host may be made of, itself included, on Linux, without what only tests use.
const NATIVE_PACKAGES_MAX: usize = 400;

/// The only place that packages come from.
const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// What the core may not even have below it, and what to do instead. A name that ends in `*` is a beginning.
const BANNED: &[(&str, &str)] = &[
    ("tokio*", ASYNC),
    ("async-*", ASYNC),
    ("smol*", ASYNC),
    ("futures*", ASYNC),
    ("rand", RANDOM),
    ("rand_chacha", RANDOM),
    ("fastrand", RANDOM),
    ("getrandom", RANDOM),
    ("chrono", TIME),
    ("time", TIME),
    ("jiff", TIME),
    ("web-time", TIME),
    ("instant", TIME),
    ("rusqlite", SQL),
    ("libsqlite3-sys", SQL),
    ("sqlx*", SQL),
    ("reqwest", NETWORK),
    ("ureq", NETWORK),
    ("hyper*", NETWORK),
    ("axum*", NETWORK),
    ("tower*", NETWORK),
    ("mio", NETWORK),
    ("socket2", NETWORK),
    ("rustls", NETWORK),
    ("rayon*", THREADS),
    ("crossbeam*", THREADS),
    ("worker*", HOST),
    ("wasm-bindgen*", HOST),
    ("js-sys", HOST),
    ("web-sys", HOST),
];

const ASYNC: &str = "the core is synchronous; waiting belongs to the gateway and the hosts";
const RANDOM: &str = "random bytes come with the turn";
const TIME: &str = "time comes with the turn";
const SQL: &str = "storage is reached through the traits of selvage-object";
const NETWORK: &str = "effects are returned as actions, which the host carries out";
const THREADS: &str = "a turn runs on one thread of the host's";
const HOST: &str = "the core knows no host";

/// What each core crate is built of, on any platform, as built alone.
pub(super) fn check_core(tree: &Tree) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for package in tree
        .packages
        .iter()
        .filter(|package| layers::CORE.contains(&package.name.as_str()))
    {
        let below = closure(
            tree.repo,
            &package.name,
            &["--edges=normal,no-proc-macro", "--target=all"],
        )?;
        findings.extend(banned(&package.name, &below));
    }
    Ok(findings)
}

fn banned(package: &str, below: &BTreeSet<String>) -> Vec<Finding> {
    let names = below.iter().filter_map(|line| line.split(' ').next());
    let found = names.filter_map(|name| reason(name).map(|reason| (name, reason)));
    found
        .map(|(name, reason)| {
            let how = format!("`cargo tree --package {package} --invert {name}` shows by what way");
            Finding::new(package, format!("has {name} below it, but {reason}; {how}"))
        })
        .collect()
}

fn reason(name: &str) -> Option<&'static str> {
    let matches = |pattern: &str| match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == pattern,
    };
    BANNED
        .iter()
        .find(|(pattern, _)| matches(pattern))
        .map(|(_, reason)| *reason)
}

pub(super) fn check_count(tree: &Tree) -> Result<Vec<Finding>> {
    let edges = "--edges=normal,build";
    let count = closure(
        tree.repo,
        "selvage",
        &[edges, "--target=x86_64-unknown-linux-gnu"],
    )?
    .len();
    println!("  the native host is made of {count} packages (at most {NATIVE_PACKAGES_MAX})");
    Ok(too_many(count, NATIVE_PACKAGES_MAX).into_iter().collect())
}

fn too_many(count: usize, limit: usize) -> Option<Finding> {
    let message = format!("is made of {count} packages and may be of {limit}: find a smaller dependency");
    (count > limit).then(|| Finding::new("selvage", message))
}

/// Every package below one, as `NAME vVERSION …`, with the features that building it alone turns on.
fn closure(repo: &Repo, package: &str, choice: &[&str]) -> Result<BTreeSet<String>> {
    let mut cargo = repo.cargo();
    cargo
        .args(["tree", "--package", package, "--prefix=none", "--format={p}"])
        .args(choice);
    let printed = process::capture(&mut cargo)?;
    let lines = printed.lines().map(|line| line.trim_end_matches(" (*)"));
    Ok(lines.filter(|line| !line.is_empty()).map(str::to_owned).collect())
}

pub(super) fn check_sources(tree: &Tree) -> Result<Vec<Finding>> {
    let metadata = process::capture(tree.repo.cargo().args(["metadata", "--format-version=1"]))?;
    foreign_sources(&serde_json::from_str(&metadata)?)
}

fn foreign_sources(metadata: &Value) -> Result<Vec<Finding>> {
    let packages = metadata
        .get("packages")
        .and_then(Value::as_array)
        .context("cargo lists no packages")?;
    let source = |package: &Value| package.get("source").and_then(Value::as_str).map(str::to_owned);
    let foreign = packages
        .iter()
        .filter_map(|package| Some((package, source(package)?)));
    let foreign = foreign.filter(|(_, source)| source != CRATES_IO);
    Ok(foreign
        .map(|(package, source)| {
            let name = package.get("name").and_then(Value::as_str).unwrap_or("a package");
            Finding::new(
                name,
                format!("comes from {source}; packages come from crates.io only, git forks do not"),
            )
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn banned_packages_are_found_by_name_and_by_beginning() {
        let below = [
            "serde v1.0.0",
            "tokio-util v0.7.0",
            "getrandom v0.3.0",
            "rand_core v0.9.0",
            "timeless v1.0.0",
        ];
        let findings = banned("selvage-room", &below.map(str::to_owned).into());
        let found: Vec<_> = findings.iter().map(|finding| finding.message.as_str()).collect();
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(
            found
                .iter()
                .any(|message| message.starts_with("has tokio-util below it"))
        );
        assert!(
            found
                .iter()
                .any(|message| message.starts_with("has getrandom below it"))
        );
    }

    #[test]
    fn the_budget_has_an_end() {
        assert!(too_many(400, 400).is_none());
        assert!(too_many(401, 400).is_some());
    }

    #[test]
    fn git_dependencies_are_found() {
        let metadata = serde_json::json!({ "packages": [
            { "name": "ours", "source": null },
            { "name": "theirs", "source": CRATES_IO },
            { "name": "forked", "source": "git+https://example.org/forked?rev=1#1" },
        ]});
        let findings = foreign_sources(&metadata).expect("well formed");
        assert_eq!(
            findings
                .iter()
                .map(|finding| finding.place.as_str())
                .collect::<Vec<_>>(),
            ["forked"]
        );
    }
}
