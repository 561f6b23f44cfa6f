//! What was acknowledged survives `kill -9` and a file system that takes no more.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected fails"
)]

mod common;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use common::http::{register, request};
use common::process::{Server, run};
use rustix::process::{Resource, Rlimit, prlimit};

/// Registers accounts from several threads until `enough` were acknowledged, calls `interrupt`, and returns the names of
/// all that were acknowledged.
fn register_many(server: &Server, round: usize, enough: usize, interrupt: impl FnOnce()) -> Vec<String> {
    const CLIENTS: usize = 8;
    let (address, acknowledged) = (server.address(), Mutex::new(Vec::new()));
    let (stop, count) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (acknowledged, stop, count) = (&acknowledged, &stop, &count);
            scope.spawn(move || {
                for n in 0.. {
                    let name = format!("u{round}.{client}.{n}");
                    match register(address, &name) {
                        Ok(Ok(_)) => acknowledged.lock().unwrap().push(name),
                        _ => return,
                    }
                    count.fetch_add(1, Ordering::Relaxed);
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                }
            });
        }
        while count.load(Ordering::Relaxed) < enough {
            std::thread::yield_now();
        }
        interrupt();
        stop.store(true, Ordering::Relaxed);
    });
    acknowledged.into_inner().unwrap()
}

fn assert_taken(server: &Server, names: &[String]) {
    for name in names {
        let refused = register(server.address(), name).unwrap().unwrap_err();
        assert_eq!(refused.json()["errcode"], "M_USER_IN_USE", "{name}");
    }
}

#[test]
fn what_was_acknowledged_survives_kill_9() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let mut acknowledged = Vec::new();
    for round in 0..3 {
        let server = Server::start(&data);
        assert_taken(&server, &acknowledged);
        let kill = || rustix::process::kill_process(server.pid(), rustix::process::Signal::KILL).unwrap();
        let names = register_many(&server, round, 40, kill);
        assert!(names.len() >= 40);
        acknowledged.extend(names);
    }
    let server = Server::start(&data);
    assert_taken(&server, &acknowledged);
    server.stop();
    let checked = run(&["check", "--data-dir", data.to_str().unwrap()]);
    assert!(checked.status.success(), "{checked:?}");
}

#[test]
fn a_full_file_system_fails_writes_and_nothing_else_and_service_resumes() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let token = register(server.address(), "before").unwrap().unwrap();
    let before = register_many(&server, 0, 10, || {});
    // No file of the process grows from here on.
    let limit = |current| {
        let limit = Rlimit {
            current,
            maximum: None,
        };
        prlimit(Some(server.pid()), Resource::Fsize, limit).unwrap();
    };
    limit(Some(4_096));
    for n in 0..20 {
        let refused = register(server.address(), &format!("during{n}"))
            .unwrap()
            .unwrap_err();
        assert_eq!(refused.status, 503, "{refused:?}");
        let who = "/_matrix/client/v3/account/whoami";
        let read = request(server.address(), "GET", who, Some(&token), "").unwrap();
        assert_eq!(read.status, 200, "{read:?}");
    }
    limit(None);
    // A name whose first try was refused is free.
    register(server.address(), "during0").unwrap().unwrap();
    assert_taken(&server, &before);
    server.stop();
    let again = Server::start(directory.path());
    assert_taken(&again, &before);
    assert_taken(&again, &["before".to_owned(), "during0".to_owned()]);
    again.stop();
}
