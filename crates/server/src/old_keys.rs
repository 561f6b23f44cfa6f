//! Changing the signing key. The keys that the server signed with before it goes on publishing: events that they signed stay
//! signed. spec: `server-server-api §publishing-keys`

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use selvage_event::SigningKey;
use selvage_object::{Failure, Fault, Param, Row, SqlFault, Turn};
use selvage_protocol::server::{IdentityReply, OldKey, RotateKeyReply};

use crate::identity::new_key_id;

/// A key that the server does not sign with yet.
pub(crate) struct NextKey {
    key_id: String,
    seed: Vec<u8>,
}

/// The keys before.
pub(crate) fn old_keys(turn: &Turn<'_>) -> Result<Vec<OldKey>, Failure> {
    let sql = "SELECT key_id, public_key, expired_ts FROM server_old_keys WHERE object = ?1 ORDER BY key_id";
    let rows = turn.rows(sql, &[])?.into_iter().map(read);
    rows.collect::<Result<_, SqlFault>>()
        .map_err(|fault| Fault::from(fault).into())
}

fn read(mut row: Row) -> Result<OldKey, SqlFault> {
    Ok(OldKey {
        key_id: row.text(0)?,
        public_key: row.text(1)?,
        expired_ts: row.number(2)?,
    })
}

/// Makes the next key, in place of another that was made and never used.
pub(crate) fn rotate(turn: &mut Turn<'_>) -> Result<RotateKeyReply, Failure> {
    let (key_id, seed) = (new_key_id(turn), turn.random().bytes());
    turn.write(
        "INSERT OR REPLACE INTO server_next_key (object, key_id, seed) VALUES (?1, ?2, ?3)",
        &[Param::Text(&key_id), Param::Blob(&seed)],
    )?;
    Ok(RotateKeyReply { key_id })
}

/// The next key, if one was made.
pub(crate) fn next(turn: &Turn<'_>) -> Result<Option<NextKey>, Failure> {
    let row = turn.row("SELECT key_id, seed FROM server_next_key WHERE object = ?1", &[])?;
    let next = row.map(|mut row| {
        Ok::<_, SqlFault>(NextKey {
            key_id: row.text(0)?,
            seed: row.blob(1)?,
        })
    });
    Ok(next.transpose()?)
}

/// Lets the next key take the place of the present one.
pub(crate) fn replace(turn: &Turn<'_>, present: &IdentityReply, next: &NextKey) -> Result<(), Failure> {
    let public = public_key(present).ok_or_else(|| Fault::corrupt("the signing key"))?;
    turn.write(
        "INSERT INTO server_old_keys (object, key_id, public_key, expired_ts) VALUES (?1, ?2, ?3, ?4)",
        &[
            Param::Text(&present.key_id),
            Param::Text(&public),
            Param::number(turn.now().0),
        ],
    )?;
    turn.write(
        "UPDATE server_identity SET key_id = ?2, seed = ?3 WHERE object = ?1",
        &[Param::Text(&next.key_id), Param::Blob(&next.seed)],
    )?;
    Ok(turn.write("DELETE FROM server_next_key WHERE object = ?1", &[])?)
}

fn public_key(identity: &IdentityReply) -> Option<String> {
    let seed = URL_SAFE_NO_PAD.decode(&identity.seed).ok()?.try_into().ok()?;
    let key = SigningKey::from_seed(&identity.key_id, &seed).ok()?;
    Some(key.public_key_base64())
}
