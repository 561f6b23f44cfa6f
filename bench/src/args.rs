//! The command line.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand};
use serde::{Serialize, Serializer};

use crate::http::Address;

/// Loads Matrix homeservers through their public API and reports what they can do.
#[derive(Debug, Parser)]
#[command(name = "bench", version)]
pub(crate) struct Cli {
    /// What to measure.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to measure.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Starts Selvage, Synapse or both on empty data directories and loads them in turn, round by round.
    Compare(Compare),
    /// Loads a server that is running already. It must let anybody register and have no rate limits.
    Load(Load),
    /// Counts what single operations cost a running Workers instance.
    Workers(Workers),
}

/// Options of `compare`.
#[derive(Debug, Args)]
pub(crate) struct Compare {
    /// Selvage's binary.
    #[arg(long, value_name = "FILE")]
    pub(crate) selvage: Option<PathBuf>,
    /// A Python virtual environment in which matrix-synapse is installed.
    #[arg(long, value_name = "VENV_DIR")]
    pub(crate) synapse: Option<PathBuf>,
    /// Under which directory the servers' data are put. It should be on the disk that matters.
    #[arg(long, value_name = "DIR", default_value = "target/bench")]
    pub(crate) dir: PathBuf,
    /// Keep the data directories when the run ends.
    #[arg(long)]
    pub(crate) keep: bool,
    /// Rooms on disk when Selvage's last start is timed; the load's own rooms count.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub(crate) disk_rooms: usize,
    /// The same for Synapse, which takes a quarter of an hour to create 10,000.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) synapse_disk_rooms: usize,
    /// Memory of Selvage's password hash, in KiB; its own default otherwise.
    #[arg(long, value_name = "KIB")]
    pub(crate) password_hash_memory: Option<u32>,
    /// Rounds of Synapse's password hash, as a power of two; its own default otherwise.
    #[arg(long, value_name = "N")]
    pub(crate) synapse_bcrypt_rounds: Option<u32>,
    /// How much load.
    #[command(flatten)]
    pub(crate) plan: Plan,
    /// Where else to put the results.
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Options of `load`.
#[derive(Debug, Args)]
pub(crate) struct Load {
    /// Where the server listens, http://HOST[:PORT].
    #[arg(long)]
    pub(crate) url: Address,
    /// Its process, for CPU time and memory, if it runs on this machine.
    #[arg(long)]
    pub(crate) pid: Option<u32>,
    /// How much load.
    #[command(flatten)]
    pub(crate) plan: Plan,
    /// Where else to put the results.
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Options of `workers`.
#[derive(Debug, Args)]
pub(crate) struct Workers {
    /// Where the instance listens, http://HOST[:PORT].
    #[arg(long)]
    pub(crate) url: Address,
    /// Where it shows its counters: a JSON object of numbers that only grow.
    #[arg(long, value_name = "URL_PATH")]
    pub(crate) counts: String,
    /// How often each operation is repeated.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) repetitions: u32,
    /// Room version to create.
    #[arg(long, value_name = "VERSION", default_value = "12")]
    pub(crate) room_version: String,
    /// Where else to put the results.
    #[command(flatten)]
    pub(crate) output: Output,
}

/// How much load.
#[derive(Debug, Args, Serialize)]
pub(crate) struct Plan {
    /// Accounts that talk to each other.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = at_least::<2>)]
    pub(crate) users: usize,
    /// Rooms of two members that messages are sent into.
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = at_least::<1>)]
    pub(crate) rooms: usize,
    /// Rooms of the user whose sync is compared with that of a user in 10 rooms.
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = at_least::<11>)]
    pub(crate) sync_rooms: usize,
    /// How many messages are in flight at once, one phase each.
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "1,8,64", value_parser = at_least::<1>)]
    pub(crate) in_flight: Vec<usize>,
    /// Length of each phase.
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    #[serde(serialize_with = "as_seconds")]
    seconds: Duration,
    /// What goes before each phase and is not counted.
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
    #[serde(serialize_with = "as_seconds")]
    warm_up: Duration,
    /// How often all phases are repeated; medians over the rounds are reported.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = at_least::<1>)]
    pub(crate) rounds: usize,
    /// Room version to create.
    #[arg(long, value_name = "VERSION", default_value = "12")]
    pub(crate) room_version: String,
}

/// How long a phase takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    /// What goes before it and is not counted.
    pub(crate) warm_up: Duration,
    /// Its length.
    pub(crate) duration: Duration,
}

/// Where else to put the results.
#[derive(Debug, Args)]
pub(crate) struct Output {
    /// Also write everything as JSON.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

impl Plan {
    /// How long each phase takes.
    pub(crate) fn times(&self) -> Times {
        Times {
            warm_up: self.warm_up,
            duration: self.seconds,
        }
    }
}

fn at_least<const MINIMUM: usize>(text: &str) -> Result<usize, String> {
    let number: usize = text.parse().map_err(|_| "not a number".to_owned())?;
    if number < MINIMUM {
        Err(format!("less than {MINIMUM}"))
    } else {
        Ok(number)
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let number: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    let duration = Duration::try_from_secs_f64(number).map_err(|error| error.to_string())?;
    if duration.is_zero() {
        Err("no time".to_owned())
    } else {
        Ok(duration)
    }
}

fn as_seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[track_caller]
    fn check(options: &str, valid: bool) {
        let parsed = Cli::try_parse_from(["bench"].into_iter().chain(options.split(' ')));
        assert_eq!(parsed.is_ok(), valid, "{options}");
    }

    #[test]
    fn options_out_of_range_are_refused() {
        check("load --url http://127.0.0.1:8008", true);
        check(
            "load --url http://127.0.0.1:8008 --in-flight 1,2 --seconds 0.5",
            true,
        );
        check("load --url https://127.0.0.1:8008", false);
        check("load --url http://127.0.0.1:8008 --in-flight 0", false);
        check("load --url http://127.0.0.1:8008 --users 1", false);
        check("load --url http://127.0.0.1:8008 --seconds 0", false);
        check("load --url http://127.0.0.1:8008 --seconds -1", false);
        check("load --url http://127.0.0.1:8008 --sync-rooms 10", false);
        check("load", false);
        check(
            "workers --url http://127.0.0.1:8787 --counts /counts --repetitions 0",
            false,
        );
    }
}
