//! What the operator asks of a server, from the command line: over a socket while it runs, and else directly.

mod client;
mod command;
mod offline;
mod socket;

pub use client::{SocketError, send};
pub use command::{Command, Reply, run};
pub use offline::check_files;
pub(crate) use socket::{AdminSocket, serve};
