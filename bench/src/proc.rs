//! What Linux says in `/proc` about a process's CPU time and memory.

use std::{fs, path::Path};

use crate::fault::Fault;

/// Length of one tick of the times in `/proc/*/stat`, in microseconds: Linux shows 100 a second on every architecture.
const TICK_MICROS: f64 = 10_000.0;
/// Where `utime` stands among the fields after the command's name; `stime` follows it (proc_pid_stat(5)).
const UTIME_FIELD: usize = 11;
/// Fields of `/proc/stat`'s first line that are no work: `idle` and `iowait`.
const IDLE_FIELDS: [usize; 2] = [3, 4];
/// `guest` and `guest_nice` follow; they are contained in `user` and `nice` already.
const MACHINE_FIELDS: usize = 8;

/// CPU time (user and system) that process `pid` has used since its start, in microseconds, in steps of 10,000.
pub(crate) fn cpu_micros(pid: u32) -> Result<f64, Fault> {
    stat_micros(Path::new(&format!("/proc/{pid}/stat")))
}

/// The same of the calling thread, which is the whole generator.
pub(crate) fn own_cpu_micros() -> Result<f64, Fault> {
    stat_micros(Path::new("/proc/thread-self/stat"))
}

/// The same of everything on the machine, kernel included.
pub(crate) fn machine_cpu_micros() -> Result<f64, Fault> {
    let path = Path::new("/proc/stat");
    parse_machine(&read(path)?).ok_or_else(|| unreadable(path))
}

/// Memory of process `pid` in bytes.
#[derive(Debug, PartialEq)]
pub(crate) struct Memory {
    /// Resident now.
    pub(crate) resident: f64,
    /// The most that was ever resident.
    pub(crate) peak: f64,
}

/// Reads a process's memory.
pub(crate) fn memory(pid: u32) -> Result<Memory, Fault> {
    let path = format!("/proc/{pid}/status");
    let path = Path::new(&path);
    parse_memory(&read(path)?).ok_or_else(|| unreadable(path))
}

fn stat_micros(path: &Path) -> Result<f64, Fault> {
    parse_stat(&read(path)?).ok_or_else(|| unreadable(path))
}

fn read(path: &Path) -> Result<String, Fault> {
    fs::read_to_string(path).map_err(|source| Fault::Path {
        path: path.into(),
        source,
    })
}

fn unreadable(path: &Path) -> Fault {
    Fault::Usage(format!("{} is not as Linux writes it", path.display()))
}

/// The command's name may hold spaces and parentheses, so fields are counted after the last parenthesis.
fn parse_stat(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(UTIME_FIELD);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) * TICK_MICROS)
}

fn parse_machine(stat: &str) -> Option<f64> {
    let fields = stat
        .lines()
        .next()?
        .strip_prefix("cpu ")?
        .split_ascii_whitespace()
        .take(MACHINE_FIELDS);
    let busy = fields
        .enumerate()
        .filter(|(index, _)| !IDLE_FIELDS.contains(index));
    let ticks: Result<Vec<f64>, _> = busy.map(|(_, ticks)| ticks.parse::<f64>()).collect();
    Some(ticks.ok()?.iter().sum::<f64>() * TICK_MICROS)
}

fn parse_memory(status: &str) -> Option<Memory> {
    Some(Memory {
        resident: kibibytes(status, "VmRSS:")?,
        peak: kibibytes(status, "VmHWM:")?,
    })
}

fn kibibytes(status: &str, field: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    let number: f64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(number * 1_024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_stand_after_any_command_name() {
        let stat = "71 (a) b (c) R 1 2 3 4 5 6 7 8 9 10 250 50 12 13 20 0 3";
        assert_eq!(parse_stat(stat), Some(3_000_000.0));
        assert_eq!(parse_stat("71 (a) R 1"), None);
        assert_eq!(parse_stat(""), None);
    }

    #[test]
    fn the_machine_is_busy_when_it_is_neither_idle_nor_waiting() {
        let stat = "cpu  10 1 20 5000 700 3 4 2 9 9\ncpu0 1 1 1 1 1 1 1 1 1 1\n";
        assert_eq!(parse_machine(stat), Some(400_000.0));
        assert_eq!(parse_machine("intr 1"), None);
    }

    #[test]
    fn memory_is_in_bytes() {
        let status = "Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n";
        assert_eq!(
            parse_memory(status),
            Some(Memory {
                resident: 1_048_576.0,
                peak: 2_097_152.0
            })
        );
        assert_eq!(parse_memory("VmRSS:\t 1 kB\n"), None);
    }

    #[test]
    fn this_process_can_be_read() {
        assert!(memory(std::process::id()).unwrap().resident > 0.0);
        assert!(own_cpu_micros().unwrap() <= cpu_micros(std::process::id()).unwrap());
        assert!(machine_cpu_micros().unwrap() > 0.0);
    }
}
