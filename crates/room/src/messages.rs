//! Paging through the timeline (spec: client-server-api §get_matrixclientv3roomsroomidmessages).

use std::collections::BTreeSet;

use selvage_object::Failure;
use selvage_protocol::Json;
use selvage_protocol::room::{Messages, MessagesReply};

use crate::client_event::Writer;
use crate::error::forbidden;
use crate::timeline::{Seen, Span, Walk, position, walk};
use crate::view::View;
use crate::visibility::Eyes;

/// The most events of one page.
const PAGE_MAX: usize = 1_000;

/// One page.
pub(crate) fn messages(view: View<'_>, command: &Messages) -> Result<MessagesReply, Failure> {
    let head = view.head()?;
    let eyes = Eyes::new(view, &command.viewer.user_id)?;
    if !eyes.was_in_room() && !eyes.world_readable()? {
        return Err(forbidden("you are not in this room"));
    }
    let start = command
        .from
        .unwrap_or(if command.backwards { head.pos } else { i64::MIN });
    let span = span(command, start);
    let limit = usize::try_from(command.limit).unwrap_or(PAGE_MAX).min(PAGE_MAX);
    let walk = walk(view, &eyes, &command.filter, span, (command.backwards, limit))?;
    let writer = Writer {
        view,
        viewer: &command.viewer,
        with_room_id: true,
    };
    let chunk = walk
        .events
        .iter()
        .map(|(event, membership)| writer.write(event, Some(*membership)));
    let chunk = chunk.collect::<Result<_, _>>()?;
    let state = if command.lazy_load_members {
        senders(view, &writer, &walk.events)?
    } else {
        Vec::new()
    };
    Ok(MessagesReply {
        chunk,
        start,
        end: end(command, &walk),
        state,
        gap: gap(view, command, start, &walk)?,
    })
}

fn span(command: &Messages, start: i64) -> Span {
    if command.backwards {
        Span {
            after: command.to.unwrap_or(i64::MIN),
            to: start,
        }
    } else {
        Span {
            after: start,
            to: command.to.unwrap_or(i64::MAX),
        }
    }
}

/// Where the next page starts. Forwards there is always one: something may come.
fn end(command: &Messages, walk: &Walk) -> Option<i64> {
    (walk.cut || !command.backwards).then_some(walk.reached)
}

/// The newest gap in a page that goes back, down to where the next page begins.
fn gap(view: View<'_>, command: &Messages, start: i64, walk: &Walk) -> Result<Option<i64>, Failure> {
    if !command.backwards {
        return Ok(None);
    }
    let least = command.to.unwrap_or(i64::MIN);
    let after = if walk.cut { walk.reached } else { least };
    let sql = "SELECT max(e.pos) FROM room_gaps AS g JOIN room_events AS e \
               ON e.object = g.object AND e.event_id = g.event_id WHERE g.object = ?1 AND e.pos > ?2 AND e.pos <= ?3";
    let row = view.turn.row(sql, &[position(after), position(start)])?;
    Ok(row.map(|row| row.optional_integer(0)).transpose()?.flatten())
}

/// The membership events of those who sent the page.
fn senders(view: View<'_>, writer: &Writer<'_>, events: &[Seen]) -> Result<Vec<Json>, Failure> {
    let mut written = BTreeSet::new();
    let mut members = Vec::new();
    for (stored, _) in events {
        let sender = stored.event.sender().as_str();
        if written.insert(sender)
            && let Some(member) = view.at(stored.before).stored("m.room.member", sender)?
        {
            members.push(writer.write(&member, None)?);
        }
    }
    Ok(members)
}
