//! The operator's commands.

use selvage_gateway::{Gateway, admin};
use serde::{Deserialize, Serialize};

use crate::host::NativeHost;

/// A command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Makes an account.
    CreateUser {
        /// Its localpart.
        name: String,
        /// Its password.
        password: String,
        /// Whether it administers the server.
        admin: bool,
    },
    /// Gives an account another password.
    SetPassword {
        /// Its localpart, or its whole id.
        name: String,
        /// The new password.
        password: String,
        /// Whether its devices are logged out.
        logout_devices: bool,
    },
    /// Ends an account for ever.
    DeactivateUser {
        /// Its localpart, or its whole id.
        name: String,
    },
    /// Makes a registration token.
    CreateToken {
        /// How many registrations it is good for; `None` for any number.
        uses: Option<u64>,
        /// When it ends, in milliseconds since 1970; `None` for never.
        expires_ms: Option<u64>,
    },
    /// Makes another signing key.
    RotateKey,
    /// Reads all data.
    Check,
}

/// What came of a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// It was done; this is to be shown.
    Done(String),
    /// It was not done, and why.
    Failed(String),
    /// What is wrong with the data, a line each.
    Problems(Vec<String>),
}

/// Carries a command out.
pub async fn run(gateway: &Gateway<NativeHost>, command: Command) -> Reply {
    let done = match command {
        Command::CreateUser {
            name,
            password,
            admin,
        } => admin::accounts::create_user(gateway, &name, Some(&password), admin)
            .await
            .map(|user_id| format!("created {user_id}")),
        Command::SetPassword {
            name,
            password,
            logout_devices,
        } => admin::accounts::set_password(gateway, &name, &password, logout_devices)
            .await
            .map(|()| "the password is changed".to_owned()),
        Command::DeactivateUser { name } => admin::accounts::deactivate(gateway, &name)
            .await
            .map(|()| "the account is deactivated".to_owned()),
        Command::CreateToken { uses, expires_ms } => {
            admin::create_registration_token(gateway, uses, expires_ms).await
        }
        Command::RotateKey => admin::rotate_key(gateway)
            .await
            .map(|key_id| format!("the server signs with {key_id} from its next start on")),
        Command::Check => {
            return match gateway.host().check().await {
                Ok(problems) => Reply::Problems(problems),
                Err(error) => Reply::Failed(error.to_string()),
            };
        }
    };
    done.map_or_else(|error| Reply::Failed(error.message), Reply::Done)
}
