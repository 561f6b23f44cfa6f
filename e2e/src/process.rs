//! A child process that cannot outlive the test, with its output kept.

use std::fs::{self, File};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use crate::wait;

/// How much of a log is shown when a test fails.
const SHOWN_LINES: usize = 120;

/// A program in a process group of its own, killed as a group when dropped.
///
/// Should the test itself be killed, the kernel takes the program along: it is started through `setpriv --pdeathsig`.
/// That follows the *thread* that started it, which therefore has to live as long as the program is wanted.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command` with its standard output and error appended to `log`.
    pub fn start(command: &Command, log: &Path) -> Process {
        let output = append(log);
        let errors = output.try_clone().expect("a second handle on the log");
        let child = guarded(command)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        Process {
            child,
            log: log.to_owned(),
        }
    }

    /// Starts `command` with its standard input and output as pipes, its standard error appended to `log`.
    pub fn start_piped(command: &Command, log: &Path) -> Process {
        let child = guarded(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(append(log))
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        Process {
            child,
            log: log.to_owned(),
        }
    }

    /// The child, for its pipes and its id.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// The most memory that it has had resident, in bytes.
    pub fn peak_resident_bytes(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").trim().parse::<u64>().ok());
        kib.expect("the process runs") * 1024
    }

    /// The status with which it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be waited for")
    }

    /// `kill -9` to the whole group, and waits until it is gone.
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.child.wait().expect("a child can be waited for");
    }

    /// Stops the whole group from running until [`Process::resume`].
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets a paused group run on.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Asks it to stop with SIGTERM and waits.
    ///
    /// # Panics
    /// When it has not ended after `limit`.
    pub fn stop(&mut self, limit: Duration) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait(limit)
    }

    /// Waits until it has ended by itself.
    ///
    /// # Panics
    /// When it has not ended after `limit`.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        wait::until("the end of a process", limit, || self.ended())
    }

    /// Everything that it has written.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// The last lines that it has written.
    pub fn log_tail(&self) -> String {
        let log = self.log();
        let skipped = log.lines().count().saturating_sub(SHOWN_LINES);
        log.lines().skip(skipped).collect::<Vec<_>>().join("\n")
    }

    fn signal(&self, signal: Signal) {
        let group = i32::try_from(self.child.id())
            .ok()
            .and_then(Pid::from_raw)
            .expect("a process id");
        // It may be gone already.
        let _ = kill_process_group(group, signal);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("---- {} ----\n{}\n----", self.log.display(), self.log_tail());
        }
    }
}

/// Tells whether a process was ended by a signal rather than by itself.
pub fn was_killed(status: ExitStatus) -> bool {
    status.signal().is_some()
}

fn append(log: &Path) -> File {
    File::options()
        .create(true)
        .append(true)
        .open(log)
        .expect("a log file")
}

/// The same command, in a group of its own and with the parent's death as its own.
fn guarded(command: &Command) -> Command {
    let mut guarded = Command::new("setpriv");
    guarded
        .args(["--pdeathsig", "TERM", "--"])
        .arg(command.get_program())
        .args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => guarded.env(name, value),
            None => guarded.env_remove(name),
        };
    }
    if let Some(directory) = command.get_current_dir() {
        guarded.current_dir(directory);
    }
    guarded.process_group(0);
    guarded
}
