//! The members of a room.

use selvage_event::{EventId, Membership};
use selvage_object::{Failure, Fault};
use selvage_protocol::room::{Members, MembershipOf};
use selvage_protocol::{Json, user};

use crate::accept::spoken;
use crate::client_event::Writer;
use crate::error::trie;
use crate::read::state_for;
use crate::residence::is_resident;
use crate::trie::State;
use crate::view::{StoredEvent, View};

/// The membership events that the viewer may see (spec: client-server-api §get_matrixclientv3roomsroomidmembers).
pub(crate) fn members(view: View<'_>, command: &Members) -> Result<Vec<Json>, Failure> {
    let latest = state_for(view, &command.viewer.user_id)?;
    let state = match command.at {
        Some(pos) if latest.until.is_none_or(|until| pos <= until) => view.state_after(pos)?,
        _ => latest.state,
    };
    let writer = Writer {
        view,
        viewer: &command.viewer,
        with_room_id: true,
    };
    let mut members = Vec::new();
    each(view, state, &mut |stored| {
        let membership = stored.event.membership().unwrap_or(Membership::Leave);
        let is = spoken(membership);
        if command.membership.is_none_or(|wanted| wanted == is) && command.not_membership != Some(is) {
            members.push(writer.write(&stored, None)?);
        }
        Ok(())
    })?;
    Ok(members)
}

/// A user's membership now; see [`MembershipOf`].
pub(crate) fn of(view: View<'_>, command: &MembershipOf) -> Result<Option<user::Membership>, Failure> {
    if !is_resident(view) {
        return Ok(None);
    }
    Ok(Some(spoken(view.now()?.membership(&command.user_id)?)))
}

/// Gives each membership event of a state to `take`.
pub(crate) fn each(
    view: View<'_>,
    state: State,
    take: &mut dyn FnMut(StoredEvent) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let nodes = view.nodes();
    for entry in state
        .entries_of_type(&nodes, "m.room.member", None)
        .map_err(trie)?
    {
        let entry = entry.map_err(trie)?;
        take(stored(view, &entry.event_id())?)?;
    }
    Ok(())
}

/// The stored event that a state names.
pub(crate) fn stored(view: View<'_>, event_id: &str) -> Result<StoredEvent, Fault> {
    let id = EventId::parse(event_id).map_err(|error| Fault::corrupt(error.to_string()))?;
    view.stored_in_state(&id)?
        .ok_or_else(|| Fault::corrupt(format!("event {id} is not stored")))
}
