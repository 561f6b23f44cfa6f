//! The program: its settings, its commands, its stop, and what it says of data it cannot use.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected fails"
)]

mod common;

use std::fs;
use std::io::Write as _;
use std::path::Path;

use common::http::{exchange, register, request};
use common::process::{Server, errors, program, run};
use rustix::process::Signal;
use selvage_object::Sql as _;
use selvage_sqlite::Sqlite;

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn wrong_settings_are_refused_with_their_name() {
    let directory = tempfile::tempdir().unwrap();
    let (data, file) = (directory.path().join("data"), directory.path().join("some file"));
    fs::write(&file, "neither a certificate nor a key").unwrap();
    let file = text(&file);
    for (arguments, named) in [
        (&["--listen-tls", "127.0.0.1:0"][..], "--listen-tls"),
        (
            &["--listen-tls", "127.0.0.1:0", "--tls-cert", file][..],
            "--listen-tls",
        ),
        (
            &[
                "--listen-tls",
                "127.0.0.1:0",
                "--tls-cert",
                file,
                "--tls-key",
                file,
            ][..],
            "--tls-cert",
        ),
        (&["--tls-cert", file][..], "--tls-cert"),
        (&["--tls-key", file][..], "--tls-key"),
        (&["--extra-ca", file][..], "--extra-ca"),
        (&["--extra-ca", "/nowhere/ca.pem"][..], "--extra-ca"),
        (&["--server-name", "not a name"][..], "--server-name"),
        (&["--shards", "0"][..], "--shards"),
        (&["--shards", "65"][..], "--shards"),
        (
            &["--listen", "127.0.0.1:1", "--listen", "127.0.0.1:1"][..],
            "--listen",
        ),
        (
            &["--listen", "127.0.0.1:1", "--metrics-listen", "127.0.0.1:1"][..],
            "--metrics-listen",
        ),
        (&["--listen", "192.0.2.1:80"][..], "--listen"),
        (&["--listen", "nowhere"][..], "--listen"),
        (&["--registration", "maybe"][..], "--registration"),
        (
            &["--registration-shared-secret", ""][..],
            "--registration-shared-secret",
        ),
        (&["--default-room-version", "13"][..], "--default-room-version"),
        (&["--appservice-dir", "/nowhere"][..], "--appservice-dir"),
        (&["--rate-limits", "some"][..], "--rate-limits"),
        (&["--federation-retry-min", "0"][..], "--federation-retry-min"),
        (
            &["--federation-retry-min", "5", "--federation-retry-max", "4"][..],
            "--federation-retry-max",
        ),
        (&["--federation-allow", "https://a.org"][..], "--federation-allow"),
        (&["--federation-deny", ""][..], "--federation-deny"),
        (
            &["--federation-trusted-notary", "*.org"][..],
            "--federation-trusted-notary",
        ),
        (&["--dns-server", "dns.test"][..], "--dns-server"),
        (&["--password-hash-memory", "7"][..], "--password-hash-memory"),
        (&["--password-hash-memory", "32769"][..], "--password-hash-memory"),
        (&["--public-base-url", "example.org"][..], "--public-base-url"),
        (&["--federation-address", "a b"][..], "--federation-address"),
        (&["--support-matrix-id", "alice"][..], "--support-matrix-id"),
        (&["--config", "/nowhere/selvage.toml"][..], "--config"),
        (&["--no-such-setting", "1"][..], "--no-such-setting"),
    ] {
        let output = program()
            .args(["serve", "--data-dir", text(&data)])
            .args(arguments)
            .output()
            .unwrap();
        assert!(!output.status.success(), "{arguments:?}");
        assert!(
            errors(&output).contains(named),
            "{arguments:?}: {}",
            errors(&output)
        );
    }
}

