//! Compiles the workspace once, and finds the programs in what cargo says it made.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::watch;
use crate::{process, repo::Repo};

/// Compiling the whole workspace on a small machine, at worst.
const COMPILE_LIMIT: std::time::Duration = std::time::Duration::from_secs(60 * 60);

/// The package and program of the native host.
const NATIVE: &str = "selvage";

/// The programs of the compiled workspace.
pub(super) struct Built {
    pub(super) tests: Vec<TestProgram>,
    pub(super) native: PathBuf,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TestProgram {
    /// The target's name, as in `cargo test --test NAME`; a library's or program's own for its unit tests.
    pub(super) name: String,
    /// Where its package lies; tests run there.
    pub(super) package: PathBuf,
    pub(super) path: PathBuf,
}

impl Built {
    pub(super) fn make(repo: &Repo) -> Result<Self> {
        let mut cargo = repo.cargo();
        cargo.args([
            "build",
            "--workspace",
            "--bins",
            "--tests",
            "--message-format=json-render-diagnostics",
        ]);
        println!("$ {}", process::shown(&cargo));
        let (mut tests, mut native) = (Vec::new(), None);
        let status = watch::run_lines(&mut cargo, COMPILE_LIMIT, |line| {
            match Program::of_message(line) {
                Some(Program::Test(test)) => tests.push(test),
                Some(Program::Bin { name, path }) if name == NATIVE => native = Some(path),
                _ => {}
            }
        })?;
        ensure!(status.success(), "the workspace does not compile");
        tests.sort_by(|a, b| (&a.package, &a.name).cmp(&(&b.package, &b.name)));
        Ok(Self {
            tests,
            native: native.context("cargo built no native host")?,
        })
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Program {
    Test(TestProgram),
    Bin { name: String, path: PathBuf },
}

impl Program {
    /// cargo's messages are documented under "External tools" in its book.
    fn of_message(line: &str) -> Option<Self> {
        let message: Value = serde_json::from_str(line).ok()?;
        let path = PathBuf::from(message.get("executable")?.as_str()?);
        let name = message.pointer("/target/name")?.as_str()?.to_owned();
        if message.pointer("/profile/test")?.as_bool()? {
            let package = Path::new(message.get("manifest_path")?.as_str()?)
                .parent()?
                .to_owned();
            return Some(Self::Test(TestProgram { name, package, path }));
        }
        Some(Self::Bin { name, path })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_program_is_told_from_a_program() {
        let test = r#"{"reason":"compiler-artifact","manifest_path":"/r/crates/a/Cargo.toml",
            "target":{"name":"a"},"profile":{"test":true},"executable":"/t/a-1"}"#;
        let program = TestProgram {
            name: "a".into(),
            package: "/r/crates/a".into(),
            path: "/t/a-1".into(),
        };
        assert_eq!(Program::of_message(test), Some(Program::Test(program)));
        let bin = r#"{"manifest_path":"/r/b/Cargo.toml","target":{"name":"b"},"profile":{"test":false},"executable":"/t/b"}"#;
        assert_eq!(
            Program::of_message(bin),
            Some(Program::Bin {
                name: "b".into(),
                path: "/t/b".into()
            })
        );
    }

    #[test]
    fn libraries_and_other_messages_are_no_programs() {
        let lib = r#"{"manifest_path":"/r/b/Cargo.toml","target":{"name":"b"},"profile":{"test":false},"executable":null}"#;
        assert_eq!(Program::of_message(lib), None);
        assert_eq!(
            Program::of_message(r#"{"reason":"build-finished","success":true}"#),
            None
        );
        assert_eq!(Program::of_message("not JSON"), None);
    }
}
