//! A room's part of sync: a piece of timeline, and the state that goes with it (spec: client-server-api §syncing).

use selvage_object::Failure;
use selvage_protocol::Json;
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
    let writer = Writer {
        view,
        viewer: &command.viewer,
        with_room_id: false,
    };
    let mut reader = StateReader {
        view,
        eyes: &eyes,
        command,
        timeline: walk.events,
        writer,
    };
    let reached = walk.cut.then_some(walk.reached);
    let cut = reader.cut_before_unshown_changes()?.or(reached);
    let state = reader.state()?;
    let timeline = reader.timeline;
    let write = |(event, membership): &Seen| writer.write(event, Some(*membership));
    Ok(SliceReply {
        timeline: timeline.iter().map(write).collect::<Result<_, _>>()?,
        limited: cut.is_some() || command.from == WindowStart::Lost,
        prev_batch: cut.unwrap_or(after),
        state,
        receipts: changed_receipts(view, &eyes, command, after)?,
        summary: changed_summary(view, &eyes, command, &timeline)?,
    })
}

/// The receipts of the window, for one who was in the room to its end.
fn changed_receipts(
    view: View<'_>,
    eyes: &Eyes<'_>,
    command: &Slice,
    after: i64,
) -> Result<Vec<Json>, Failure> {
    if eyes.until().is_none_or(|until| until <= command.to) {
        return Ok(Vec::new());
    }
    Ok(receipts::changed(
        view,
        &command.viewer.user_id,
        after,
        command.to,
    )?)
}

/// Whether the room knows the viewer at all: one who was invited and never joined sees the own membership event.
fn own_membership(view: View<'_>, command: &Slice) -> Result<bool, Failure> {
    Ok(view
        .now()?
        .id("m.room.member", &command.viewer.user_id)?
        .is_some())
}

/// Who is in the room now, for one who is in it.
fn changed_summary(
    view: View<'_>,
    eyes: &Eyes<'_>,
    command: &Slice,
    timeline: &[Seen],
) -> Result<Option<Summary>, Failure> {
    if !eyes.is_in_room() {
        return Ok(None);
    }
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