#[test]
fn settings_come_from_the_command_line_then_the_environment_then_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let (data, file) = (
        directory.path().join("data"),
        directory.path().join("selvage.toml"),
    );
    let refused = |command: &mut std::process::Command| errors(&command.output().unwrap());
    fs::write(
        &file,
        "password-hash-memory = 1\nfederation-retry-min = 0\nshards = 0\n",
    )
    .unwrap();
    let with = |arguments: &[&str]| {
        let mut command = program();
        command
            .args(["serve", "--data-dir", text(&data), "--config", text(&file)])
            .args(arguments)
            .env("SELVAGE_SHARDS", "2")
            .env("SELVAGE_FEDERATION_RETRY_MIN", "0");
        refused(&mut command)
    };
    // Each call mends the setting that the one before complained about, in the place that goes before the wrong one.
    assert!(
        with(&[]).contains("--password-hash-memory"),
        "the file counts, and the environment goes before it"
    );
    assert!(with(&["--password-hash-memory", "8"]).contains("--federation-retry-min"));
    for (content, named) in [
        (
            "listen = [\"127.0.0.1:1\"]\nno-such-setting = 1\n",
            "no-such-setting",
        ),
        ("server-name = 7\n", "line 1"),
        ("registration-shared-secret = \"hush\" nonsense\n", "line 1"),
    ] {
        fs::write(&file, content).unwrap();
        let message = with(&[]);
        assert!(
            message.contains("--config") && message.contains(named),
            "{message}"
        );
        assert!(!message.contains("hush"), "{message}");
    }
    let mut misspelt = program();
    misspelt
        .args(["serve", "--data-dir", text(&data)])
        .env("SELVAGE_REGISTRATIONS", "open");
    assert!(refused(&mut misspelt).contains("SELVAGE_REGISTRATIONS"));
}

#[test]
fn a_second_process_on_the_same_data_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let second = run(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--data-dir",
        text(directory.path()),
    ]);
    assert!(!second.status.success());
    assert!(
        errors(&second).contains("in use by another selvage process"),
        "{}",
        errors(&second)
    );
    register(server.address(), "still.there").unwrap().unwrap();
    server.stop();
}

#[test]
fn commands_work_with_and_without_a_running_server() {
    let directory = tempfile::tempdir().unwrap();
    let data = text(directory.path());
    let ok = |arguments: &[&str]| {
        let output = program()
            .args(arguments)
            .args(["--data-dir", data])
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", errors(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    let fails = |arguments: &[&str]| {
        let output = program()
            .args(arguments)
            .args(["--data-dir", data])
            .output()
            .unwrap();
        assert!(!output.status.success(), "{arguments:?}");
        errors(&output)
    };
    let cheap = ["--password-hash-memory", "8"];
    let alone = [
        &["user", "create", "alice", "--password", "before and"][..],
        &cheap,
    ]
    .concat();
    assert_eq!(ok(&alone), "created @alice:localhost\n");
    assert!(
        fails(&alone).contains("taken") || fails(&alone).contains("use"),
        "{}",
        fails(&alone)
    );
    let server = Server::start(directory.path());
    let login = |name: &str, password: &str| {
        let identifier = format!(r#"{{"type":"m.id.user","user":"{name}"}}"#);
        let body =
            format!(r#"{{"type":"m.login.password","identifier":{identifier},"password":"{password}"}}"#);
        request(server.address(), "POST", "/_matrix/client/v3/login", None, &body)
            .unwrap()
            .status
    };
    assert_eq!(login("alice", "before and"), 200);
    assert_eq!(
        ok(&["user", "create", "bob", "--password", "at the same time"]),
        "created @bob:localhost\n"
    );
    assert_eq!(login("bob", "at the same time"), 200);
    ok(&["user", "password", "bob", "--password", "another one"]);
    assert_eq!(
        (login("bob", "at the same time"), login("bob", "another one")),
        (403, 200)
    );
    ok(&["user", "deactivate", "@alice:localhost"]);
    assert_eq!(login("alice", "before and"), 403);
    assert!(fails(&["user", "deactivate", "nobody"]).contains("nobody"));
    assert!(
        !ok(&["token", "create", "--uses", "1", "--hours", "2"])
            .trim()
            .is_empty()
    );
    assert_eq!(ok(&["check"]), "the data are sound\n");
    let keys = |server: &Server| {
        let reply = request(server.address(), "GET", "/_matrix/key/v2/server", None, "").unwrap();
        reply.body
    };
    let before = keys(&server);
    let rotated = ok(&["key", "rotate"]);
    let key_id = rotated
        .split(' ')
        .find(|word| word.starts_with("ed25519:"))
        .unwrap();
    assert!(!before.contains(key_id) && !keys(&server).contains(key_id));
    server.stop();
    assert_eq!(ok(&["check"]), "the data are sound\n");
    assert!(!ok(&["token", "create"]).trim().is_empty());
}

#[test]
fn a_password_comes_from_standard_input_too() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = program();
    command.args([
        "user",
        "create",
        "alice",
        "--password-hash-memory",
        "8",
        "--data-dir",
        text(directory.path()),
    ]);
    command
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"from a pipe\n").unwrap();
    assert!(child.wait_with_output().unwrap().status.success());
    let server = Server::start(directory.path());
    let body = r#"{"type":"m.login.password","identifier":{"type":"m.id.user","user":"alice"},"password":"from a pipe"}"#;
    let login = request(server.address(), "POST", "/_matrix/client/v3/login", None, body).unwrap();
    assert_eq!(login.status, 200, "{login:?}");
    server.stop();
}

