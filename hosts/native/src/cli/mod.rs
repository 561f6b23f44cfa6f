//! The command line.

mod operate;
mod password;
mod serve;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::settings::{Options, check_environment};

const AFTER_HELP: &str = "Every setting can be given on the command line, in the environment (SELVAGE_SERVER_NAME for \
--server-name), or in the file that --config names; the first of these that has it counts.";

/// A Matrix homeserver.
#[derive(Debug, Parser)]
#[command(name = "selvage", version, about, after_help = AFTER_HELP)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server (also without any command)
    #[command(after_help = AFTER_HELP)]
    Serve(Box<Options>),
    /// Make and change accounts, whether the server runs or not
    #[command(subcommand)]
    User(operate::UserCommand),
    /// Make registration tokens, whether the server runs or not
    #[command(subcommand)]
    Token(operate::TokenCommand),
    /// Change the key that the server signs with
    #[command(subcommand)]
    Key(operate::KeyCommand),
    /// Verify a data directory, whether the server runs or not
    Check(operate::CheckCommand),
}

/// Runs the program.
#[must_use]
pub fn run() -> ExitCode {
    // What this process makes is its owner's alone.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let names = std::env::vars_os().map(|(name, _)| name.to_string_lossy().into_owned());
    if let Err(error) = check_environment(&Cli::command(), names) {
        return fail(error);
    }
    let cli = Cli::parse();
    let result = match cli.command.unwrap_or_else(serve_by_default) {
        Command::Serve(options) => serve::run(*options),
        Command::User(command) => operate::user(command),
        Command::Token(command) => operate::token(command),
        Command::Key(command) => operate::key(command),
        Command::Check(command) => operate::check(&command),
    };
    result.unwrap_or_else(fail)
}

/// `selvage` alone is `selvage serve`, with what the environment says.
fn serve_by_default() -> Command {
    Cli::parse_from(["selvage", "serve"])
        .command
        .unwrap_or_else(|| Command::Serve(Box::default()))
}

fn fail(error: impl std::fmt::Display) -> ExitCode {
    eprintln!("selvage: {error}");
    ExitCode::FAILURE
}

/// Whatever ends a command; the message is for the operator.
#[derive(Debug)]
struct CommandError(String);

impl std::fmt::Display for CommandError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl<E: std::error::Error> From<E> for CommandError {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

type CommandResult = Result<ExitCode, CommandError>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn only_known_settings_are_taken_from_the_environment() {
        let check = |names: &[&str]| {
            check_environment(&Cli::command(), names.iter().map(ToString::to_string))
                .map_err(|error| error.name)
        };
        assert_eq!(
            check(&["PATH", "SELVAGE_SERVER_NAME", "SELVAGE_DATA_DIR"]),
            Ok(())
        );
        for unknown in ["SELVAGE_SERVERNAME", "SELVAGE_SETUP"] {
            assert_eq!(check(&["SELVAGE_SHARDS", unknown]), Err(unknown.to_owned()));
        }
    }
}
