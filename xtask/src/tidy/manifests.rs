//! What every manifest of the workspace says.

use anyhow::Result;

use super::{Finding, tree::Tree};
use crate::files;

/// A line that must be there, and why.
const REQUIRED: &[(&str, &str)] = &[
    (
        "[lints]\nworkspace = true",
        "the lints that deny panics and unsafe code hold everywhere",
    ),
    ("license.workspace = true", "the whole project has one licence"),
    (
        "publish = false",
        "nothing is published to a registry by accident",
    ),
    ("description = ", "a line says what the package is"),
];

pub(super) fn check(tree: &Tree) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for package in &tree.packages {
        let path = format!("{}/Cargo.toml", package.dir);
        findings.extend(missing(&path, &files::read(&tree.repo.join(&path))?));
    }
    Ok(findings)
}

fn missing(path: &str, text: &str) -> Vec<Finding> {
    let absent = REQUIRED.iter().filter(|(line, _)| !text.contains(line));
    absent
        .map(|(line, why)| Finding::new(path, format!("lacks `{}`: {why}", line.replace('\n', " "))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_missing_line_is_found() {
        let whole =
            "description = \"x\"\nlicense.workspace = true\npublish = false\n\n[lints]\nworkspace = true\n";
        assert_eq!(missing("a", whole), []);
        assert_eq!(missing("a", "").len(), REQUIRED.len());
        assert_eq!(missing("a", &whole.replace("publish = false", "")).len(), 1);
    }
}
