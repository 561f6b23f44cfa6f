use crate::repo::Repo;
use anyhow::Result;
pub(crate) fn shrink(_: &Repo) -> Result<()> {
    Ok(())
}
pub(crate) fn run(_: &Repo) -> Result<()> {
    Ok(())
}
