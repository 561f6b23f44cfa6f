//! Time: how long steps take, and an end to programs that hang.
#![expect(
    clippy::disallowed_methods,
    reason = "this times processes of the machine it runs on"
)]

use std::{
    io::{BufRead, BufReader, Read},
    os::unix::process::CommandExt,
    process::{Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use crate::process;

/// Prints how long `work` took.
pub(super) fn timed<T>(work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    println!("-- {} s", start.elapsed().as_secs());
    result
}

/// Runs a program and hands each line of its output to `each`; after `limit` it is killed with all that it
/// started.
pub(super) fn run_lines(
    command: &mut Command,
    limit: Duration,
    each: impl FnMut(&str),
) -> Result<ExitStatus> {
    // A group of its own, so that the servers a test started die with it.
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .process_group(0);
    let mut child = command
        .spawn()
        .with_context(|| format!("starting {}", process::shown(command)))?;
    let (finished, waiting) = mpsc::channel::<()>();
    let group = child.id();
    let killer = thread::spawn(move || kill_after(limit, &waiting, group));
    let output = child.stdout.take().context("the output was to be piped")?;
    let read = each_line(output, each);
    let status = child.wait();
    drop(finished);
    let killed = killer.join().unwrap_or(false);
    anyhow::ensure!(
        !killed,
        "`{}` ran for {} s and was killed",
        process::shown(command),
        limit.as_secs()
    );
    read?;
    Ok(status?)
}

/// Whether it had to: the sender is dropped when the program has ended.
fn kill_after(limit: Duration, finished: &mpsc::Receiver<()>, group: u32) -> bool {
    if finished.recv_timeout(limit) != Err(mpsc::RecvTimeoutError::Timeout) {
        return false;
    }
    process::succeeds(
        Command::new("kill")
            .args(["-KILL", "--"])
            .arg(format!("-{group}")),
    )
}

fn each_line(output: impl Read, mut each: impl FnMut(&str)) -> Result<()> {
    for line in BufReader::new(output).split(b'\n') {
        each(&String::from_utf8_lossy(&line?));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn lines_and_status_come_through() {
        let mut lines = Vec::new();
        let status = run_lines(
            &mut shell("echo a; echo b; exit 3"),
            Duration::from_secs(60),
            |line| {
                lines.push(line.to_owned());
            },
        );
        assert_eq!(status.expect("it ran").code(), Some(3));
        assert_eq!(lines, ["a", "b"]);
    }

    #[test]
    fn a_program_that_hangs_is_killed_with_its_children() {
        let mut script = shell("sleep 600 & sleep 600");
        let error = run_lines(&mut script, Duration::from_millis(50), |_| ()).expect_err("killed");
        assert!(error.to_string().contains("was killed"), "{error}");
    }
}
