//! The files that are or would be committed.

use std::process::Command;

use anyhow::Result;

use crate::{process, repo::Repo};

/// Paths from the root, sorted; those of deleted files are left out.
pub(super) fn paths(repo: &Repo) -> Result<Vec<String>> {
    let mut git = Command::new("git");
    git.current_dir(repo.root())
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"]);
    let listed = process::capture(&mut git)?;
    let present = |path: &&str| !path.is_empty() && repo.join(path).is_file();
    let mut paths: Vec<_> = listed.split('\0').filter(present).map(str::to_owned).collect();
    paths.sort();
    paths.dedup();
    Ok(paths)
}
