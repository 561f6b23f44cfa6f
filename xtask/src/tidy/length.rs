//! How long functions and files are.

use std::collections::BTreeMap;

use anyhow::Result;
use syn::{
    Attribute, Block, ImplItemFn, ItemFn, ItemMod, Signature, TraitItemFn,
    spanned::Spanned,
    visit::{self, Visit},
};

use super::{
    Finding, ratchet,
    rust::{self, Source},
    tree::Tree,
};

/// Lines of a function, from `fn` to its closing brace.
const FUNCTION_LINES_MAX: usize = 45;
/// A test tells a story from its beginning to its end.
const TEST_FUNCTION_LINES_MAX: usize = 100;
/// Lines of a file, its tests included.
const FILE_LINES_MAX: usize = 800;

/// The length of everything that is longer than it should be, by file, or by file and function.
pub(super) type Lengths = BTreeMap<String, usize>;

pub(super) fn check(tree: &Tree) -> Result<Vec<Finding>> {
    ratchet::check(tree.repo, &measure(tree)?)
}

/// What is over its limit now.
pub(super) fn measure(tree: &Tree) -> Result<Lengths> {
    let mut lengths = Lengths::new();
    for package in &tree.packages {
        for source in rust::sources(tree.files_of(package))? {
            measure_source(&source, &mut lengths);
        }
    }
    let code = tree.files.iter().filter(|file| {
        [".rs", ".js", ".py"]
            .iter()
            .any(|ending| file.path.ends_with(ending))
    });
    for file in code {
        note(
            &mut lengths,
            file.path.clone(),
            file.text.lines().count(),
            FILE_LINES_MAX,
        );
    }
    Ok(lengths)
}

fn measure_source(source: &Source, lengths: &mut Lengths) {
    let mut ruler = Ruler {
        file: source.path,
        test: source.test,
        lengths,
    };
    ruler.visit_file(&source.syntax);
}

/// Of several functions of one name in a file the longest counts.
fn note(lengths: &mut Lengths, what: String, lines: usize, limit: usize) {
    if lines > limit {
        let longest = lengths.entry(what).or_default();
        *longest = lines.max(*longest);
    }
}

struct Ruler<'a> {
    file: &'a str,
    test: bool,
    lengths: &'a mut Lengths,
}

impl Ruler<'_> {
    fn function(&mut self, attributes: &[Attribute], signature: &Signature, body: &Block) {
        let start = signature.fn_token.span().start().line;
        let lines = body.brace_token.span.close().end().line + 1 - start;
        let test = self.test || rust::for_tests(attributes);
        let limit = if test {
            TEST_FUNCTION_LINES_MAX
        } else {
            FUNCTION_LINES_MAX
        };
        note(
            self.lengths,
            format!("{}::{}", self.file, signature.ident),
            lines,
            limit,
        );
    }
}

impl<'ast> Visit<'ast> for Ruler<'_> {
    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        let outside = self.test;
        self.test |= rust::for_tests(&module.attrs);
        visit::visit_item_mod(self, module);
        self.test = outside;
    }

    fn visit_item_fn(&mut self, function: &'ast ItemFn) {
        self.function(&function.attrs, &function.sig, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast ImplItemFn) {
        self.function(&function.attrs, &function.sig, &function.block);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast TraitItemFn) {
        if let Some(body) = &function.default {
            self.function(&function.attrs, &function.sig, body);
        }
        visit::visit_trait_item_fn(self, function);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::rust::tests::file;

    fn lengths(text: &str) -> Vec<(String, usize)> {
        let files = [file("a/src/lib.rs", text)];
        let mut lengths = Lengths::new();
        for source in rust::sources(files.iter()).expect("it parses") {
            measure_source(&source, &mut lengths);
        }
        lengths.into_iter().collect()
    }

    fn function(lines: usize) -> String {
        format!("fn long() {{\n{}}}\n", "    a();\n".repeat(lines - 2))
    }

    #[test]
    fn a_function_over_the_limit_is_measured() {
        assert_eq!(lengths(&function(FUNCTION_LINES_MAX)), []);
        let long = FUNCTION_LINES_MAX + 1;
        assert_eq!(
            lengths(&function(long)),
            [("a/src/lib.rs::long".to_owned(), long)]
        );
        assert_eq!(lengths(&format!("impl A {{\n{}}}", function(long))).len(), 1);
        assert_eq!(lengths(&format!("trait A {{\n{}}}", function(long))).len(), 1);
    }

    #[test]
    fn its_documentation_does_not_count() {
        assert_eq!(
            lengths(&("/// A line.\n".repeat(50) + &function(FUNCTION_LINES_MAX))),
            []
        );
    }

    #[test]
    fn tests_may_be_longer_but_not_for_ever() {
        let module = |lines| format!("#[cfg(test)]\nmod tests {{\n#[test]\n{}}}", function(lines));
        assert_eq!(lengths(&module(TEST_FUNCTION_LINES_MAX)), []);
        assert_eq!(lengths(&module(TEST_FUNCTION_LINES_MAX + 1)).len(), 1);
    }

    #[test]
    fn the_longest_of_one_name_counts() {
        let text = format!("impl A {{\n{}}}\nimpl B {{\n{}}}", function(60), function(50));
        assert_eq!(lengths(&text), [("a/src/lib.rs::long".to_owned(), 60)]);
    }
}