#[test]
fn a_signal_ends_waits_and_the_program_cleanly() {
    for signal in [Signal::TERM, Signal::INT] {
        let directory = tempfile::tempdir().unwrap();
        let server = Server::start(directory.path());
        let address = server.address();
        let token = register(address, "alice").unwrap().unwrap();
        let first = request(address, "GET", "/_matrix/client/v3/sync", Some(&token), "").unwrap();
        let since = first.json()["next_batch"].as_str().unwrap().to_owned();
        std::thread::scope(|scope| {
            let path = format!("/_matrix/client/v3/sync?timeout=600000&since={since}");
            let waiting = scope.spawn(move || request(address, "GET", &path, Some(&token), ""));
            // Wherever the request is by then, it is answered or its connection is closed, and soon.
            server.signal(signal);
            assert!(server.wait().success());
            drop(waiting.join().unwrap());
        });
        let left: Vec<_> = fs::read_dir(directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        let unclean = |name: &std::ffi::OsString| {
            let name = name.to_string_lossy();
            name.ends_with("-wal") || name.ends_with(".sock")
        };
        assert!(!left.iter().any(unclean), "{left:?}");
        assert!(exchange(address, b"").is_err(), "nobody listens");
    }
}

#[test]
fn newer_and_damaged_data_are_refused_with_a_clear_word() {
    let directory = tempfile::tempdir().unwrap();
    let data = text(directory.path());
    Server::start(directory.path()).stop();
    let path = directory.path().join("shard-1.sqlite");
    let sound = fs::read(&path).unwrap();
    let serve = ["serve", "--listen", "127.0.0.1:0", "--data-dir", data];
    let check = ["check", "--data-dir", data];

    let sqlite = Sqlite::open(&path).unwrap();
    sqlite
        .run(
            "UPDATE schema_versions SET version = 999 WHERE name = 'room'",
            &[],
            &mut |_| Ok(()),
        )
        .unwrap();
    drop(sqlite);
    let message = errors(&run(&serve));
    assert!(
        message.contains("newer version") && message.contains("shard-1.sqlite"),
        "{message}"
    );
    let checked = run(&check);
    assert!(!checked.status.success());
    assert!(
        String::from_utf8_lossy(&checked.stdout).contains("shard-1.sqlite: schema room is at version 999")
    );

    fs::write(&path, vec![7; sound.len()]).unwrap();
    let message = errors(&run(&serve));
    assert!(message.contains("shard-1.sqlite is damaged"), "{message}");
    assert!(!run(&check).status.success());

    let mut torn = sound.clone();
    for byte in torn.iter_mut().skip(4_096) {
        *byte ^= 0x55;
    }
    fs::write(&path, torn).unwrap();
    assert!(!run(&serve).status.success());
    assert!(!run(&check).status.success());

    fs::remove_file(&path).unwrap();
    let checked = run(&check);
    assert!(String::from_utf8_lossy(&checked.stdout).contains("shard-1.sqlite: the file is missing"));

    fs::write(&path, sound).unwrap();
    assert!(run(&check).status.success());
    Server::start(directory.path()).stop();
}
