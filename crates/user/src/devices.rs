//! Devices and their access tokens, which are known by their hashes only.

use selvage_object::{Failure, Param, Refusal, SqlFault, Tracked, Turn};
use selvage_protocol::errcode;
use selvage_protocol::user::{Authenticate, Login, Session};

use crate::account;
use crate::buckets::{Level, rate};
use crate::memory::Memory;

/// The most devices of one user. At the limit a login is refused until some are logged out.
const DEVICES_MAX: usize = 10_000;

/// Who holds the token; counts the request where that is asked.
pub(crate) fn authenticate(
    memory: &mut Tracked<Memory>,
    turn: &Turn<'_>,
    command: &Authenticate,
) -> Result<Session, Failure> {
    let session = session(memory, turn, &command.token_hash)?;
    if let Some(bucket) = command.bucket {
        let level = memory
            .buckets
            .get(&bucket)
            .copied()
            .unwrap_or_else(Level::default);
        let level = level.take(rate(bucket), turn.now())?;
        memory.change().buckets.insert(bucket, level);
    }
    Ok(session)
}

/// Who holds the token.
pub(crate) fn session(memory: &Memory, turn: &Turn<'_>, token_hash: &str) -> Result<Session, Refusal> {
    let unknown = || {
        Refusal::new(
            errcode::UNKNOWN_TOKEN,
            "this access token is not known, or no longer",
        )
    };
    let device_id = memory.sessions.get(token_hash).ok_or_else(unknown)?;
    let account = account::active(memory).map_err(|_| unknown())?;
    Ok(Session {
        user_id: turn.key().name().to_owned(),
        device_id: device_id.clone(),
        admin: account.admin,
        profile: account.profile.clone(),
    })
}

/// Adds a device or takes one over; its earlier token ends (spec: client-server-api §login).
pub(crate) fn login(
    memory: &mut Tracked<Memory>,
    turn: &Turn<'_>,
    command: &Login,
) -> Result<Session, Failure> {
    account::active(memory)?;
    if memory.sessions.len() >= DEVICES_MAX {
        return Err(Refusal::new(
            errcode::FORBIDDEN,
            "this user has too many devices; log some out first",
        )
        .into());
    }
    let sql = "INSERT INTO user_devices (object, device_id, display_name, token_hash, created_ms) \
               VALUES (?1, ?2, ?3, ?4, ?5) \
               ON CONFLICT (object, device_id) DO UPDATE SET token_hash = excluded.token_hash";
    let name = Param::optional_text(command.initial_device_display_name.as_deref());
    let (device, token) = (Param::Text(&command.device_id), Param::Text(&command.token_hash));
    turn.write(sql, &[device, name, token, Param::number(turn.now().0)])?;
    let sessions = &mut memory.change().sessions;
    sessions.retain(|_, device| *device != command.device_id);
    sessions.insert(command.token_hash.clone(), command.device_id.clone());
    Ok(session(memory, turn, &command.token_hash)?)
}

/// Removes one device, or all of them.
pub(crate) fn logout(
    memory: &mut Tracked<Memory>,
    turn: &mut Turn<'_>,
    device: Option<&str>,
) -> Result<(), Failure> {
    let Some(device) = device else {
        return Ok(remove_all_but(memory, turn, None)?);
    };
    turn.write(
        "DELETE FROM user_devices WHERE object = ?1 AND device_id = ?2",
        &[Param::Text(device)],
    )?;
    memory.change().sessions.retain(|_, kept| kept != device);
    wake_waiting(memory, turn);
    Ok(())
}

/// Removes all devices but one.
pub(crate) fn remove_all_but(
    memory: &mut Tracked<Memory>,
    turn: &mut Turn<'_>,
    keep: Option<&str>,
) -> Result<(), SqlFault> {
    // No device has an empty id: then all of them go.
    let keep = keep.unwrap_or_default();
    turn.write(
        "DELETE FROM user_devices WHERE object = ?1 AND device_id <> ?2",
        &[Param::Text(keep)],
    )?;
    memory.change().sessions.retain(|_, device| device == keep);
    wake_waiting(memory, turn);
    Ok(())
}

/// A sync that waits with a token that has ended must not wait on.
fn wake_waiting(memory: &mut Tracked<Memory>, turn: &mut Turn<'_>) {
    let version = memory.change().raise_version(turn.now());
    turn.wake(version);
}
