//! A homeserver under test.

use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use tempfile::TempDir;

use crate::api::Api;
use crate::federation::Presence;
use crate::host::Host;
use crate::port;
use crate::process::Process;
use crate::wait;

/// How long a server may take to answer its first request; `wrangler dev` bundles first.
const START_LIMIT: Duration = Duration::from_secs(120);
/// How long a server may take to stop when asked to.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// How a server is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// `closed`, `token` or `open`.
    pub registration: &'static str,
    /// The secret of the HMAC registration endpoint.
    pub registration_shared_secret: Option<String>,
    /// Where clients are told to reach the server.
    pub public_base_url: Option<String>,
    /// More command line arguments (native only).
    pub arguments: Vec<String>,
    /// More environment variables (native only).
    pub environment: Vec<(String, String)>,
    /// Ignores SIGXFSZ, so that a write beyond a limit on the size of files fails instead of killing (native only).
    pub survives_file_limit: bool,
    /// How other servers know it (native and Synapse); without it, it is named `localhost` and alone.
    pub presence: Option<Presence>,
}

impl Options {
    /// The server's name.
    pub(crate) fn server_name(&self) -> &str {
        self.presence
            .as_ref()
            .map_or("localhost", |presence| &presence.name)
    }
}

impl Default for Options {
    fn default() -> Self {
        Options {
            registration: "open",
            registration_shared_secret: None,
            public_base_url: None,
            arguments: Vec::new(),
            environment: Vec::new(),
            survives_file_limit: false,
            presence: None,
        }
    }
}

/// A homeserver on a port of its own, with its data in a temporary directory.
#[derive(Debug)]
pub struct Server {
    host: Host,
    options: Options,
    port: u16,
    process: Process,
    // After the process, so that it is dropped when nothing writes there any more.
    directory: TempDir,
}

impl Server {
    /// Starts a server on which anybody may register, and waits until it answers.
    pub fn start(host: Host) -> Server {
        Server::start_with(host, Options::default())
    }

    /// Starts a server and waits until it answers.
    ///
    /// # Panics
    /// When it ends, or does not answer for a long time; its log is printed.
    pub fn start_with(host: Host, options: Options) -> Server {
        let mut server = Server::launch(host, options);
        server.wait_until_ready();
        server
    }

    /// Starts a server whose data are in this directory, and waits until it answers.
    pub fn start_on(host: Host, options: Options, directory: TempDir) -> Server {
        let mut server = Server::launch_in(host, options, directory);
        server.wait_until_ready();
        server
    }

    /// Starts a server without waiting for it.
    pub fn launch(host: Host, options: Options) -> Server {
        let directory = tempfile::Builder::new()
            .prefix("selvage-e2e-")
            .tempdir()
            .expect("a temporary directory");
        Server::launch_in(host, options, directory)
    }

    fn launch_in(host: Host, options: Options, directory: TempDir) -> Server {
        let port = port::free();
        let process = spawn(host, &options, port, directory.path());
        Server {
            host,
            options,
            port,
            process,
            directory,
        }
    }

    /// What it runs on.
    pub fn host(&self) -> Host {
        self.host
    }

    /// Where clients reach it.
    pub fn base_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// A client that is not signed in.
    pub fn api(&self) -> Api {
        Api::new(&self.base_url())
    }

    /// The directory that holds its data and logs.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The running process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// `kill -9`.
    pub fn kill9(&mut self) {
        self.process.kill();
    }

    /// Asks it to stop (SIGTERM) and waits until it has.
    pub fn stop(&mut self) -> ExitStatus {
        self.process.stop(STOP_LIMIT)
    }

    /// Starts it again on the same port and data, and waits until it answers.
    pub fn restart(&mut self) {
        self.process = spawn(self.host, &self.options, self.port, self.directory.path());
        self.wait_until_ready();
    }

    /// Starts another server on the same data, on a port of its own, without waiting for it.
    pub fn rival(&self) -> Process {
        self.rival_with(self.options.clone())
    }

    /// Starts another server with other options on the same data, without waiting for it.
    pub fn rival_with(&self, options: Options) -> Process {
        let command = self.host.command(self.directory.path(), port::free(), &options);
        Process::start(
            &command,
            &self.directory.path().join(format!("rival-{}.log", port::free())),
        )
    }

    /// Everything that it has written to its standard output and error.
    pub fn logs(&self) -> String {
        self.process.log()
    }

    fn wait_until_ready(&mut self) {
        let api = self.api();
        wait::until("the server's first answer", START_LIMIT, || {
            if let Some(status) = self.process.ended() {
                panic!("the server ended with {status}:\n{}", self.process.log_tail());
            }
            let reply = api.request("GET", "/_matrix/client/versions").try_send().ok()?;
            (reply.status == 200).then_some(())
        });
    }
}

fn spawn(host: Host, options: &Options, port: u16, directory: &Path) -> Process {
    let command = host.command(directory, port, options);
    Process::start(&command, &directory.join("server.log"))
}
