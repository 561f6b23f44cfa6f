//! The servers under test as child processes: started, timed, stopped.

mod selvage;
mod synapse;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    process::{Child, Command},
    time::{sleep, timeout},
};

use crate::{
    clock,
    fault::Fault,
    http::{Address, Connection, Request},
    matrix::VERSIONS,
};

pub(crate) use self::{selvage::selvage, synapse::synapse};

/// Pause between two attempts to reach a starting server: the precision of a start time.
const POLL_INTERVAL: Duration = Duration::from_millis(2);
/// How long a server may take to start, the first start with an empty data directory included.
const START_PATIENCE: Duration = Duration::from_secs(180);
/// How long a server may take to stop cleanly.
const STOP_PATIENCE: Duration = Duration::from_secs(60);

/// How a server is started.
#[derive(Debug)]
pub(crate) struct Program {
    /// Its name in the report.
    pub(crate) name: &'static str,
    /// Its version in the report.
    pub(crate) version: String,
    /// Where it will listen.
    pub(crate) address: Address,
    /// Executable and arguments.
    command: Vec<PathBuf>,
    /// Where its output goes.
    log: PathBuf,
}

/// A server that answers. It is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    /// Its process.
    pub(crate) pid: u32,
    child: Child,
    name: &'static str,
    log: PathBuf,
}

impl Program {
    /// Starts the server and waits until it answers; the time from one to the other.
    pub(crate) async fn start(&self) -> Result<(Running, Duration), Fault> {
        let mut command = self.command()?;
        let begin = clock::now();
        let child = command
            .spawn()
            .map_err(|source| self.at_fault(source.to_string()))?;
        let pid = child.id().ok_or_else(|| self.at_fault("it ended at once"))?;
        let mut running = Running {
            pid,
            child,
            name: self.name,
            log: self.log.clone(),
        };
        while !self.answers().await {
            if let Some(status) = running.child.try_wait()? {
                return Err(self.at_fault(format!("it ended with {status}")));
            }
            if clock::now() - begin > START_PATIENCE {
                return Err(self.at_fault(format!("no answer within {} s", START_PATIENCE.as_secs())));
            }
            sleep(POLL_INTERVAL).await;
        }
        Ok((running, clock::now() - begin))
    }

    fn command(&self) -> Result<Command, Fault> {
        let (executable, arguments) = self
            .command
            .split_first()
            .ok_or_else(|| self.at_fault("no command"))?;
        let log = fs::File::options().create(true).append(true).open(&self.log)?;
        let mut command = Command::new(executable);
        command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true);
        Ok(command)
    }

    async fn answers(&self) -> bool {
        let Ok(mut connection) = Connection::open(&self.address).await else {
            return false;
        };
        connection
            .call(&Request::get(VERSIONS, None))
            .await
            .is_ok_and(|response| response.status == 200)
    }

    fn at_fault(&self, problem: impl Into<String>) -> Fault {
        Fault::Server {
            name: self.name.to_owned(),
            problem: problem.into(),
            log: self.log.clone(),
        }
    }
}

impl Running {
    /// Asks the server to stop (SIGTERM) and waits for it.
    pub(crate) async fn stop(mut self) -> Result<(), Fault> {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        let asked = pid.map(|pid| kill_process(pid, Signal::TERM));
        if !matches!(asked, Some(Ok(()))) {
            return Err(self.at_fault("it ended during the load"));
        }
        match timeout(STOP_PATIENCE, self.child.wait()).await {
            Ok(status) => status.map(drop).map_err(Fault::from),
            Err(_) => Err(self.at_fault(format!("it did not stop within {} s", STOP_PATIENCE.as_secs()))),
        }
    }

    fn at_fault(&self, problem: impl Into<String>) -> Fault {
        Fault::Server {
            name: self.name.to_owned(),
            problem: problem.into(),
            log: self.log.clone(),
        }
    }
}

/// Makes an empty directory for a server's data and returns its absolute path.
fn data_directory(parent: &Path, name: &str) -> Result<PathBuf, Fault> {
    let path = parent.join(name);
    fs::create_dir(&path).map_err(|source| Fault::Path {
        path: path.clone(),
        source,
    })?;
    absolute(&path)
}

fn absolute(path: &Path) -> Result<PathBuf, Fault> {
    // Not canonical: the interpreter of a virtual environment is a link that must not be followed.
    std::path::absolute(path).map_err(|source| Fault::Path {
        path: path.into(),
        source,
    })
}

/// A port of 127.0.0.1 that is free now.
fn free_port() -> Result<u16, Fault> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// What a command prints, without its line end.
async fn output(command: &Path, arguments: &[&str]) -> Result<String, Fault> {
    let output = Command::new(command)
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await;
    let output = output.map_err(|source| Fault::Path {
        path: command.into(),
        source,
    })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(Fault::Usage(format!(
        "{} {}: {}: {said}",
        command.display(),
        arguments.join(" "),
        output.status
    )))
}
