//! The signing identity: made once, at the first start.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use selvage_object::{Failure, Param, Refusal, Turn};
use selvage_protocol::errcode;
use selvage_protocol::server::{Identity, IdentityReply};

use crate::old_keys;

/// How many letters a key's version has, after `ed25519:`.
const KEY_VERSION_LETTERS: usize = 6;

/// Returns the identity, making it when there is none. A key that was made since takes the place of the one before.
pub(crate) fn identity(turn: &mut Turn<'_>, command: &Identity) -> Result<IdentityReply, Failure> {
    match stored(turn)? {
        Some((name, reply)) if name == command.server_name => match old_keys::next(turn)? {
            Some(next) => {
                old_keys::replace(turn, &reply, &next)?;
                identity(turn, command)
            }
            None => Ok(reply),
        },
        Some((name, _)) => Err(wrong_name(&name, &command.server_name).into()),
        None => make(turn, &command.server_name),
    }
}

fn wrong_name(stored: &str, asked: &str) -> Refusal {
    let message = format!("these data belong to the server {stored}; they cannot serve {asked}");
    Refusal::new(errcode::INVALID_PARAM, message)
}

fn stored(turn: &Turn<'_>) -> Result<Option<(String, IdentityReply)>, Failure> {
    let sql = "SELECT server_name, key_id, seed, mac_key FROM server_identity WHERE object = ?1";
    let Some(mut row) = turn.row(sql, &[])? else {
        return Ok(None);
    };
    let (seed, mac_key) = (row.blob(2)?, row.blob(3)?);
    let old_keys = old_keys::old_keys(turn)?;
    let reply = IdentityReply {
        old_keys,
        ..answer(row.text(1)?, &seed, &mac_key)
    };
    Ok(Some((row.text(0)?, reply)))
}

fn make(turn: &mut Turn<'_>, server_name: &str) -> Result<IdentityReply, Failure> {
    let key_id = new_key_id(turn);
    let (seed, mac_key) = (turn.random().bytes(), turn.random().bytes());
    let sql = "INSERT INTO server_identity (object, server_name, key_id, seed, mac_key) VALUES (?1, ?2, ?3, ?4, ?5)";
    turn.write(
        sql,
        &[
            Param::Text(server_name),
            Param::Text(&key_id),
            Param::Blob(&seed),
            Param::Blob(&mac_key),
        ],
    )?;
    Ok(answer(key_id, &seed, &mac_key))
}

/// A key id that was, in all likelihood, never used.
pub(crate) fn new_key_id(turn: &mut Turn<'_>) -> String {
    format!("ed25519:{}", turn.random().letters(KEY_VERSION_LETTERS))
}

fn answer(key_id: String, seed: &[u8], mac_key: &[u8]) -> IdentityReply {
    IdentityReply {
        key_id,
        seed: URL_SAFE_NO_PAD.encode(seed),
        mac_key: URL_SAFE_NO_PAD.encode(mac_key),
        old_keys: Vec::new(),
    }
}
