//! The suite on the Workers host, under `workerd`, with a bundle that has probes.

mod drivers;

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use drivers::process::Process;
use selvage_conformance::{Answer, Flood, HostUnderTest, NoAnswer, Remote};
use selvage_object::ObjectKey;

/// What one shard takes at once (`QUESTIONS_MAX` of the Workers host).
const QUESTIONS_MAX: usize = 256;

struct Workers(Process);

/// A path that the environment names, or else one in this repository.
fn place(variable: &str, usual: &str, build: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let path = env::var_os(variable).map_or_else(|| root.join(usual), PathBuf::from);
    assert!(
        path.exists(),
        "{} is missing: run `{build}`, or name another place in {variable}",
        path.display()
    );
    path
}

fn start() -> Workers {
    let setup = place("SELVAGE_SETUP", ".setup", "cargo xtask setup worker-tools");
    let bundle = place(
        "SELVAGE_WORKER_CONFORMANCE_DIST",
        "target/worker-conformance",
        "cargo xtask worker build --features conformance --out target/worker-conformance",
    );
    let config = bundle.join("conformance.capnp");
    std::fs::write(&config, include_str!("workerd.capnp")).expect("the bundle's directory");
    Workers(Process::start(Box::new(move |address, data| {
        let mut command = Command::new(setup.join("bin/workerd"));
        command.arg("serve").arg(&config);
        command.arg(format!("--socket-addr=http={address}"));
        command.arg(format!("--directory-path=disk={}", data.display()));
        command
    })))
}

impl Workers {
    fn remote(&self) -> Remote {
        self.0.remote()
    }
}

impl HostUnderTest for Workers {
    fn ask(&self, to: &ObjectKey, command: Vec<u8>) -> Answer {
        self.remote().ask(to, &command)
    }

    fn flood(&self, to: &ObjectKey, command: Vec<u8>, count: usize) -> Result<Flood, NoAnswer> {
        self.remote().flood(to, &command, count)
    }

    fn wait(&self, of: &ObjectKey, seen: u64, timeout_ms: u64) -> Result<(), NoAnswer> {
        self.remote().wait(of, seen, timeout_ms)
    }

    fn crash(&self) {
        self.0.crash();
    }

    fn evict(&self, of: &ObjectKey) {
        self.remote()
            .order("evict", of, "", b"")
            .expect("the shard lets go");
    }

    fn questions_max(&self) -> usize {
        QUESTIONS_MAX
    }
}

suite!(start);
