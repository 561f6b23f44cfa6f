//! The account: made, given a password, ended.

use selvage_object::{Failure, Param, Refusal, Tracked, Turn};
use selvage_protocol::user::{AccountReply, PasswordHash, PasswordHashReply, Profile, Register, SetPassword};
use selvage_protocol::{errcode, room, room_key};

use crate::buckets::LOGIN;
use crate::devices;
use crate::memory::{Account, Memory};
use crate::object::no_account;

/// Makes the account, unless there is or was one. A user id is never given out twice.
pub(crate) fn register(
    memory: &mut Tracked<Memory>,
    turn: &Turn<'_>,
    command: &Register,
) -> Result<(), Failure> {
    if let Some(account) = &memory.account {
        let repeated = account.receipt == command.receipt;
        return if repeated { Ok(()) } else { Err(in_use().into()) };
    }
    let sql = "INSERT INTO user_account \
               (object, password_hash, admin, deactivated, displayname, avatar_url, receipt, created_ms) \
               VALUES (?1, ?2, ?3, 0, ?4, NULL, ?5, ?6)";
    let password = Param::optional_text(command.password_hash.as_deref());
    let name = Param::optional_text(command.displayname.as_deref());
    let receipt = Param::Text(&command.receipt);
    turn.write(
        sql,
        &[
            password,
            Param::flag(command.admin),
            name,
            receipt,
            Param::number(turn.now().0),
        ],
    )?;
    memory.change().account = Some(Account {
        password_hash: command.password_hash.clone(),
        admin: command.admin,
        deactivated: false,
        profile: Profile {
            displayname: command.displayname.clone(),
            avatar_url: None,
        },
        profile_number: 0,
        receipt: command.receipt.clone(),
    });
    Ok(())
}

fn in_use() -> Refusal {
    Refusal::new(errcode::USER_IN_USE, "this user id is taken")
}

/// What is known of the account.
pub(crate) fn account(memory: &Memory) -> AccountReply {
    let account = memory.account.as_ref();
    AccountReply {
        exists: account.is_some(),
        deactivated: account.is_some_and(|account| account.deactivated),
        admin: account.is_some_and(|account| account.admin),
    }
}

/// The password's hash. The answer for an account without one looks the same as for no account.
pub(crate) fn password_hash(
    memory: &mut Tracked<Memory>,
    turn: &Turn<'_>,
    command: &PasswordHash,
) -> Result<PasswordHashReply, Failure> {
    if command.rate_limited && memory.account.is_some() {
        let level = memory.login_bucket.take(LOGIN, turn.now())?;
        memory.change().login_bucket = level;
    }
    let account = memory.account.as_ref();
    let deactivated = account.is_some_and(|account| account.deactivated);
    Ok(PasswordHashReply {
        phc: account.and_then(|account| account.password_hash.clone()),
        deactivated,
    })
}

/// Changes the password and, as asked, logs the other devices out.
pub(crate) fn set_password(
    memory: &mut Tracked<Memory>,
    turn: &mut Turn<'_>,
    command: &SetPassword,
) -> Result<(), Failure> {
    active(memory)?;
    let sql = "UPDATE user_account SET password_hash = ?2 WHERE object = ?1";
    turn.write(sql, &[Param::Text(&command.password_hash)])?;
    if let Some(account) = memory.change().account.as_mut() {
        account.password_hash = Some(command.password_hash.clone());
    }
    if command.logout_devices {
        devices::remove_all_but(memory, turn, command.keep_device.as_deref())?;
    }
    Ok(())
}

/// Ends the account: nothing of it remains but its name and its events, and it leaves its rooms.
pub(crate) fn deactivate(memory: &mut Tracked<Memory>, turn: &mut Turn<'_>) -> Result<(), Failure> {
    let account = memory.account.as_ref().ok_or_else(no_account)?;
    if account.deactivated {
        return Ok(());
    }
    let sql = "UPDATE user_account SET password_hash = NULL, admin = 0, deactivated = 1, displayname = NULL, \
               avatar_url = NULL WHERE object = ?1";
    turn.write(sql, &[])?;
    devices::remove_all_but(memory, turn, None)?;
    turn.write("DELETE FROM user_account_data WHERE object = ?1", &[])?;
    turn.write("DELETE FROM user_filters WHERE object = ?1", &[])?;
    let rooms = memory.rooms.keys().map(|room_id| room_key(room_id)).collect();
    let user_id = turn.key().name().to_owned();
    turn.tell(
        rooms,
        &room::RoomCommand::AccountEnded(room::AccountEnded { user_id }),
    )?;
    if let Some(account) = memory.change().account.as_mut() {
        let receipt = std::mem::take(&mut account.receipt);
        let (profile, profile_number) = (Profile::default(), account.profile_number);
        *account = Account {
            password_hash: None,
            admin: false,
            deactivated: true,
            profile,
            profile_number,
            receipt,
        };
    }
    Ok(())
}

/// The account, which exists and was not ended.
pub(crate) fn active(memory: &Memory) -> Result<&Account, Refusal> {
    let account = memory.account.as_ref().ok_or_else(no_account)?;
    if account.deactivated {
        return Err(Refusal::new(
            errcode::USER_DEACTIVATED,
            "this account has been deactivated",
        ));
    }
    Ok(account)
}
