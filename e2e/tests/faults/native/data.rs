//! Data directories that must not be used: one in use, a damaged one, one of a newer version.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use selvage_e2e::process::{Process, was_killed};
use selvage_e2e::{Host, Server};

use super::Talk;

/// How long a server may take to find out that it cannot start.
const REFUSAL_LIMIT: Duration = Duration::from_secs(30);

/// Asserts that it ends by itself, with a failure and a reason that has one of these words, and not by panicking.
fn refuses(mut process: Process, words: &[&str]) -> String {
    let status = process.wait(REFUSAL_LIMIT);
    let log = process.log();
    assert!(!status.success() && !was_killed(status), "{status}: {log}");
    assert!(
        words.iter().any(|word| log.to_lowercase().contains(word)),
        "none of {words:?} in: {log}"
    );
    assert!(!log.contains("panicked at"), "{log}");
    log
}

fn databases(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)
        .expect("a directory")
        .filter_map(Result::ok)
    {
        let path = entry.path();
        if path.is_dir() {
            found.extend(databases(&path));
        } else if fs::read(&path).is_ok_and(|bytes| bytes.starts_with(b"SQLite format 3\0")) {
            found.push(path);
        }
    }
    found
}

#[test]
fn a_second_server_on_the_same_data_refuses() {
    let mut server = Server::start(Host::Native);
    let mut talk = Talk::new(&server);
    talk.send();
    for _ in 0..2 {
        let log = refuses(server.rival(), &["in use", "already", "another", "locked"]);
        assert!(log.contains("data"), "it names the directory: {log}");
    }
    talk.send();
    talk.check();
    // And when the first is gone, even by force, the next may have it.
    server.kill9();
    server.restart();
    talk.check();
}

#[test]
fn damaged_data_are_refused() {
    let mut server = Server::start(Host::Native);
    Talk::new(&server).send();
    assert!(server.stop().success());
    let databases = databases(&server.directory().join("data"));
    assert!(
        !databases.is_empty(),
        "the server keeps SQLite databases in its data directory"
    );
    for database in databases {
        let sound = fs::read(&database).expect("a database");
        let mut page_of_noise = sound.clone();
        page_of_noise.iter_mut().take(100).for_each(|byte| *byte = 0x5a);
        fs::write(&database, page_of_noise).expect("a damaged file");
        let log = refuses(
            server.rival(),
            &["damaged", "corrupt", "malformed", "not a database"],
        );
        let name = database
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        assert!(log.contains(&name), "it names the file {name}: {log}");
        fs::write(&database, sound).expect("the sound file");
    }
    server.restart();
}

/// A database of the future: some schema has a version that this program cannot know.
#[test]
fn newer_data_are_refused() {
    let mut server = Server::start(Host::Native);
    Talk::new(&server).send();
    assert!(server.stop().success());
    let database = databases(&server.directory().join("data"))
        .pop()
        .expect("a database");
    let python = "import sqlite3,sys; db=sqlite3.connect(sys.argv[1]); \
                  n=db.execute('UPDATE schema_versions SET version = version + 1000').rowcount; db.commit(); sys.exit(n < 1)";
    let edited = std::process::Command::new(selvage_e2e::tools::python())
        .args(["-c", python])
        .arg(&database)
        .status();
    assert!(
        edited.expect("Python").success(),
        "{} has a table of schema versions",
        database.display()
    );
    refuses(server.rival(), &["newer"]);
}
