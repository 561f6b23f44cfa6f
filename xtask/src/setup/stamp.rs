//! What each part of the set-up was made from, so that it is made once.

use std::path::PathBuf;

use anyhow::Result;

use crate::{files, repo::Repo};

pub(super) fn matches(repo: &Repo, part: &str, inputs: &str) -> bool {
    files::read(&path(repo, part)).is_ok_and(|left| left == inputs)
}

pub(super) fn leave(repo: &Repo, part: &str, inputs: &str) -> Result<()> {
    files::write(&path(repo, part), inputs)
}

fn path(repo: &Repo, part: &str) -> PathBuf {
    repo.setup_dir().join("stamps").join(part)
}
