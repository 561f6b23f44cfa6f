//! Which servers are in the room, and which it lets take part.

use selvage_event::acl::ACL_TYPE;
use selvage_event::{ServerAcl, ServerName};
use selvage_object::{Failure, Fault, Param, Refusal};
use selvage_protocol::errcode;

use crate::error::{forbidden, not_found};
use crate::view::View;

/// The room's version, where this server is in it; see [`selvage_protocol::federation::Residence`].
pub(crate) fn version(view: View<'_>) -> Option<String> {
    is_resident(view).then(|| {
        view.memory
            .head
            .as_ref()
            .map(|head| head.version.as_str().to_owned())
    })?
}

/// Whether a local user is in the room. Without one, what is known of it is what it was when the last left.
pub(crate) fn is_resident(view: View<'_>) -> bool {
    let is_room = view.memory.head.as_ref().is_some_and(|head| head.is_room());
    is_room && !view.memory.locals.is_empty()
}

/// Whether a user of another server is in the room now.
pub(crate) fn is_in_room(view: View<'_>, server: &str) -> Result<bool, Fault> {
    let sql = "SELECT joined FROM room_servers WHERE object = ?1 AND server = ?2";
    let row = view.turn.row(sql, &[Param::Text(server)])?;
    Ok(row.map(|row| row.integer(0)).transpose()?.unwrap_or(0) > 0)
}

/// Whether a user is a server's.
pub(crate) fn is_of(user_id: &str, server: &str) -> bool {
    user_id
        .split_once(':')
        .is_some_and(|(_, domain)| domain == server)
}

/// Refuses a room that this server is not in, as one that does not exist.
pub(crate) fn check_resident(view: View<'_>) -> Result<(), Failure> {
    if is_resident(view) {
        return Ok(());
    }
    Err(not_found("this server is not in that room"))
}

/// Refuses a server that the room does not let take part (spec: client-server-api
/// §server-access-control-lists-acls-for-rooms). The server that makes the request counts, and not those of events in it.
pub(crate) fn check_acl(view: View<'_>, server: &str) -> Result<(), Failure> {
    let name = ServerName::parse(server);
    let name = name.map_err(|error| Refusal::new(errcode::INVALID_PARAM, error.to_string()))?;
    let acl = view.now()?.event(ACL_TYPE, "")?;
    if acl.is_none_or(|acl| ServerAcl::new(acl.content()).allows(&name)) {
        return Ok(());
    }
    Err(forbidden("the room does not let your server take part"))
}
