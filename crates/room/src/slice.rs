//! A room's part of sync: a piece of timeline, and the state that goes with it (spec: client-server-api §syncing).

use selvage_object::Failure;
use selvage_protocol::room::{Slice, SliceReply, Summary};
use selvage_protocol::user::WindowStart;

use crate::client_event::Writer;
use crate::error::forbidden;
use crate::receipts;
use crate::slice_state::StateReader;
use crate::summary::summary;
use crate::timeline::{Seen, Span, walk};
use crate::view::View;
use crate::visibility::Eyes;

/// The most timeline events of one answer.
const TIMELINE_MAX: usize = 1_000;
/// Before the first event that arrived in order; what was fetched from before that lies at positions up to here.
const BEGINNING: i64 = 0;

/// Answers with the newest events of the window, oldest first, and the state that the client lacks.
pub(crate) fn slice(view: View<'_>, command: &Slice) -> Result<SliceReply, Failure> {
    let eyes = Eyes::new(view, &command.viewer.user_id)?;
    if !eyes.was_in_room() && !own_membership(view, command)? {
        return Err(forbidden("you are not in this room"));
    }
    let after = match command.from {
        WindowStart::After(pos) => pos,
        WindowStart::Nothing | WindowStart::Lost => BEGINNING,
    };
    let limit = usize::try_from(command.filter.limit)
        .unwrap_or(TIMELINE_MAX)
        .min(TIMELINE_MAX);
    let span = Span {
        after,
        to: command.to,
    };
    let mut walk = walk(view, &eyes, &command.filter.timeline, span, (true, limit))?;
    walk.events.reverse();
    let prev_batch = if walk.cut { walk.reached } else { after };
    let writer = Writer {
        view,
        viewer: &command.viewer,
        with_room_id: false,
    };
    let state = StateReader {
        view,
        eyes: &eyes,
        command,
        timeline: &walk.events,
        writer,
    }
    .state()?;
    let write = |(event, membership): &Seen| writer.write(event, Some(*membership));
    let (receipts, summary) = if eyes.is_in_room() {
        let receipts = receipts::changed(view, &command.viewer.user_id, after, command.to)?;
        (receipts, changed_summary(view, command, &walk.events)?)
    } else {
        // What goes on in a room concerns those who are in it.
        (None, None)
    };
    Ok(SliceReply {
        timeline: walk.events.iter().map(write).collect::<Result<_, _>>()?,
        limited: walk.cut || command.from == WindowStart::Lost,
        prev_batch,
        state,
        receipts,
        summary,
    })
}

/// Whether the room knows the viewer at all: one who was invited and never joined sees the own membership event.
fn own_membership(view: View<'_>, command: &Slice) -> Result<bool, Failure> {
    Ok(view
        .now()?
        .id("m.room.member", &command.viewer.user_id)?
        .is_some())
}

fn changed_summary(view: View<'_>, command: &Slice, timeline: &[Seen]) -> Result<Option<Summary>, Failure> {
    let anew = !matches!(command.from, WindowStart::After(_)) || command.full_state;
    let members = timeline
        .iter()
        .any(|(stored, _)| stored.event.kind() == "m.room.member");
    if !anew && !members && view.head()?.state == view.state_after(from(command))? {
        return Ok(None);
    }
    summary(view, &command.viewer.user_id).map(Some)
}

const fn from(command: &Slice) -> i64 {
    match command.from {
        WindowStart::After(pos) => pos,
        WindowStart::Nothing | WindowStart::Lost => BEGINNING,
    }
}
