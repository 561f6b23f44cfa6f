//! The data directory: who uses it, and how it is laid out.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use selvage_event::ServerName;
use selvage_object::Placement;
use serde::{Deserialize, Serialize};

/// How many shards a new data directory gets.
pub const SHARDS_DEFAULT: u16 = 4;
/// The most shards of a data directory.
pub const SHARDS_MAX: u16 = 64;
/// The layout that this program writes and reads.
const FORMAT: u32 = 1;
const LAYOUT_FILE: &str = "layout.json";
const LOCK_FILE: &str = "lock";
/// The socket in the data directory through which a running server takes the operator's commands.
pub const ADMIN_SOCKET: &str = "admin.sock";

/// What never changes in the life of a data directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Layout {
    format: u32,
    shards: u16,
    server_name: String,
}

/// What the settings say about a data directory; what they leave open is the directory's own business.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// The server whose data these are; `localhost` for a new directory.
    pub server_name: Option<ServerName>,
    /// How many shards; [`SHARDS_DEFAULT`] for a new directory.
    pub shards: Option<u16>,
}

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// Another process has it.
    #[error("--data-dir: {} is in use by another selvage process{holder}", path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
        /// Which process, where that is known.
        holder: String,
    },
    /// The operating system refuses.
    #[error("--data-dir: {}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The layout makes no sense, or is that of a newer program.
    #[error("--data-dir: {}: {problem}", path.display())]
    Layout {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A setting contradicts what the directory holds.
    #[error("--{setting}: the data in {} are laid out for {found}, which cannot change", path.display())]
    Contradiction {
        /// The setting.
        setting: &'static str,
        /// The directory.
        path: PathBuf,
        /// What the directory says.
        found: String,
    },
}

/// A data directory that this process alone uses, as long as the value lives.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    server_name: ServerName,
    shards: u16,
    /// Unlocked when it is closed, by the operating system too when the process is killed.
    _lock: File,
}

impl Directory {
    /// Takes the directory, and makes it when it is not there.
    ///
    /// # Errors
    /// See [`DirectoryError`].
    pub fn open(path: &Path, wanted: &Wanted) -> Result<Self, DirectoryError> {
        let mut make = DirBuilder::new();
        make.recursive(true).mode(0o700);
        make.create(path).map_err(|source| io_error(path, source))?;
        let lock = lock(path)?;
        let layout = match read_layout(path)? {
            Some(layout) => layout,
            None => make_layout(path, wanted)?,
        };
        Self::check(path, layout, wanted, lock)
    }

    fn check(path: &Path, layout: Layout, wanted: &Wanted, lock: File) -> Result<Self, DirectoryError> {
        let layout_error = |problem: String| DirectoryError::Layout {
            path: path.join(LAYOUT_FILE),
            problem,
        };
        let contradiction = |setting, found: String| DirectoryError::Contradiction {
            setting,
            path: path.to_owned(),
            found,
        };
        if layout.format != FORMAT {
            let found = layout.format;
            return Err(layout_error(format!(
                "format {found}; this version of selvage knows {FORMAT}"
            )));
        }
        if !(1..=SHARDS_MAX).contains(&layout.shards) {
            return Err(layout_error(format!("{} shards", layout.shards)));
        }
        if wanted.shards.is_some_and(|shards| shards != layout.shards) {
            return Err(contradiction("shards", format!("{} shards", layout.shards)));
        }
        let server_name =
            ServerName::parse(&layout.server_name).map_err(|error| layout_error(error.to_string()))?;
        if wanted
            .server_name
            .as_ref()
            .is_some_and(|name| *name != server_name)
        {
            return Err(contradiction("server-name", server_name.to_string()));
        }
        Ok(Self {
            path: path.to_owned(),
            server_name,
            shards: layout.shards,
            _lock: lock,
        })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whose data it holds.
    #[must_use]
    pub const fn server_name(&self) -> &ServerName {
        &self.server_name
    }

    /// How many shards it has.
    #[must_use]
    pub const fn shards(&self) -> u16 {
        self.shards
    }

    /// Where its objects are.
    #[must_use]
    pub const fn placement(&self) -> Placement {
        Placement::Hashed { shards: self.shards }
    }
}

fn io_error(path: &Path, source: io::Error) -> DirectoryError {
    DirectoryError::Io {
        path: path.to_owned(),
        source,
    }
}

fn lock(directory: &Path) -> Result<File, DirectoryError> {
    let path = directory.join(LOCK_FILE);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    let mut file = options.open(&path).map_err(|source| io_error(&path, source))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // A help for people only, so a file that cannot be read is no trouble.
            let known = file.read_to_string(&mut holder).is_ok_and(|bytes| bytes > 0);
            return Err(DirectoryError::InUse {
                path: directory.to_owned(),
                holder: if known {
                    format!(" ({})", holder.trim())
                } else {
                    holder
                },
            });
        }
        Err(TryLockError::Error(source)) => return Err(io_error(&path, source)),
    }
    let named = file
        .set_len(0)
        .and_then(|()| writeln!(file, "process {}", std::process::id()));
    named.map_err(|source| io_error(&path, source))?;
    Ok(file)
}

