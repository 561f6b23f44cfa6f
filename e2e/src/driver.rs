//! An existing client SDK in a process of its own, driven by JSON lines.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::process::Process;
use crate::tools;

/// How long a client may take over one command; only a client that hangs needs this long.
const ANSWER_LIMIT: Duration = Duration::from_secs(120);

/// One client: the SDK, its sync loop, and what it has told so far.
pub struct Driver {
    process: Process,
    lines: Receiver<Value>,
    held: VecDeque<Value>,
    next_id: u64,
}

impl Driver {
    /// A client made of matrix-nio.
    pub fn python(base_url: &str, log: &Path) -> Driver {
        let mut command = Command::new(tools::python());
        command.arg(tools::python_driver()).arg(base_url);
        Driver::start(&command, log)
    }

    /// A client made of matrix-js-sdk.
    pub fn js(base_url: &str, log: &Path) -> Driver {
        let mut command = Command::new(tools::node());
        command.arg(tools::js_driver()).arg(base_url);
        Driver::start(&command, log)
    }

    fn start(command: &Command, log: &Path) -> Driver {
        let mut process = Process::start_piped(command, log);
        let output = process
            .child()
            .stdout
            .take()
            .expect("the driver's output is a pipe");
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let value =
                    serde_json::from_str(&line).unwrap_or_else(|_| json!({"event": "log", "text": line}));
                if sender.send(value).is_err() {
                    return;
                }
            }
        });
        Driver {
            process,
            lines,
            held: VecDeque::new(),
            next_id: 1,
        }
    }

    /// Carries out one command and returns its answer.
    ///
    /// # Panics
    /// When the command fails, or the client ends or hangs.
    pub fn ask(&mut self, command: &str, mut parameters: Value) -> Value {
        let id = self.next_id;
        self.next_id += 1;
        if let Some(parameters) = parameters.as_object_mut() {
            parameters.insert("id".to_owned(), json!(id));
            parameters.insert("cmd".to_owned(), json!(command));
        }
        self.write(&parameters);
        let end = Instant::now() + ANSWER_LIMIT;
        loop {
            let line = self.receive(end.saturating_duration_since(Instant::now()));
            let line = line.unwrap_or_else(|| panic!("{command} got no answer in {ANSWER_LIMIT:?}"));
            if line.get("id") != Some(&json!(id)) {
                self.held.push_back(line);
                continue;
            }
            return match line.get("error") {
                Some(error) => panic!("{command} failed: {error}"),
                None => line.get("ok").cloned().unwrap_or_default(),
            };
        }
    }

    /// The next thing that the client saw, or nothing within `limit`.
    pub fn event(&mut self, limit: Duration) -> Option<Value> {
        let line = self.held.pop_front().or_else(|| self.receive(limit))?;
        if let Some(text) = line.get("text") {
            println!("client: {text}");
        }
        Some(line)
    }

    /// The client's process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    fn write(&mut self, line: &Value) {
        let input = self
            .process
            .child()
            .stdin
            .as_mut()
            .expect("the driver's input is a pipe");
        writeln!(input, "{line}").expect("the driver reads its input");
    }

    fn receive(&mut self, limit: Duration) -> Option<Value> {
        match self.lines.recv_timeout(limit) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => panic!("the driver ended:\n{}", self.process.log_tail()),
        }
    }
}
