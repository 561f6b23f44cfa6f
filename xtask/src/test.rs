use crate::repo::Repo;
use anyhow::Result;
pub(crate) fn list() {}
pub(crate) fn run(_: &Repo, _: &[String]) -> Result<()> {
    Ok(())
}
