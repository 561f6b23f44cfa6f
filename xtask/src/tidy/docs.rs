//! Every crate begins with a page that says what it is; those of the core also what they may not depend on. Code in doc
//! comments is text: no test compiles it, so that it cannot pass for an example that was tried.

use anyhow::Result;

use super::{
    Finding,
    tree::{Package, TextFile, Tree},
};

pub(super) fn check(tree: &Tree) -> Result<Vec<Finding>> {
    Ok(tree
        .packages
        .iter()
        .filter_map(|package| check_package(tree, package))
        .collect())
}

/// Blocks in doc comments that would be examples to rustdoc. The tests of this project are programs of their own.
pub(super) fn check_examples(tree: &Tree) -> Result<Vec<Finding>> {
    let sources = tree.files.iter().filter(|file| file.path.ends_with(".rs"));
    Ok(sources.flat_map(examples).collect())
}

fn examples(file: &TextFile) -> Vec<Finding> {
    let mut inside = false;
    let mut findings = Vec::new();
    for (at, line) in file.text.lines().enumerate() {
        let Some(language) = fence(line) else { continue };
        inside = !inside;
        if inside && language != "text" {
            let message = "begin the block with ```text: examples in doc comments are not tried";
            findings.push(Finding::at(&file.path, at + 1, message));
        }
    }
    findings
}

/// What stands behind the fence of a code block in a doc comment.
fn fence(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let comment = line.strip_prefix("///").or_else(|| line.strip_prefix("//!"))?;
    comment.trim_start().strip_prefix("```")
}

fn check_package(tree: &Tree, package: &Package) -> Option<Finding> {
    let root = |name: &str| {
        tree.files
            .iter()
            .find(|file| file.path == format!("{}/src/{name}", package.dir))
    };
    match root("lib.rs").or_else(|| root("main.rs")) {
        Some(file) => check_root(file),
        None => Some(Finding::new(
            &package.dir,
            "has neither src/lib.rs nor src/main.rs",
        )),
    }
}

fn check_root(file: &TextFile) -> Option<Finding> {
    let page = crate_page(&file.text);
    if page.trim().is_empty() {
        return Some(Finding::new(
            &file.path,
            "does not begin with a page (`//! …`) that says what the crate is",
        ));
    }
    let tells = !file.path.starts_with("crates/") || page.contains("depend");
    (!tells).then(|| {
        Finding::new(
            &file.path,
            "its page does not say what the crate may not depend on",
        )
    })
}

/// The text of the doc comment that a crate begins with.
fn crate_page(text: &str) -> String {
    let lines = text.lines().map_while(|line| line.strip_prefix("//!"));
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(path: &str, text: &str) -> Option<String> {
        let file = TextFile {
            path: path.to_owned(),
            text: text.to_owned(),
        };
        check_root(&file).map(|finding| finding.message)
    }

    #[test]
    fn an_example_is_found_and_text_is_none() {
        let lines = |text: &str| {
            let file = TextFile {
                path: "a.rs".to_owned(),
                text: text.to_owned(),
            };
            examples(&file)
                .into_iter()
                .map(|finding| finding.place)
                .collect::<Vec<_>>()
        };
        let nothing: [&str; 0] = [];
        assert_eq!(lines("//! ```text\n//! a -> b\n//! ```\nfn a() {}"), nothing);
        assert_eq!(lines("    /// ```\n    /// a();\n    /// ```"), ["a.rs:1"]);
        assert_eq!(lines("/// ```text\n/// ```\n/// ```rust\n/// ```"), ["a.rs:3"]);
    }

    #[test]
    fn a_crate_without_a_page_is_found() {
        assert!(finding("bench/src/main.rs", "fn main() {}").is_some());
        assert!(finding("bench/src/main.rs", "//!\n\nfn main() {}").is_some());
        assert_eq!(
            finding("bench/src/main.rs", "//! A load tool.\n\nfn main() {}"),
            None
        );
    }

    #[test]
    fn a_core_crate_says_what_it_may_not_depend_on() {
        assert!(finding("crates/a/src/lib.rs", "//! Events.\n\nmod x; // may not depend").is_some());
        assert_eq!(
            finding(
                "crates/a/src/lib.rs",
                "//! Events.\n//!\n//! May not depend on a host.\n"
            ),
            None
        );
    }
}