fn read_layout(directory: &Path) -> Result<Option<Layout>, DirectoryError> {
    let path = directory.join(LAYOUT_FILE);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(io_error(&path, source)),
    };
    let layout = serde_json::from_slice(&text);
    layout.map(Some).map_err(|error| DirectoryError::Layout {
        path,
        problem: error.to_string(),
    })
}

/// Writes the layout so that it is there as a whole or not at all, before the first shard is made.
fn make_layout(directory: &Path, wanted: &Wanted) -> Result<Layout, DirectoryError> {
    let server_name = wanted.server_name.as_ref();
    let layout = Layout {
        format: FORMAT,
        shards: wanted.shards.unwrap_or(SHARDS_DEFAULT),
        server_name: server_name.map_or("localhost", ServerName::as_str).to_owned(),
    };
    let (temporary, path) = (directory.join("layout.new"), directory.join(LAYOUT_FILE));
    let write = || -> io::Result<()> {
        let mut file = File::create(&temporary)?;
        file.write_all(&serde_json::to_vec(&layout)?)?;
        file.sync_all()?;
        fs::rename(&temporary, &path)?;
        File::open(directory)?.sync_all()
    };
    write().map_err(|source| io_error(&path, source))?;
    Ok(layout)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(name: &str, shards: u16) -> Wanted {
        Wanted {
            server_name: Some(ServerName::parse(name).unwrap()),
            shards: Some(shards),
        }
    }

    #[test]
    fn the_layout_stays_as_it_was_made() {
        let directory = tempfile::tempdir().unwrap();
        let made = Directory::open(directory.path(), &wanted("example.org", 3)).unwrap();
        assert_eq!((made.server_name().as_str(), made.shards()), ("example.org", 3));
        drop(made);
        let again = Directory::open(directory.path(), &Wanted::default()).unwrap();
        assert_eq!((again.server_name().as_str(), again.shards()), ("example.org", 3));
        drop(again);
        for (name, shards, setting) in [("other.org", 3, "--server-name"), ("example.org", 4, "--shards")] {
            let error = Directory::open(directory.path(), &wanted(name, shards)).unwrap_err();
            assert!(error.to_string().starts_with(setting), "{error}");
        }
    }

    #[test]
    fn one_process_has_it_at_a_time() {
        let directory = tempfile::tempdir().unwrap();
        let first = Directory::open(directory.path(), &Wanted::default()).unwrap();
        let error = Directory::open(directory.path(), &Wanted::default()).unwrap_err();
        let process = format!(
            "in use by another selvage process (process {})",
            std::process::id()
        );
        assert!(error.to_string().ends_with(&process), "{error}");
        drop(first);
        assert!(Directory::open(directory.path(), &Wanted::default()).is_ok());
    }

    #[test]
    fn newer_and_damaged_layouts_are_refused() {
        let newer = r#"{"format":2,"shards":4,"server_name":"localhost"}"#;
        for layout in [
            newer,
            "{}",
            "",
            r#"{"format":1,"shards":0,"server_name":"localhost"}"#,
        ] {
            let directory = tempfile::tempdir().unwrap();
            fs::write(directory.path().join(LAYOUT_FILE), layout).unwrap();
            let error = Directory::open(directory.path(), &Wanted::default()).unwrap_err();
            assert!(matches!(error, DirectoryError::Layout { .. }), "{error}");
        }
    }
}
