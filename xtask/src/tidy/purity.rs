//! The core's sources reach for no clock, thread, network, file or future.

use anyhow::Result;
use proc_macro2::{TokenStream, TokenTree};
use syn::{
    Attribute, ExprAsync, ExprAwait, ImplItemFn, Item, ItemFn, ItemUse, Macro, Path, Signature, TraitItemFn,
    UseTree,
    spanned::Spanned,
    visit::{self, Visit},
};

use super::{
    Finding, layers,
    rust::{self, Source},
    tree::Tree,
};

/// Parts of the standard library that the core has no use for, and what it has instead.
const BANNED: &[(&str, &str)] = &[
    ("std::time", "time comes with the turn"),
    ("std::thread", "a turn runs on one thread of the host's"),
    (
        "std::net",
        "effects are returned as actions, which the host carries out",
    ),
    (
        "std::fs",
        "storage is reached through the traits of selvage-object",
    ),
    ("std::process", "a turn ends by returning"),
    ("std::env", "settings come from the host, through commands"),
    ("std::future", "the core is synchronous"),
    ("std::task", "the core is synchronous"),
];

/// A length of time is no clock, and an address no connection.
const ALLOWED: &[&str] = &[
    "std::time::Duration",
    "std::net::IpAddr",
    "std::net::Ipv4Addr",
    "std::net::Ipv6Addr",
];

pub(super) fn check(tree: &Tree) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for package in tree
        .packages
        .iter()
        .filter(|package| layers::CORE.contains(&package.name.as_str()))
    {
        let sources = rust::sources(tree.files_of(package))?;
        findings.extend(sources.iter().filter(|source| !source.test).flat_map(impurities));
    }
    Ok(findings)
}

fn impurities(source: &Source) -> Vec<Finding> {
    let mut finder = Finder {
        file: source.path,
        findings: Vec::new(),
    };
    finder.visit_file(&source.syntax);
    finder.findings
}

struct Finder<'a> {
    file: &'a str,
    findings: Vec<Finding>,
}

impl Finder<'_> {
    fn found(&mut self, place: &impl Spanned, message: impl Into<String>) {
        self.findings
            .push(Finding::at(self.file, place.span().start().line, message));
    }

    fn path(&mut self, place: &impl Spanned, path: &str) {
        let within = |part: &str| path == part || path.starts_with(&format!("{part}::"));
        if ALLOWED.iter().any(|allowed| within(allowed)) {
            return;
        }
        if let Some((banned, instead)) = BANNED.iter().find(|(banned, _)| within(banned)) {
            self.found(place, format!("uses {banned}, but {instead}"));
        }
    }

    fn signature(&mut self, signature: &Signature) {
        if signature.asyncness.is_some() {
            self.found(&signature.ident, ASYNC);
        }
    }
}

const ASYNC: &str = "is async, but the core is synchronous; waiting belongs to the gateway and the hosts";

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if !rust::for_tests(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_fn(&mut self, function: &'ast ItemFn) {
        self.signature(&function.sig);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast ImplItemFn) {
        self.signature(&function.sig);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast TraitItemFn) {
        self.signature(&function.sig);
        visit::visit_trait_item_fn(self, function);
    }

    fn visit_expr_async(&mut self, block: &'ast ExprAsync) {
        self.found(block, ASYNC);
        visit::visit_expr_async(self, block);
    }

    fn visit_expr_await(&mut self, expression: &'ast ExprAwait) {
        self.found(expression, ASYNC);
        visit::visit_expr_await(self, expression);
    }

    fn visit_path(&mut self, path: &'ast Path) {
        let segments: Vec<_> = path
            .segments
            .iter()
            .map(|segment| segment.ident.to_string())
            .collect();
        self.path(path, &segments.join("::"));
        visit::visit_path(self, path);
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        for path in flattened(&item.tree) {
            self.path(item, &path);
        }
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        if mentions_await(call.tokens.clone()) {
            self.found(call, ASYNC);
        }
        visit::visit_macro(self, call);
    }
}

/// The macros' own syntax is unknown here; a future is of no use without this word.
fn mentions_await(tokens: TokenStream) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == "await",
        TokenTree::Group(group) => mentions_await(group.stream()),
        _ => false,
    })
}

/// Each path that a `use` brings in.
fn flattened(tree: &UseTree) -> Vec<String> {
    match tree {
        UseTree::Path(path) => flattened(&path.tree)
            .into_iter()
            .map(|rest| {
                if rest == "self" {
                    path.ident.to_string()
                } else {
                    format!("{}::{rest}", path.ident)
                }
            })
            .collect(),
        UseTree::Name(name) => vec![name.ident.to_string()],
        UseTree::Rename(rename) => vec![rename.ident.to_string()],
        UseTree::Glob(_) => vec!["*".to_owned()],
        UseTree::Group(group) => group.items.iter().flat_map(flattened).collect(),
    }
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::rust::tests::file;

    fn check_text(text: &str) -> Vec<String> {
        let files = [file("crates/a/src/lib.rs", text)];
        let sources = rust::sources(files.iter()).expect("it parses");
        sources
            .iter()
            .flat_map(impurities)
            .map(|finding| finding.place + " " + &finding.message)
            .collect()
    }

    fn finds(text: &str, what: &str) {
        let found = check_text(text);
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert!(found.iter().all(|line| line.contains(what)), "{text}: {found:?}");
    }

    #[test]
    fn clocks_threads_files_and_sockets_are_found() {
        finds(
            "fn a() -> u64 { let t = std::time::Instant::now(); 1 }",
            "std::time",
        );
        finds("use std::{collections::BTreeMap, thread};", "std::thread");
        finds("use std::time::{self};", "std::time");
        finds("use std::fs as disk;", "std::fs");
        finds("use std::net::*;", "std::net");
        finds("struct A { at: std::time::SystemTime }", "crates/a/src/lib.rs:1");
    }

    #[test]
    fn futures_are_found() {
        finds("async fn a() {}", "is async");
        finds("struct A; impl A { async fn a(&self) {} }", "is async");
        finds("trait A { async fn a(&self); }", "is async");
        finds("fn a() { let b = async { 1 }; }", "is async");
        finds("fn a() { select!(b.await) }", "is async");
    }

    #[test]
    fn what_the_core_may_use_is_not() {
        assert_eq!(
            check_text("use std::{net::Ipv6Addr, time::Duration}; use std::{fmt, collections::BTreeMap};"),
            [""; 0]
        );
        assert_eq!(check_text("fn a() { thread(); } fn thread() {}"), [""; 0]);
    }

    #[test]
    fn tests_may_do_what_they_like() {
        assert_eq!(check_text("#[cfg(test)] mod tests { use std::fs; }"), [""; 0]);
        assert_eq!(
            check_text("#[test] fn a() { std::thread::yield_now(); }"),
            [""; 0]
        );
    }
}
