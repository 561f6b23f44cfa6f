//! Giving a command to a server that runs.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use super::{Command, Reply};
use crate::directory::ADMIN_SOCKET;

/// A running server that cannot be reached.
#[derive(Debug, thiserror::Error)]
#[error("a server uses this data directory and does not answer at {}: {source}", path.display())]
pub struct SocketError {
    path: PathBuf,
    source: io::Error,
}

/// Gives a command to the server that has this data directory, and waits for its reply.
///
/// # Errors
/// When the server cannot be reached or breaks off.
pub fn send(directory: &Path, command: &Command) -> Result<Reply, SocketError> {
    let path = directory.join(ADMIN_SOCKET);
    exchange(&path, command).map_err(|source| SocketError { path, source })
}

fn exchange(path: &Path, command: &Command) -> io::Result<Reply> {
    let mut stream = UnixStream::connect(path)?;
    let mut text = serde_json::to_vec(command)?;
    text.push(b'\n');
    stream.write_all(&text)?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    Ok(serde_json::from_str(&line)?)
}
