//! The keys that the server signed with before, which it goes on publishing: events that they signed stay signed.
//! spec: `server-server-api §publishing-keys`

use selvage_object::{Failure, Fault, Row, SqlFault, Turn};
use selvage_protocol::server::OldKey;

/// All of them.
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
