//! A host in a process of its own, over data that outlive it.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::ops::Range;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::Duration;

use selvage_conformance::Remote;
use tempfile::TempDir;

/// Where hosts listen.
const PORTS: Range<u16> = 28_000..32_000;

/// How a host is started: given where to listen and where its data are.
pub(crate) type Launch = Box<dyn Fn(SocketAddr, &Path) -> Command + Send + Sync>;

/// A host that runs until it is dropped.
pub(crate) struct Process {
    launch: Launch,
    data: TempDir,
    address: SocketAddr,
    child: Mutex<Child>,
}

impl Process {
    /// Starts a host over an empty directory.
    pub(crate) fn start(launch: Launch) -> Self {
        let data = TempDir::new().expect("a temporary directory");
        let address = free_address();
        let child = Mutex::new(spawn(&launch, address, data.path()));
        Self {
            launch,
            data,
            address,
            child,
        }
    }

    /// Where it listens.
    pub(crate) fn remote(&self) -> Remote {
        Remote(self.address)
    }

    /// Where its data are.
    pub(crate) fn data(&self) -> &Path {
        self.data.path()
    }

    /// Kills it and starts it again.
    pub(crate) fn crash(&self) {
        self.restart(&self.launch);
    }

    /// Kills it and starts something else over its data.
    pub(crate) fn crash_into(&self, launch: Launch) {
        self.restart(&launch);
    }

    fn restart(&self, launch: &Launch) {
        let mut child = self.child.lock().expect("nobody panicked while crashing");
        kill(&mut child);
        *child = spawn(launch, self.address, self.data.path());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Ok(child) = self.child.get_mut() {
            kill(child);
        }
    }
}

fn kill(child: &mut Child) {
    child.kill().expect("it can be killed");
    child.wait().expect("it ends");
}

/// An address where nothing listens, not given out before by this process.
///
/// Below the ports that systems give to outgoing connections: a client that tries a host which is down must not be given
/// the host's own port, and so reach itself.
fn free_address() -> SocketAddr {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    let first = std::process::id().wrapping_mul(61);
    for _ in 0..PORTS.len() {
        let next =
            first.wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed)) % u32::from(PORTS.end - PORTS.start);
        let port = PORTS.start + u16::try_from(next).expect("a number of a port");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
    panic!("all ports are taken");
}

/// Starts the host and waits until it listens.
fn spawn(launch: &Launch, address: SocketAddr, data: &Path) -> Child {
    let mut command = launch(address, data);
    let mut child = command
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    for _ in 0..1_000 {
        if TcpStream::connect(address).is_ok() {
            return child;
        }
        let ended = child.try_wait().expect("its state");
        assert!(ended.is_none(), "{command:?} ended: {ended:?}");
        sleep(Duration::from_millis(20));
    }
    kill(&mut child);
    panic!("{command:?} does not listen");
}
