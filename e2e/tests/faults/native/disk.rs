//! A disk without space: sends fail and say so, what was acknowledged stays, and space heals it.

use std::fs;
use std::process::Command;
use std::time::Duration;

use selvage_e2e::{Host, Options, Server, SmallDisk, wait};

use super::Talk;

/// Room for a new server and some hundred messages, in bytes.
const DISK_BYTES: u64 = 48 << 20;
/// How much a message is padded, in bytes, to use up space soon.
const PADDING_BYTES: usize = 20_000;
/// More messages than the space left can hold.
const SENDS_MAX: usize = 5_000;
/// How long a server may take to notice that there is space again.
const HEAL_LIMIT: Duration = Duration::from_secs(60);

/// Sends until it fails; asserts that the failure says so and is the server's.
fn send_until_refused(talk: &mut Talk) {
    for _ in 0..SENDS_MAX {
        let reply = talk.try_send(PADDING_BYTES);
        if reply.status != 200 {
            assert!([500, 503, 507].contains(&reply.status), "{reply}");
            assert!(
                reply.errcode().starts_with("M_") && reply.json["error"].is_string(),
                "{reply}"
            );
            return;
        }
    }
    panic!("{SENDS_MAX} messages were acknowledged without space for them");
}

/// What holds while there is no space: it answers, and it reads.
fn check_in_need(server: &mut Server, talk: &Talk) {
    assert!(server.process().ended().is_none(), "the server lives on");
    server.api().get("/_matrix/client/versions").ok();
    talk.check();
}

fn check_healed(server: &mut Server, talk: &mut Talk) {
    wait::until("sends to succeed again", HEAL_LIMIT, || {
        (talk.try_send(0).status == 200).then_some(())
    });
    for _ in 0..10 {
        talk.send();
    }
    talk.check();
    server.kill9();
    server.restart();
    talk.check();
    talk.send();
    talk.check();
}

#[test]
fn a_full_disk_refuses_writes_and_heals() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let disk = match SmallDisk::mount(directory.path(), DISK_BYTES) {
        Ok(disk) => disk,
        // The next test needs no right to mount, and tells nearly the same.
        Err(error) => return println!("SKIPPED: no right to mount a small disk here: {error}"),
    };
    let mut server = Server::start_on(Host::Native, Options::default(), directory);
    let mut talk = Talk::new(&server);
    talk.send();

    disk.fill();
    send_until_refused(&mut talk);
    for _ in 0..20 {
        assert_ne!(talk.try_send(PADDING_BYTES).status, 200, "it goes on refusing");
    }
    check_in_need(&mut server, &talk);
    disk.relieve();
    check_healed(&mut server, &mut talk);
}

/// The same with a limit on the size of files, which needs no rights: the kernel refuses what is beyond it.
#[test]
fn a_file_size_limit_refuses_writes_and_heals() {
    let mut server = Server::start_with(
        Host::Native,
        Options {
            survives_file_limit: true,
            ..Options::default()
        },
    );
    let mut talk = Talk::new(&server);
    talk.send();

    let largest = largest_file(&server.directory().join("data"));
    limit_files(&mut server, &(largest + (1 << 20)).to_string());
    // A log that is written anew from its start has space again, so now and then a send succeeds.
    for _ in 0..5 {
        send_until_refused(&mut talk);
        check_in_need(&mut server, &talk);
    }
    limit_files(&mut server, "unlimited");
    check_healed(&mut server, &mut talk);
}

fn limit_files(server: &mut Server, bytes: &str) {
    let pid = server.process().child().id().to_string();
    let status = Command::new("prlimit")
        .args(["--pid", &pid, &format!("--fsize={bytes}:unlimited")])
        .status();
    assert!(status.expect("prlimit of util-linux").success());
}

fn largest_file(directory: &std::path::Path) -> u64 {
    let entries = fs::read_dir(directory)
        .expect("the data directory")
        .filter_map(Result::ok);
    entries
        .filter_map(|entry| entry.metadata().ok())
        .map(|metadata| metadata.len())
        .max()
        .unwrap_or(0)
}
