//! Accounts, as the operator handles them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use selvage_event::UserId;
use selvage_protocol::errcode;
use selvage_protocol::user::{Account, Deactivate, Register, SetPassword};

use crate::call::parse_user_id;
use crate::client::register::wanted_user;
use crate::{ApiError, Gateway, Host, password};

/// An account to be made.
pub(crate) struct NewAccount<'a> {
    pub(crate) user: &'a UserId,
    pub(crate) password: Option<&'a str>,
    pub(crate) admin: bool,
    pub(crate) displayname: Option<String>,
}

/// Makes an account. A repetition with the same receipt succeeds; without one nothing is a repetition.
pub(crate) async fn create<H: Host>(
    gateway: &Gateway<H>,
    account: NewAccount<'_>,
    receipt: Option<String>,
) -> Result<(), ApiError> {
    let password_hash = match account.password {
        Some(password) => Some(password::hash(gateway, password).await?),
        None => None,
    };
    let command = Register {
        password_hash,
        admin: account.admin,
        displayname: account.displayname,
        receipt: receipt.unwrap_or_else(|| URL_SAFE_NO_PAD.encode(gateway.host().random())),
    };
    Ok(gateway.ask_user(account.user.as_str(), command).await?)
}

/// Makes an account with this user name (the part before the colon, capitals lowered) and returns its id.
///
/// # Errors
/// `M_INVALID_USERNAME`, `M_USER_IN_USE`, `M_WEAK_PASSWORD`, or when the user object cannot be asked.
pub async fn create_user<H: Host>(
    gateway: &Gateway<H>,
    name: &str,
    password: Option<&str>,
    admin: bool,
) -> Result<String, ApiError> {
    let user = wanted_user(gateway, Some(name))?;
    create(
        gateway,
        NewAccount {
            user: &user,
            password,
            admin,
            displayname: None,
        },
        None,
    )
    .await?;
    Ok(user.into())
}

/// Gives an account, named by localpart or whole id, another password. `logout_devices` ends all its sessions.
///
/// # Errors
/// `M_NOT_FOUND` when there is no such active account, `M_WEAK_PASSWORD`, or when the user object cannot be asked.
pub async fn set_password<H: Host>(
    gateway: &Gateway<H>,
    name: &str,
    password: &str,
    logout_devices: bool,
) -> Result<(), ApiError> {
    let user = existing(gateway, name).await?;
    let password_hash = password::hash(gateway, password).await?;
    let command = SetPassword {
        password_hash,
        logout_devices,
        keep_device: None,
    };
    Ok(gateway.ask_user(user.as_str(), command).await?)
}

/// Ends an account, named by localpart or whole id, for ever.
///
/// # Errors
/// `M_NOT_FOUND` when there is no such active account, or when the user object cannot be asked.
pub async fn deactivate<H: Host>(gateway: &Gateway<H>, name: &str) -> Result<(), ApiError> {
    let user = existing(gateway, name).await?;
    Ok(gateway.ask_user(user.as_str(), Deactivate {}).await?)
}

async fn existing<H: Host>(gateway: &Gateway<H>, name: &str) -> Result<UserId, ApiError> {
    let user = if name.starts_with('@') {
        parse_user_id(name)?
    } else {
        gateway.local_user(name)?
    };
    if user.domain() != gateway.server_name().as_str() {
        return Err(ApiError::not_found(format!("{user} is a user of another server")));
    }
    let account = gateway.ask_user(user.as_str(), Account {}).await?;
    match (account.exists, account.deactivated) {
        (true, false) => Ok(user),
        (true, true) => Err(ApiError::new(
            errcode::USER_DEACTIVATED,
            format!("{user} has been deactivated"),
        )),
        (false, _) => Err(ApiError::not_found(format!("there is no account {user}"))),
    }
}
