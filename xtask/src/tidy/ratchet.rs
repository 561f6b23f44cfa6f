//! What is longer than it should be, with the length that it may have: the list may only shrink.
//!
//! A line is added by hand, and so is a decision that a reader of the change sees.

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::{Context, Result};

use super::{Finding, length::Lengths};
use crate::{files, repo::Repo};

const HEAD: &str = "\
# Functions and files that are longer than `cargo xtask tidy` allows, with their lines.
# Numbers go down and lines go away, by `cargo xtask tidy --shrink`; it adds none.
";

pub(super) fn check(repo: &Repo, now: &Lengths) -> Result<Vec<Finding>> {
    Ok(compare(&read(repo)?, now))
}

/// Writes the lower number where something became shorter; forgets what is short enough.
pub(super) fn shrink(repo: &Repo, now: &Lengths) -> Result<()> {
    let shrunk = shrunk(&read(repo)?, now);
    let lines = shrunk.iter().map(|(what, lines)| format!("{lines} {what}\n"));
    files::write(&path(repo), HEAD.to_owned() + &lines.collect::<String>())
}

fn path(repo: &Repo) -> PathBuf {
    repo.join("xtask/lengths.ratchet")
}

fn read(repo: &Repo) -> Result<Lengths> {
    parse(&files::read(&path(repo))?)
}

fn parse(text: &str) -> Result<Lengths> {
    let lines = text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty());
    let entry = |line: &str| {
        let (lines, what) = line.split_once(' ')?;
        Some((what.to_owned(), lines.parse().ok()?))
    };
    lines
        .map(|line| entry(line).with_context(|| format!("`{line}` is not a number and a name")))
        .collect()
}

fn compare(allowed: &Lengths, now: &Lengths) -> Vec<Finding> {
    let grown = now.iter().filter_map(|(what, lines)| {
        let message = match allowed.get(what) {
            None => format!("has {lines} lines: split it by what it does"),
            Some(allowed) if lines > allowed => {
                format!("grew to {lines} lines and may have {allowed}: split it")
            }
            Some(_) => return None,
        };
        Some(Finding::new(what, message))
    });
    let shorter = allowed
        .iter()
        .filter(|(what, allowed)| now.get(*what).is_none_or(|lines| lines < *allowed));
    let shorter = shorter.map(|(what, _)| {
        Finding::new(
            what,
            "became shorter: lower its number with `cargo xtask tidy --shrink`",
        )
    });
    grown.chain(shorter).collect()
}

fn shrunk(allowed: &Lengths, now: &Lengths) -> BTreeMap<String, usize> {
    let still_long = allowed.iter().filter_map(|(what, allowed)| {
        let lines = now.get(what)?;
        Some((what.clone(), *lines.min(allowed)))
    });
    still_long.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(entries: &[(&str, usize)]) -> Lengths {
        entries
            .iter()
            .map(|(what, lines)| ((*what).to_owned(), *lines))
            .collect()
    }

    #[test]
    fn what_is_listed_may_stay_as_it_is() {
        assert_eq!(compare(&lengths(&[("a::f", 50)]), &lengths(&[("a::f", 50)])), []);
    }

    #[test]
    fn new_grown_and_shrunk_ones_are_found() {
        assert_eq!(compare(&lengths(&[]), &lengths(&[("a::f", 50)])).len(), 1);
        assert_eq!(
            compare(&lengths(&[("a::f", 50)]), &lengths(&[("a::f", 51)])).len(),
            1
        );
        assert_eq!(
            compare(&lengths(&[("a::f", 50)]), &lengths(&[("a::f", 49)])).len(),
            1
        );
        assert_eq!(compare(&lengths(&[("a::f", 50)]), &lengths(&[])).len(), 1);
    }

    #[test]
    fn shrinking_adds_nothing_and_raises_nothing() {
        let allowed = lengths(&[("gone", 60), ("grown", 50), ("shorter", 70)]);
        let now = lengths(&[("grown", 55), ("new", 90), ("shorter", 65)]);
        assert_eq!(shrunk(&allowed, &now), lengths(&[("grown", 50), ("shorter", 65)]));
    }

    #[test]
    fn a_line_that_is_no_entry_is_an_error() {
        assert_eq!(
            parse("# head\n\n50 a::f\n").expect("well formed"),
            lengths(&[("a::f", 50)])
        );
        assert!(parse("many a::f\n").is_err());
        assert!(parse("50\n").is_err());
    }
}
