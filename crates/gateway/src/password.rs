//! Passwords: hashed with Argon2id, in a place where that does not hold up others.

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use selvage_protocol::errcode;

use crate::{ApiError, Gateway, Host};

/// The passes over the memory.
const PASSES: u32 = 2;
const LANES: u32 = 1;
const SALT_BYTES: usize = 16;
/// The longest password, in bytes.
const PASSWORD_MAX_BYTES: usize = 512;

/// Refuses passwords that nobody should have.
pub(crate) fn check(password: &str) -> Result<(), ApiError> {
    if password.is_empty() {
        return Err(ApiError::new(errcode::WEAK_PASSWORD, "the password is empty"));
    }
    if password.len() > PASSWORD_MAX_BYTES {
        let message = format!("the password is longer than {PASSWORD_MAX_BYTES} bytes");
        return Err(ApiError::invalid_param(message));
    }
    Ok(())
}

/// The hash of a new password, as a PHC string.
pub(crate) async fn hash<H: Host>(gateway: &Gateway<H>, password: &str) -> Result<String, ApiError> {
    check(password)?;
    let (password, salt) = (password.to_owned(), gateway.host().random());
    let argon2 = argon2(gateway.settings().password_hash_memory_kib);
    let work = move || -> Result<String, argon2::password_hash::Error> {
        let salt = salt.get(..SALT_BYTES).unwrap_or(&salt);
        let hash: PasswordHash = argon2?.hash_password_with_salt(password.as_bytes(), salt)?;
        Ok(hash.to_string())
    };
    gateway.host().compute(work).await.map_err(ApiError::internal)
}

/// Whether the password is that of the hash. Where there is no hash, the same work is done and the answer is no, so that
/// the time tells nobody which accounts there are.
pub(crate) async fn verify<H: Host>(
    gateway: &Gateway<H>,
    phc: Option<String>,
    password: &str,
) -> Result<bool, ApiError> {
    if password.len() > PASSWORD_MAX_BYTES {
        return Ok(false);
    }
    let password = password.to_owned();
    let argon2 = argon2(gateway.settings().password_hash_memory_kib);
    let work = move || -> Result<bool, argon2::password_hash::Error> {
        let argon2 = argon2?;
        let Some(phc) = phc else {
            let _: PasswordHash = argon2.hash_password_with_salt(password.as_bytes(), &[0; SALT_BYTES])?;
            return Ok(false);
        };
        let hash = PasswordHash::new(&phc).map_err(|_| argon2::password_hash::Error::EncodingInvalid)?;
        match argon2.verify_password(password.as_bytes(), &hash) {
            Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
            other => other.map(|()| true),
        }
    };
    gateway.host().compute(work).await.map_err(ApiError::internal)
}

fn argon2(memory_kib: u32) -> Result<Argon2<'static>, argon2::password_hash::Error> {
    let params = Params::new(memory_kib, PASSES, LANES, None)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}
