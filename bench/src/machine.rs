//! What the figures were measured on.

use std::{fs, io::Write as _, path::Path, thread};

use serde::Serialize;

use crate::{clock, fault::Fault, stats::Samples};

/// How often the disk is made to write.
const SYNCS: usize = 50;
/// How much it writes at once, in bytes: one database page.
const SYNC_BYTES: usize = 4_096;

/// What the figures were measured on.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    /// Processors this process may use.
    cores: usize,
    /// Their name.
    processor: String,
    /// The system's release.
    kernel: String,
    /// Load averages when the run began, as `/proc/loadavg` has them.
    load_average: String,
    /// Median time of a durable write of 4 KiB in the data directory, in milliseconds.
    fsync_p50_ms: Option<f64>,
}

impl Machine {
    /// Describes this machine, and the disk under `directory` if there is one to measure.
    pub(crate) fn describe(directory: Option<&Path>) -> Result<Self, Fault> {
        Ok(Self {
            cores: thread::available_parallelism().map_or(0, usize::from),
            processor: field(&text("/proc/cpuinfo"), "model name"),
            kernel: text("/proc/sys/kernel/osrelease"),
            load_average: text("/proc/loadavg"),
            fsync_p50_ms: directory.map(fsync).transpose()?.flatten(),
        })
    }

    /// One line for the reader.
    pub(crate) fn summary(&self) -> String {
        let disk = self
            .fsync_p50_ms
            .map_or(String::new(), |ms| format!(", fsync of 4 KiB {ms:.2} ms"));
        let Self {
            cores,
            processor,
            kernel,
            load_average,
            ..
        } = self;
        format!("{cores} × {processor}, Linux {kernel}{disk}, load at start {load_average}")
    }
}

/// A file's text; empty where there is no such file.
fn text(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

fn field(lines: &str, name: &str) -> String {
    let line = lines.lines().find(|line| line.starts_with(name));
    line.and_then(|line| line.split_once(": "))
        .map_or("processor", |(_, value)| value)
        .to_owned()
}

fn fsync(directory: &Path) -> Result<Option<f64>, Fault> {
    let path = directory.join("fsync");
    let mut file = fs::File::create(&path)?;
    let mut samples = Samples::default();
    for _ in 0..SYNCS {
        let start = clock::now();
        file.write_all(&[0; SYNC_BYTES])?;
        file.sync_data()?;
        samples.add(clock::now() - start);
    }
    fs::remove_file(&path)?;
    Ok(samples.percentile(50))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_what_follows_its_name() {
        let lines = "processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\n";
        assert_eq!(field(lines, "model name"), "Some CPU @ 2 GHz");
        assert_eq!(field("", "model name"), "processor");
    }
}
