//! What the checks look at, read once.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use super::git;
use crate::{files, process, repo::Repo};

pub(super) struct Tree<'a> {
    pub(super) repo: &'a Repo,
    pub(super) packages: Vec<Package>,
    /// What is text, of all that is committed.
    pub(super) files: Vec<TextFile>,
}

/// A package of the workspace.
#[derive(Clone, Debug, Default)]
pub(super) struct Package {
    pub(super) name: String,
    /// From the root, without a slash at the end.
    pub(super) dir: String,
    pub(super) dependencies: Vec<Dependency>,
}

/// A dependency on another package of the workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Dependency {
    pub(super) name: String,
    /// Whether only tests, examples and benchmarks have it.
    pub(super) dev: bool,
}

#[derive(Clone, Debug)]
pub(super) struct TextFile {
    /// From the root.
    pub(super) path: String,
    pub(super) text: String,
}

impl Tree<'_> {
    pub(super) fn load(repo: &Repo) -> Result<Tree<'_>> {
        let metadata = process::capture(repo.cargo().args(["metadata", "--format-version=1", "--no-deps"]))?;
        let packages = packages(repo, &serde_json::from_str(&metadata)?)?;
        let files = git::paths(repo)?
            .into_iter()
            .filter_map(|path| text_file(repo, path))
            .collect();
        Ok(Tree {
            repo,
            packages,
            files,
        })
    }

    /// The files of a package, those of packages that lie inside it left out.
    pub(super) fn files_of<'t>(&'t self, package: &'t Package) -> impl Iterator<Item = &'t TextFile> {
        let own = |file: &&TextFile| {
            self.package_of(&file.path)
                .is_some_and(|owner| owner.dir == package.dir)
        };
        self.files.iter().filter(own)
    }

    /// The innermost package that a path lies in.
    fn package_of(&self, path: &str) -> Option<&Package> {
        let inside = |package: &&Package| Path::new(path).starts_with(&package.dir);
        self.packages
            .iter()
            .filter(inside)
            .max_by_key(|package| package.dir.len())
    }
}

/// `None` for what is not text, which no check looks at.
fn text_file(repo: &Repo, path: String) -> Option<TextFile> {
    let text = files::read(&repo.join(&path)).ok()?;
    Some(TextFile { path, text })
}

fn packages(repo: &Repo, metadata: &Value) -> Result<Vec<Package>> {
    let listed = metadata
        .get("packages")
        .and_then(Value::as_array)
        .context("cargo lists no packages")?;
    listed.iter().map(|package| read_package(repo, package)).collect()
}

fn read_package(repo: &Repo, package: &Value) -> Result<Package> {
    let manifest = Path::new(field(package, "manifest_path")?);
    let dir = manifest
        .parent()
        .and_then(|dir| dir.strip_prefix(repo.root()).ok());
    let dir = dir
        .context("a package outside the repository")?
        .display()
        .to_string();
    let dependencies = package
        .get("dependencies")
        .and_then(Value::as_array)
        .context("dependencies")?;
    let ours = dependencies
        .iter()
        .filter(|dependency| dependency.get("path").is_some());
    let dependencies = ours.map(read_dependency).collect::<Result<_>>()?;
    Ok(Package {
        name: field(package, "name")?.to_owned(),
        dir,
        dependencies,
    })
}

fn read_dependency(dependency: &Value) -> Result<Dependency> {
    let dev = dependency.get("kind").and_then(Value::as_str) == Some("dev");
    Ok(Dependency {
        name: field(dependency, "name")?.to_owned(),
        dev,
    })
}

fn field<'v>(value: &'v Value, name: &str) -> Result<&'v str> {
    value
        .get(name)
        .and_then(Value::as_str)
        .with_context(|| format!("cargo gives no `{name}`"))
}
