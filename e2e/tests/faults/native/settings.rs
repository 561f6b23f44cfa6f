//! Settings that are refused at the start, by their name.

use std::fs;
use std::time::Duration;

use selvage_e2e::process::was_killed;
use selvage_e2e::{Host, Options, Server};

/// How long a server may take to find out that it cannot start.
const REFUSAL_LIMIT: Duration = Duration::from_secs(30);

/// Starts a server with these settings too; asserts that it ends with a failure that names `setting`.
fn refuses(arguments: &[&str], environment: &[(&str, &str)], setting: &str) {
    let owned = |text: &&str| (*text).to_owned();
    let options = Options {
        arguments: arguments.iter().map(owned).collect(),
        environment: environment
            .iter()
            .map(|(name, value)| (owned(name), owned(value)))
            .collect(),
        ..Options::default()
    };
    let mut server = Server::launch(Host::Native, options);
    let status = server.process().wait(REFUSAL_LIMIT);
    let log = server.logs();
    assert!(
        !status.success() && !was_killed(status),
        "{arguments:?} {environment:?}: {status}: {log}"
    );
    assert!(
        log.contains(setting),
        "{arguments:?} {environment:?}: {setting} is not named: {log}"
    );
    assert!(!log.contains("panicked at"), "{log}");
    assert!(
        !server.directory().join("data").exists(),
        "nothing was made: {arguments:?} {environment:?}"
    );
}

#[test]
fn unknown_settings_are_refused() {
    refuses(&["--no-such-setting", "1"], &[], "--no-such-setting");
    refuses(
        &[],
        &[("SELVAGE_NO_SUCH_SETTING", "1")],
        "SELVAGE_NO_SUCH_SETTING",
    );
}

#[test]
fn unknown_settings_in_a_file_are_refused() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("selvage.toml");
    let path = file.to_str().expect("a path").to_owned();
    fs::write(&file, "no_such_setting = 1\n").expect("a file");
    refuses(&["--config", &path], &[], "no_such_setting");
    fs::write(&file, "this is not TOML").expect("a file");
    refuses(&["--config", &path], &[], &path);
    refuses(&["--config", "/no/such/file.toml"], &[], "/no/such/file.toml");
}

#[test]
fn impossible_values_are_refused() {
    refuses(&["--listen", "nowhere"], &[], "listen");
    refuses(&["--listen", "127.0.0.1:99999"], &[], "listen");
    refuses(
        &["--default-room-version", "no-such-version"],
        &[],
        "default-room-version",
    );
    refuses(&["--federation-retry-min", "soon"], &[], "federation-retry-min");
    refuses(&["--password-hash-memory", "0"], &[], "password-hash-memory");
    refuses(&["--rate-limits", "maybe"], &[], "rate-limits");
    refuses(&["--appservice-dir", "/no/such/directory"], &[], "appservice-dir");
    refuses(&["--extra-ca", "/no/such/file.pem"], &[], "extra-ca");
}

#[test]
fn impossible_combinations_are_refused() {
    refuses(&["--tls-cert", "/no/such/cert.pem"], &[], "tls-");
    refuses(&["--listen-tls", "127.0.0.1:0"], &[], "tls-");
    refuses(
        &["--federation-retry-min", "5000", "--federation-retry-max", "10"],
        &[],
        "federation-retry-",
    );
}

#[test]
fn a_taken_port_is_named() {
    let server = Server::start(Host::Native);
    let address = server.base_url().trim_start_matches("http://").to_owned();
    let options = Options {
        arguments: vec!["--listen".to_owned(), address.clone()],
        ..Options::default()
    };
    let mut second = Server::launch(Host::Native, options);
    let status = second.process().wait(REFUSAL_LIMIT);
    assert!(!status.success(), "{status}");
    assert!(second.logs().contains(&address), "{}", second.logs());
}
