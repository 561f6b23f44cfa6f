//! Reading single events and the state.

use selvage_object::Failure;
use selvage_protocol::Json;
use selvage_protocol::room::{GetEvent, GetEventReply, GetState, GetStateEvent};

use crate::client_event::Writer;
use crate::error::{forbidden, not_found, trie};
use crate::members::stored;
use crate::trie::State;
use crate::view::View;
use crate::visibility::Eyes;

/// The state that a user may see.
pub(crate) struct Readable {
    pub(crate) state: State,
    /// The position it is of, for one who has left; `None` for now.
    pub(crate) until: Option<i64>,
}

/// The state now for those in the room and where anybody may read; as it was when they left for those who were in it.
pub(crate) fn state_for(view: View<'_>, user_id: &str) -> Result<Readable, Failure> {
    let head = view.head()?;
    let eyes = Eyes::new(view, user_id)?;
    if eyes.is_in_room() || eyes.world_readable()? {
        return Ok(Readable {
            state: head.state,
            until: None,
        });
    }
    match eyes.until() {
        Some(until) => Ok(Readable {
            state: view.state_after(until)?,
            until: Some(until),
        }),
        None => Err(forbidden("you are not in this room")),
    }
}

/// One event, if the viewer may see it.
pub(crate) fn event(view: View<'_>, command: &GetEvent) -> Result<GetEventReply, Failure> {
    let nothing = || not_found("no such event, or you may not see it");
    view.memory.head.as_ref().ok_or_else(nothing)?;
    let event = view.stored_by_id(&command.event_id)?.ok_or_else(nothing)?;
    let eyes = Eyes::new(view, &command.viewer.user_id)?;
    let (sees, membership) = eyes.see(&event)?;
    if !sees {
        return Err(nothing());
    }
    let writer = Writer {
        view,
        viewer: &command.viewer,
        with_room_id: true,
    };
    Ok(GetEventReply {
        event: writer.write(&event, Some(membership))?,
        pos: event.pos,
    })
}

/// The whole state.
pub(crate) fn state(view: View<'_>, command: &GetState) -> Result<Vec<Json>, Failure> {
    let state = state_for(view, &command.viewer.user_id)?.state;
    let writer = Writer {
        view,
        viewer: &command.viewer,
        with_room_id: true,
    };
    let nodes = view.nodes();
    let mut events = Vec::new();
    for entry in state.entries(&nodes).map_err(trie)? {
        let event = stored(view, &entry.map_err(trie)?.event_id())?;
        events.push(writer.write(&event, None)?);
    }
    Ok(events)
}

/// One state event.
pub(crate) fn state_event(view: View<'_>, command: &GetStateEvent) -> Result<Json, Failure> {
    let state = state_for(view, &command.viewer.user_id)?.state;
    let event = view.at(state).stored(&command.kind, &command.state_key)?;
    let event = event.ok_or_else(|| not_found("the room has no such state"))?;
    Writer {
        view,
        viewer: &command.viewer,
        with_room_id: true,
    }
    .write(&event, None)
}
