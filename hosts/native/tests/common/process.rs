//! The program itself, as a child.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};

/// The program, with nothing of this process's own settings.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_selvage"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("SELVAGE_") {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null());
    command
}

/// Runs the program to its end.
pub fn run(arguments: &[&str]) -> Output {
    program().args(arguments).output().unwrap()
}

/// What it printed on standard error.
pub fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub struct Server {
    child: Child,
    output: BufReader<ChildStdout>,
    pub addresses: Vec<SocketAddr>,
}

impl Server {
    /// A server that anybody may register with, on a free port.
    pub fn start(data: &Path) -> Self {
        Self::start_with(data, &["--listen", "127.0.0.1:0"])
    }

    /// A server that announces as many addresses as the arguments have of `--listen` and `--listen-tls`.
    pub fn start_with(data: &Path, arguments: &[&str]) -> Self {
        let mut child = program()
            .args([
                "serve",
                "--registration",
                "open",
                "--rate-limits",
                "off",
                "--password-hash-memory",
                "8",
            ])
            .arg("--data-dir")
            .arg(data)
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let count = arguments
            .iter()
            .filter(|argument| argument.starts_with("--listen"))
            .count();
        let addresses = (0..count).map(|_| address(&mut output)).collect();
        Self {
            child,
            output,
            addresses,
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.addresses[0]
    }

    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    pub fn wait(mut self) -> ExitStatus {
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        self.child.wait().unwrap()
    }

    pub fn kill9(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn stop(self) {
        self.signal(Signal::TERM);
        assert!(self.wait().success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended already, or its test has failed.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn address(output: &mut impl BufRead) -> SocketAddr {
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    let (_, address) = line
        .trim()
        .rsplit_once("://")
        .unwrap_or_else(|| panic!("announced {line:?}"));
    address.parse().unwrap()
}
