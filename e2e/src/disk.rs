//! A small disk that can be filled up.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// How much of the ballast is written at a time, in bytes.
const PIECE_BYTES: usize = 64 << 10;

/// A file system in memory, mounted on a directory until dropped.
#[derive(Debug)]
pub struct SmallDisk {
    path: PathBuf,
}

impl SmallDisk {
    /// Mounts a disk of this many bytes on an existing directory.
    ///
    /// # Errors
    /// What `mount` says where mounting is not allowed.
    pub fn mount(path: &Path, bytes: u64) -> Result<SmallDisk, String> {
        let options = format!("size={bytes},mode=0700");
        let output = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "selvage-e2e"])
            .arg(path)
            .output()
            .map_err(|error| error.to_string())?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        Ok(SmallDisk {
            path: path.to_owned(),
        })
    }

    /// Takes all the space that is left.
    pub fn fill(&self) {
        let mut ballast = File::create(self.ballast()).expect("a file on the small disk");
        let mut piece = vec![0; PIECE_BYTES];
        while !piece.is_empty() {
            // The last pieces are small ones, so that really nothing is left.
            if ballast.write_all(&piece).is_err() {
                piece.truncate(piece.len() / 2);
            }
        }
    }

    /// Gives the space back.
    pub fn relieve(&self) {
        fs::remove_file(self.ballast()).expect("the ballast is there");
    }

    fn ballast(&self) -> PathBuf {
        self.path.join("ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a server that is being killed may still hold a file.
        let _ = Command::new("umount").arg("-l").arg(&self.path).status();
    }
}
