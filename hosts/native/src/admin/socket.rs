//! The socket in the data directory.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use selvage_gateway::Gateway;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::runtime::Handle;
use tokio::task;
use tokio::time::timeout;

use super::{Command, Reply, run};
use crate::directory::ADMIN_SOCKET;
use crate::host::NativeHost;
use crate::http::Stop;

/// The longest command, in bytes.
const COMMAND_MAX_BYTES: u64 = 64 * 1_024;
/// How long a command may take to arrive.
const COMMAND_TIME_MAX: Duration = Duration::from_secs(10);

/// The socket; its file goes when this is dropped.
pub(crate) struct AdminSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl AdminSocket {
    /// Makes the socket, which its owner alone may use. The directory is ours, so a socket that is there already is one
    /// that a killed server left.
    pub(crate) fn bind(directory: &Path) -> io::Result<Self> {
        let path = directory.join(ADMIN_SOCKET);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&path)?;
        fs::set_permissions(&path, Permissions::from_mode(0o600))?;
        Ok(Self { listener, path })
    }
}

impl Drop for AdminSocket {
    fn drop(&mut self) {
        // The next start removes what is left.
        drop(fs::remove_file(&self.path));
    }
}

/// Takes commands until the server stops.
pub(crate) async fn serve(socket: AdminSocket, gateway: Gateway<NativeHost>, stop: Stop) {
    loop {
        let accepted = tokio::select! {
            accepted = socket.listener.accept() => accepted,
            () = stop.wait() => return,
        };
        let Ok((stream, _)) = accepted else { continue };
        let (gateway, stop) = (gateway.clone(), stop.clone());
        tokio::spawn(async move {
            if let Err(error) = answer(stream, gateway).await {
                tracing::warn!(%error, "a command of the operator broke off");
            }
            drop(stop);
        });
    }
}

/// Commands are rare and can take long, so each has a thread of its own beside the requests.
async fn run_apart(gateway: Gateway<NativeHost>, command: Command) -> Reply {
    let runtime = Handle::current();
    let ran = task::spawn_blocking(move || runtime.block_on(run(&gateway, command)));
    ran.await.unwrap_or_else(|error| Reply::Failed(error.to_string()))
}

async fn answer(stream: UnixStream, gateway: Gateway<NativeHost>) -> io::Result<()> {
    let (input, mut output) = stream.into_split();
    let mut line = String::new();
    let mut input = BufReader::new(input.take(COMMAND_MAX_BYTES));
    timeout(COMMAND_TIME_MAX, input.read_line(&mut line)).await??;
    let reply = match serde_json::from_str::<Command>(&line) {
        Ok(command) => run_apart(gateway, command).await,
        Err(_) => Reply::Failed("the server is of another version and does not know this command".to_owned()),
    };
    let mut text = serde_json::to_vec(&reply)?;
    text.push(b'\n');
    output.write_all(&text).await
}
