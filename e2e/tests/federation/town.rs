//! The servers that all cases share, each started when the first case needs it.

use std::fs;
use std::path::Path;
use std::sync::{OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use selvage_e2e::Host;
use selvage_e2e::federation::{Authority, Homeserver};
use tempfile::TempDir;

/// What the names of the servers' directories begin with, before the id of this process.
const PREFIX: &str = "federation-";

static ORDER: RwLock<()> = RwLock::new(());

/// The right to use servers that others use too.
pub(crate) fn company() -> RwLockReadGuard<'static, ()> {
    ORDER.read().unwrap_or_else(PoisonError::into_inner)
}

/// The right to disturb servers, which nobody else uses meanwhile.
pub(crate) fn solitude() -> RwLockWriteGuard<'static, ()> {
    ORDER.write().unwrap_or_else(PoisonError::into_inner)
}

/// A Selvage with a host name.
pub(crate) fn selvage() -> &'static Homeserver {
    static SERVER: OnceLock<Homeserver> = OnceLock::new();
    SERVER.get_or_init(|| start(Host::Native, "localhost"))
}

/// A Selvage that is named by its address: access control lists do not see ports, so the names of two servers must differ
/// in more.
pub(crate) fn other_selvage() -> &'static Homeserver {
    static SERVER: OnceLock<Homeserver> = OnceLock::new();
    SERVER.get_or_init(|| start(Host::Native, "127.0.0.1"))
}

/// A Synapse that is named by its address.
pub(crate) fn synapse() -> &'static Homeserver {
    static SERVER: OnceLock<Homeserver> = OnceLock::new();
    SERVER.get_or_init(|| start(Host::Synapse, "127.0.0.1"))
}

/// A Synapse with a host name.
#[cfg(feature = "synapse")]
pub(crate) fn other_synapse() -> &'static Homeserver {
    static SERVER: OnceLock<Homeserver> = OnceLock::new();
    SERVER.get_or_init(|| start(Host::Synapse, "localhost"))
}

fn start(host: Host, address: &str) -> Homeserver {
    static AUTHORITY: OnceLock<Authority> = OnceLock::new();
    let server = Homeserver::start(
        host,
        address,
        AUTHORITY.get_or_init(Authority::default),
        directory(),
    );
    println!("{} is {host:?}", server.name());
    server
}

/// Nobody drops what is static, so these directories stay, with their logs, until the next run.
fn directory() -> TempDir {
    static CLEARED: OnceLock<()> = OnceLock::new();
    let all = Path::new(env!("CARGO_TARGET_TMPDIR"));
    CLEARED.get_or_init(|| clear(all));
    tempfile::Builder::new()
        .prefix(&format!("{PREFIX}{}-", std::process::id()))
        .tempdir_in(all)
        .expect("a directory of a server")
}

/// Removes what processes that have ended left.
fn clear(all: &Path) {
    for entry in fs::read_dir(all).expect("the directory of tests").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let owner = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        if owner.is_some_and(|owner| !Path::new("/proc").join(owner).exists()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
