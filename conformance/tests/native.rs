//! The suite on the native host.

// Helpers of tests fail like tests.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    dead_code,
    unreachable_pub
)]

mod drivers;

use std::process::Command;

use drivers::process::Process;
use selvage_conformance::{Answer, Flood, HostUnderTest, NoAnswer, Remote, probe};
use selvage_object::{Kind, ObjectKey};

struct Native(Process);

fn start() -> Native {
    Native(Process::start(Box::new(|address, data| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_native-probes"));
        command.arg(address.to_string()).arg(data);
        command
    })))
}

impl Native {
    fn remote(&self) -> Remote {
        self.0.remote()
    }
}

impl HostUnderTest for Native {
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

    /// Objects leave a shard's memory when another needs the room. Of sixteen names some are in the same shard.
    fn evict(&self, _: &ObjectKey) {
        let weigh = serde_json::to_vec(&probe::Command::Weigh { bytes: 1 << 40 }).expect("JSON");
        for number in 0..16 {
            let heavy = ObjectKey::new(Kind::Probe, format!("heavy {number}"));
            self.ask(&heavy, weigh.clone()).expect("a probe that weighs");
        }
    }

    fn questions_max(&self) -> usize {
        selvage::shard::QUEUE_MAX
    }
}

suite!(start);
