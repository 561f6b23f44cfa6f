//! Where things lie in the repository.

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

/// The repository that this program was built from.
pub(crate) struct Repo {
    root: PathBuf,
}

impl Repo {
    /// cargo tells where this package lies; its parent is the root.
    pub(crate) fn find() -> Result<Self> {
        let manifest_dir = env::var_os("CARGO_MANIFEST_DIR").context("start this as `cargo xtask`")?;
        let root = Path::new(&manifest_dir)
            .parent()
            .context("the xtask package has no parent directory")?;
        Ok(Self {
            root: root.to_owned(),
        })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn join(&self, path: impl AsRef<Path>) -> PathBuf {
        self.root.join(path)
    }

    /// What `setup` made: tools, virtual environments, stamps. Not committed; may be removed at any time.
    pub(crate) fn setup_dir(&self) -> PathBuf {
        self.join(".setup")
    }

    /// Programs that `setup` provides.
    pub(crate) fn tool(&self, name: &str) -> PathBuf {
        self.setup_dir().join("bin").join(name)
    }

    pub(crate) fn worker_dist(&self) -> PathBuf {
        self.join("hosts/workers/dist")
    }

    pub(crate) fn target_dir(&self) -> PathBuf {
        env::var_os("CARGO_TARGET_DIR").map_or_else(|| self.join("target"), |dir| self.join(dir))
    }

    /// The machine's own cargo, started in the repository.
    pub(crate) fn cargo(&self) -> std::process::Command {
        let program = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = std::process::Command::new(program);
        command.current_dir(&self.root);
        command
    }
}
