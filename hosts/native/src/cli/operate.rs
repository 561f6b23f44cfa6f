//! `selvage user`, `selvage token`, `selvage key` and `selvage check`.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use tokio::runtime::Builder;

use super::{CommandError, CommandResult, password};
use crate::admin::{self, Command, Reply};
use crate::clock;
use crate::directory::{Directory, DirectoryError};
use crate::log;
use crate::server::Opened;
use crate::settings::{Options, Place, Settings};

const MS_PER_HOUR: u64 = 60 * 60 * 1_000;

#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
    /// Make an account
    Create {
        /// Its name, the part before the colon
        name: String,
        /// Its password; asked for when it is left out
        #[arg(long)]
        password: Option<String>,
        /// Let it administer the server
        #[arg(long)]
        admin: bool,
        #[command(flatten)]
        common: Common,
    },
    /// Give an account another password
    Password {
        /// Its name, or its whole id
        name: String,
        /// The new password; asked for when it is left out
        #[arg(long)]
        password: Option<String>,
        /// Leave its devices logged in
        #[arg(long)]
        keep_devices: bool,
        #[command(flatten)]
        common: Common,
    },
    /// End an account for ever; its name stays taken
    Deactivate {
        /// Its name, or its whole id
        name: String,
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// Make a token with which people can register under --registration token
    Create {
        /// How many registrations it is good for [default: any number]
        #[arg(long, value_name = "NUMBER")]
        uses: Option<u64>,
        /// When it ends, in hours from now [default: never]
        #[arg(long, value_name = "HOURS")]
        hours: Option<u64>,
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// Make another signing key, for the next start of the server; other servers go on knowing the one before
    Rotate {
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Args, Debug)]
pub(super) struct CheckCommand {
    #[command(flatten)]
    place: Place,
}

/// What all commands on accounts take.
#[derive(Args, Debug)]
pub(super) struct Common {
    #[command(flatten)]
    place: Place,
    /// The name of the server, for data that are not there yet [default: localhost]
    #[arg(long, value_name = "NAME", env = "SELVAGE_SERVER_NAME")]
    server_name: Option<String>,
    /// The memory of the password's hash, in KiB, while the server does not run [default: 19456]
    #[arg(long, value_name = "KIB", env = "SELVAGE_PASSWORD_HASH_MEMORY")]
    password_hash_memory: Option<u32>,
}

impl From<Common> for Options {
    fn from(common: Common) -> Self {
        Self {
            place: common.place,
            server_name: common.server_name,
            password_hash_memory: common.password_hash_memory,
            ..Self::default()
        }
    }
}

pub(super) fn user(command: UserCommand) -> CommandResult {
    match command {
        UserCommand::Create {
            name,
            password: given,
            admin,
            common,
        } => {
            let password = password::get(given)?;
            run(
                common.into(),
                Command::CreateUser {
                    name,
                    password,
                    admin,
                },
            )
        }
        UserCommand::Password {
            name,
            password: given,
            keep_devices,
            common,
        } => {
            let command = Command::SetPassword {
                name,
                password: password::get(given)?,
                logout_devices: !keep_devices,
            };
            run(common.into(), command)
        }
        UserCommand::Deactivate { name, common } => run(common.into(), Command::DeactivateUser { name }),
    }
}

pub(super) fn token(command: TokenCommand) -> CommandResult {
    let TokenCommand::Create { uses, hours, common } = command;
    let expires_ms = hours.map(|hours| clock::now().plus_ms(hours.saturating_mul(MS_PER_HOUR)).0);
    run(common.into(), Command::CreateToken { uses, expires_ms })
}

pub(super) fn key(command: KeyCommand) -> CommandResult {
    let KeyCommand::Rotate { common } = command;
    run(common.into(), Command::RotateKey)
}

/// Exits with a failure when something is wrong with the data.
pub(super) fn check(command: &CheckCommand) -> CommandResult {
    let options = Options {
        place: command.place.clone(),
        ..Options::default()
    };
    let settings = Settings::resolve(options)?;
    if !settings.data_dir.exists() {
        let problem = format!("--data-dir: {} is not there", settings.data_dir.display());
        return Err(CommandError(problem));
    }
    show(match Directory::open(&settings.data_dir, &settings.wanted) {
        Ok(directory) => Reply::Problems(admin::check_files(&directory)),
        Err(DirectoryError::InUse { .. }) => admin::send(&settings.data_dir, &Command::Check)?,
        Err(error) => return Err(error.into()),
    })
}

/// Gives the command to the server that has the data, or opens them.
fn run(options: Options, command: Command) -> CommandResult {
    let settings = Settings::resolve(options)?;
    log::start(settings.log_format, settings.log_level);
    let reply = match Directory::open(&settings.data_dir, &settings.wanted) {
        Ok(directory) => run_alone(directory, &settings, command)?,
        Err(DirectoryError::InUse { .. }) => admin::send(&settings.data_dir, &command)?,
        Err(error) => return Err(error.into()),
    };
    show(reply)
}

fn run_alone(directory: Directory, settings: &Settings, command: Command) -> Result<Reply, CommandError> {
    let runtime = Builder::new_current_thread().enable_time().build()?;
    let opened = Opened::open(directory, settings)?;
    let reply = runtime.block_on(admin::run(opened.gateway(), command));
    opened.close();
    Ok(reply)
}

fn show(reply: Reply) -> CommandResult {
    match reply {
        Reply::Done(text) => println!("{text}"),
        Reply::Failed(message) => return Err(CommandError(message)),
        Reply::Problems(problems) if problems.is_empty() => println!("the data are sound"),
        Reply::Problems(problems) => {
            problems.iter().for_each(|problem| println!("{problem}"));
            return Ok(ExitCode::FAILURE);
        }
    }
    Ok(ExitCode::SUCCESS)
}
