//! One server among several.

use std::sync::mpsc::{Sender, channel};
use std::thread;

use tempfile::TempDir;

use super::{Authority, Door};
use crate::{Api, Host, Options, Server, port};

/// Something to do to a server.
type Job = Box<dyn FnOnce(&mut Server) + Send>;

/// A server that others reach through a door.
///
/// A thread of its own keeps it, since a process ends with the thread that started it; so tests can share it.
#[derive(Debug)]
pub struct Homeserver {
    host: Host,
    name: String,
    base_url: String,
    door: Door,
    jobs: Sender<Job>,
}

impl Homeserver {
    /// Starts a server whose name is `address`, which stands for this machine, and a port; waits until it answers.
    pub fn start(host: Host, address: &str, authority: &Authority, directory: TempDir) -> Homeserver {
        let port = port::free();
        let door = Door::to(port);
        let name = format!("{address}:{}", door.port());
        let options = Options {
            presence: Some(authority.certify(&name, port, directory.path())),
            ..Options::default()
        };
        let (jobs, wanted) = channel::<Job>();
        let (started, base_url) = channel();
        thread::spawn(move || {
            let mut server = Server::start_on(host, options, directory);
            let _ = started.send(server.base_url());
            for job in wanted {
                job(&mut server);
            }
        });
        Homeserver {
            host,
            name,
            base_url: base_url.recv().expect("the server starts"),
            door,
            jobs,
        }
    }

    /// What it runs on.
    pub fn host(&self) -> Host {
        self.host
    }

    /// Its name, with a port.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A client that is not signed in.
    pub fn api(&self) -> Api {
        Api::new(&self.base_url)
    }

    /// What other servers go through to reach it.
    pub fn door(&self) -> &Door {
        &self.door
    }

    /// Does something to the server, and waits until it is done.
    pub fn with<T: Send + 'static>(&self, job: impl FnOnce(&mut Server) -> T + Send + 'static) -> T {
        let (done, result) = channel();
        let job: Job = Box::new(move |server| {
            let _ = done.send(job(server));
        });
        self.jobs.send(job).expect("the server is kept");
        result.recv().expect("what was to be done is done")
    }
}
