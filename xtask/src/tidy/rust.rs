//! Reading Rust sources, and telling product code from tests.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use syn::{Attribute, Item, ItemMod};

use super::tree::TextFile;

/// A parsed source file.
pub(super) struct Source<'a> {
    pub(super) path: &'a str,
    pub(super) syntax: syn::File,
    /// Whether nothing of it is in what users run.
    pub(super) test: bool,
}

/// Parses the Rust files among some of one package.
pub(super) fn sources<'a>(files: impl Iterator<Item = &'a TextFile>) -> Result<Vec<Source<'a>>> {
    let rust = files.filter(|file| file.path.ends_with(".rs"));
    let mut sources = rust.map(parse).collect::<Result<Vec<_>>>()?;
    let test_modules: BTreeSet<_> = sources.iter().flat_map(test_modules).collect();
    for source in &mut sources {
        source.test |= Path::new(source.path)
            .ancestors()
            .any(|path| test_modules.contains(&path.with_extension("")));
    }
    Ok(sources)
}

fn parse(file: &TextFile) -> Result<Source<'_>> {
    let syntax = syn::parse_file(&file.text).with_context(|| format!("parsing {}", file.path))?;
    Ok(Source {
        path: &file.path,
        syntax,
        test: is_test_target(&file.path),
    })
}

/// The targets of a package that cargo builds for tests only.
fn is_test_target(path: &str) -> bool {
    let mut parts = path.split('/');
    parts.any(|part| part == "tests" || part == "benches" || part == "examples")
}

/// The modules that a file declares for tests only, as paths without extension.
fn test_modules(source: &Source) -> Vec<PathBuf> {
    let path = Path::new(source.path);
    let named_by_directory = matches!(
        path.file_stem().and_then(|stem| stem.to_str()),
        Some("lib" | "main" | "mod")
    );
    let base = if named_by_directory {
        path.with_file_name("")
    } else {
        path.with_extension("")
    };
    let declared = source.syntax.items.iter().filter_map(|item| match item {
        Item::Mod(ItemMod {
            attrs,
            ident,
            content: None,
            ..
        }) if for_tests(attrs) => Some(ident),
        _ => None,
    });
    declared.map(|ident| base.join(ident.to_string())).collect()
}

/// Whether the attributes keep something out of what users run.
pub(super) fn for_tests(attributes: &[Attribute]) -> bool {
    attributes
        .iter()
        .any(|attribute| attribute.path().is_ident("test") || is_cfg_test(attribute))
}

fn is_cfg_test(attribute: &Attribute) -> bool {
    let mut test = false;
    let Ok(()) = attribute.parse_nested_meta(|meta| {
        test |= meta.path.is_ident("test");
        Ok(())
    }) else {
        return false;
    };
    attribute.path().is_ident("cfg") && test
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::tidy) fn file(path: &str, text: &str) -> TextFile {
        TextFile {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    #[test]
    fn modules_declared_for_tests_are_tests_with_all_below() {
        let files = [
            file("a/src/lib.rs", "#[cfg(test)] mod fixtures; mod product;"),
            file("a/src/fixtures.rs", "mod deep;"),
            file("a/src/fixtures/deep.rs", ""),
            file(
                "a/src/product.rs",
                "#[cfg(test)] mod check; #[cfg(not(test))] mod real;",
            ),
            file("a/src/product/check.rs", ""),
            file("a/src/product/real.rs", ""),
            file("a/tests/whole.rs", ""),
        ];
        let sources = sources(files.iter()).expect("they parse");
        let tests: Vec<_> = sources
            .iter()
            .filter(|source| source.test)
            .map(|source| source.path)
            .collect();
        assert_eq!(
            tests,
            [
                "a/src/fixtures.rs",
                "a/src/fixtures/deep.rs",
                "a/src/product/check.rs",
                "a/tests/whole.rs"
            ]
        );
    }

    #[test]
    fn attributes_for_tests_are_known() {
        let attributes = |text: &str| syn::parse_str::<syn::ItemFn>(text).expect("a function").attrs;
        assert!(for_tests(&attributes("#[test] fn a() {}")));
        assert!(for_tests(&attributes("#[cfg(test)] fn a() {}")));
        assert!(!for_tests(&attributes("#[cfg(feature = \"x\")] fn a() {}")));
        assert!(!for_tests(&attributes("#[must_use] fn a() {}")));
    }
}
