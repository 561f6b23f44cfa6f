//! How this server stands to a room, which may not be here.

use selvage_event::ServerName;
use selvage_object::{Failure, Param};
use selvage_protocol::elsewhere::StandingReply;

use crate::view::View;

/// The most servers of one answer: those that are asked when a room is entered or something is missing.
const SERVERS_MAX: u64 = 30;

/// See [`selvage_protocol::elsewhere::Standing`].
pub(crate) fn standing(view: View<'_>) -> Result<StandingReply, Failure> {
    let head = view.memory.head.as_ref();
    let is_room = head.is_some_and(|head| head.is_room());
    Ok(StandingReply {
        version: head.map(|head| head.version.as_str().to_owned()),
        is_here: is_room && !view.memory.locals.is_empty(),
        servers: servers(view)?,
    })
}

/// Other servers with users in the room, those with the most first.
pub(crate) fn servers(view: View<'_>) -> Result<Vec<String>, Failure> {
    let sql = "SELECT server FROM room_servers WHERE object = ?1 AND joined > 0 ORDER BY joined DESC, server LIMIT ?2";
    let rows = view.turn.rows(sql, &[Param::number(SERVERS_MAX)])?;
    let names = rows.into_iter().map(|mut row| row.text(0));
    Ok(names.collect::<Result<_, _>>()?)
}

impl View<'_> {
    /// Whether the room goes on elsewhere and not here: the last local user has left it, and others have not.
    pub(crate) fn is_elsewhere(self, own: &ServerName) -> Result<bool, Failure> {
        if !self.memory.head.as_ref().is_some_and(|head| head.is_room()) {
            return Ok(true);
        }
        if !self.memory.locals.is_empty() || servers(self)?.is_empty() {
            return Ok(false);
        }
        let sql = "SELECT 1 FROM room_servers WHERE object = ?1 AND server = ?2";
        Ok(self.turn.row(sql, &[Param::Text(own.as_str())])?.is_some())
    }
}
