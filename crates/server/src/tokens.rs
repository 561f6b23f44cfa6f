//! Registration tokens (spec: client-server-api §token-authenticated-registration).

use selvage_object::{Failure, Param, Refusal, Turn};
use selvage_protocol::errcode;
use selvage_protocol::server::{CreateRegistrationToken, CreateRegistrationTokenReply, UseRegistrationToken};

/// How many letters a token has: about 142 bits.
const TOKEN_LETTERS: usize = 24;

/// Makes a token.
pub(crate) fn create(
    turn: &mut Turn<'_>,
    command: &CreateRegistrationToken,
) -> Result<CreateRegistrationTokenReply, Failure> {
    let token = turn.random().letters(TOKEN_LETTERS);
    let optional = |number: Option<u64>| number.map_or(Param::Null, Param::number);
    let sql =
        "INSERT INTO registration_tokens (object, token, uses_left, expires_ms) VALUES (?1, ?2, ?3, ?4)";
    turn.write(
        sql,
        &[
            Param::Text(&token),
            optional(command.uses),
            optional(command.expires_ms),
        ],
    )?;
    Ok(CreateRegistrationTokenReply { token })
}

/// Whether the token is good for one more registration.
pub(crate) fn check(turn: &Turn<'_>, token: &str) -> Result<bool, Failure> {
    let sql = "SELECT 1 FROM registration_tokens WHERE object = ?1 AND token = ?2 \
               AND (uses_left IS NULL OR uses_left > 0) AND (expires_ms IS NULL OR expires_ms > ?3)";
    Ok(turn
        .row(sql, &[Param::Text(token), Param::number(turn.now().0)])?
        .is_some())
}

/// Spends one use of the token; the same receipt spends once.
pub(crate) fn spend(turn: &Turn<'_>, command: &UseRegistrationToken) -> Result<(), Failure> {
    let receipt = [Param::Text(&command.receipt)];
    if turn
        .row(
            "SELECT 1 FROM registration_token_uses WHERE object = ?1 AND receipt = ?2",
            &receipt,
        )?
        .is_some()
    {
        return Ok(());
    }
    if !check(turn, &command.token)? {
        return Err(Refusal::new(
            errcode::FORBIDDEN,
            "this registration token is not valid, or no longer",
        )
        .into());
    }
    turn.write(
        "INSERT INTO registration_token_uses (object, receipt) VALUES (?1, ?2)",
        &receipt,
    )?;
    let sql = "UPDATE registration_tokens SET uses_left = uses_left - 1 \
               WHERE object = ?1 AND token = ?2 AND uses_left IS NOT NULL";
    turn.write(sql, &[Param::Text(&command.token)])?;
    Ok(())
}
