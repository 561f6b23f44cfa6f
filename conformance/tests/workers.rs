//! The suite on the Workers host, under `workerd`, with a bundle that has probes.

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

use std::fs;
use std::path::Path;
use std::thread::{scope, sleep};
use std::time::Duration;

use drivers::process::Process;
use drivers::workerd;
use rusqlite::Connection;
use selvage_conformance::probe::{Command, Ending, Resource, Sum};
use selvage_conformance::{Answer, Flood, HostUnderTest, NoAnswer, Remote};
use selvage_object::{Kind, ObjectKey};

/// What one shard takes at once (`QUESTIONS_MAX` of the Workers host).
const QUESTIONS_MAX: usize = 256;

struct Workers(Process);

fn start() -> Workers {
    let config = workerd::configuration("conformance.capnp", include_str!("workerd.capnp"));
    Workers(workerd::start(&config, &[]))
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

/// Long enough for a call that waits to have begun to.
const FOR_A_CALL_TO_BEGIN: Duration = Duration::from_millis(500);
/// Longer than the runtime keeps an object that nobody calls.
const EVICTION: Duration = Duration::from_secs(13);

fn ask(host: &Workers, to: &ObjectKey, command: &Command) -> Answer {
    host.ask(to, serde_json::to_vec(command).expect("JSON"))
}

/// The runtime evicts an object that nobody calls for ten seconds, even while somebody watches it: that is what makes a
/// waiting client cheap. The watch stays with the runtime and is answered by the object's next life.
#[test]
fn a_watch_outlives_the_runtimes_own_eviction() {
    let host = start();
    let star = ObjectKey::new(Kind::Probe, "star");
    ask(&host, &star, &Command::Raise).expect("the first version");
    scope(|scope| {
        let watch = scope.spawn(|| host.wait(&star, 1, 80_000));
        let age = || ask(&host, &star, &Command::Age);
        assert_eq!(age(), Ok(b"1".to_vec()));
        assert_eq!(age(), Ok(b"2".to_vec()));
        sleep(EVICTION);
        assert!(!watch.is_finished());
        assert_eq!(age(), Ok(b"1".to_vec()), "it left memory");
        ask(&host, &star, &Command::Raise).expect("the second version");
        assert_eq!(watch.join().expect("no panic"), Ok(()));
    });
}

/// An object that the runtime ends in the middle comes back with what it had answered.
#[test]
fn aborted_objects_come_back() {
    let host = start();
    let star = ObjectKey::new(Kind::Probe, "star");
    for version in 1..=3 {
        assert_eq!(
            ask(&host, &star, &Command::Raise),
            Ok(version.to_string().into_bytes())
        );
        ask(&host, &star, &Command::Age).expect("its age");
        host.remote()
            .order("abort", &star, "", b"")
            .expect("the order is taken");
        until_young(&host, &star);
        assert_eq!(
            ask(&host, &star, &Command::Version),
            Ok(version.to_string().into_bytes())
        );
    }
}

/// However an instance of the program ends, its callers are told, the turn is undone, and the next call finds another one
/// in which nothing of the first is left.
#[test]
fn an_instance_that_ends_is_replaced() {
    let host = start();
    let star = ObjectKey::new(Kind::Probe, "star");
    let add = |ending| Command::Add { amount: 1, ending };
    let ends = [
        add(Ending::Panic),
        Command::Exhaust {
            resource: Resource::Stack,
        },
        Command::Exhaust {
            resource: Resource::Memory,
        },
        Command::Exhaust {
            resource: Resource::Stack,
        },
    ];
    for (sum, end) in (1..).zip(&ends) {
        let told = ask(&host, &star, &add(Ending::Reply)).expect("the sum");
        let both = Sum {
            stored: sum,
            remembered: sum,
        };
        assert_eq!(
            serde_json::from_slice::<Sum>(&told).ok(),
            Some(both),
            "before {end:?}"
        );
        scope(|scope| {
            let bystander = scope.spawn(|| host.wait(&ObjectKey::new(Kind::Probe, "nobody"), 0, 80_000));
            sleep(FOR_A_CALL_TO_BEGIN);
            let failed = NoAnswer::Unavailable("500 Internal Server Error".to_owned());
            assert_eq!(ask(&host, &star, end), Err(failed.clone()), "{end:?}");
            let told = bystander.join().expect("no panic");
            assert_eq!(told, Err(failed), "{end:?}: it waits for nothing");
        });
    }
}

/// Waits until an object was made anew. Calls that end with the object it was before do not count.
fn until_young(host: &Workers, object: &ObjectKey) {
    for _ in 0..200 {
        if ask(host, object, &Command::Age) == Ok(b"1".to_vec()) {
            return;
        }
        sleep(Duration::from_millis(20));
    }
    panic!("{object} grows older and older");
}

/// Asking for what does not exist leaves no data behind, which would cost for ever.
#[test]
fn looking_for_nobody_makes_nobody() {
    let host = start();
    let nobody = ObjectKey::new(Kind::Probe, "nobody");
    assert_eq!(ask(&host, &nobody, &Command::Version), Ok(b"0".to_vec()));
    assert_eq!(host.wait(&nobody, 0, 100), Ok(()));
    let fails = Command::Add {
        amount: 1,
        ending: Ending::Refusal,
    };
    ask(&host, &nobody, &fails).expect_err("a refusal");
    assert_eq!(shards(&host), 0);
    ask(&host, &nobody, &Command::Raise).expect("somebody");
    assert_eq!(shards(&host), 1);
}

/// How many databases have a shard's tables.
fn shards(host: &Workers) -> usize {
    let files = fs::read_dir(host.0.data().join("probe")).expect("the namespace's directory");
    let paths = files.map(|file| file.expect("a file").path());
    let databases = paths.filter(|path| path.extension().is_some_and(|extension| extension == "sqlite"));
    databases.filter(|path| is_shard(path)).count()
}

fn is_shard(database: &Path) -> bool {
    let database = Connection::open(database).expect("a database");
    let found = database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'objects'");
    found.expect("its schema").exists([]).expect("its schema")
}
