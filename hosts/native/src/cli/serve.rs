//! `selvage serve`.

use std::io;
use std::process::ExitCode;

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::CommandResult;
use crate::log;
use crate::server::Server;
use crate::settings::{Options, Settings};

pub(super) fn run(options: Options) -> CommandResult {
    let settings = Settings::resolve(options)?;
    log::start(settings.log_format, settings.log_level);
    let runtime = runtime()?;
    // Before anything is open, so that no signal finds the server half started.
    let mut signals = runtime.block_on(async { Signals::new() })?;
    let server = Server::start(&runtime, &settings)?;
    announce(&server, &settings);
    runtime.block_on(signals.stop());
    tracing::info!("stopping");
    server.stop(runtime);
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

fn runtime() -> io::Result<Runtime> {
    Builder::new_multi_thread().enable_io().enable_time().build()
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// A file that may not grow: caught so that the write fails, like one on a full disk, and the process lives.
    _file_limit: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            _file_limit: signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))?,
        })
    }

    /// Waits until somebody wants the server to stop.
    async fn stop(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

fn announce(server: &Server, settings: &Settings) {
    let plain = settings.listen.len();
    for (index, address) in server.addresses().iter().enumerate() {
        let scheme = if index < plain { "http" } else { "https" };
        println!("selvage serves {} on {scheme}://{address}", server.name());
    }
    println!(
        "make the first account with: selvage user create NAME --admin --data-dir {}",
        settings.data_dir.display()
    );
    tracing::info!(name = server.name(), "serving");
}
