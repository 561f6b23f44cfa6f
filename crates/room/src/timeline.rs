//! Walking the timeline as one user sees it.

use selvage_event::Membership;
use selvage_object::{Failure, INTEGER_MAX, Param, Row, SqlFault};
use selvage_protocol::room::EventFilter;

use crate::filter::wants;
use crate::view::{StoredEvent, View};
use crate::visibility::Eyes;

/// How many events one answer looks at before it stops, though it found fewer than asked for.
const LOOKED_AT_MAX: usize = 1_000;
/// The most events that are read at a time.
const READ_AT_ONCE_MAX: usize = 64;

const BACK: &str = "SELECT pos, event_id, json, state, txn, redacted_by FROM room_events \
                    WHERE object = ?1 AND pos > ?2 AND pos <= ?3 ORDER BY pos DESC LIMIT ?4";
const FORTH: &str = "SELECT pos, event_id, json, state, txn, redacted_by FROM room_events \
                     WHERE object = ?1 AND pos > ?2 AND pos <= ?3 ORDER BY pos LIMIT ?4";

/// A part of the room's order: after `after`, up to `to`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) after: i64,
    pub(crate) to: i64,
}

/// A position that a reader named, brought within what storage takes.
pub(crate) fn position(pos: i64) -> Param<'static> {
    Param::Integer(pos.clamp(-INTEGER_MAX, INTEGER_MAX))
}

/// An event that the viewer sees, and the viewer's membership at it.
pub(crate) type Seen = (StoredEvent, Membership);

/// What a walk found.
pub(crate) struct Walk {
    /// The events, in the order of the walk.
    pub(crate) events: Vec<Seen>,
    /// Whether the walk ended before the span did.
    pub(crate) cut: bool,
    /// The position up to which it looked, on its side: everything between the start and here was looked at.
    pub(crate) reached: i64,
}

/// Walks the span, backwards or forwards, and collects at most `limit` events that the viewer sees and wants.
pub(crate) fn walk(
    view: View<'_>,
    eyes: &Eyes<'_>,
    filter: &EventFilter,
    span: Span,
    (backwards, limit): (bool, usize),
) -> Result<Walk, Failure> {
    let mut walk = Walk {
        events: Vec::new(),
        cut: false,
        reached: if backwards { span.to } else { span.after },
    };
    let mut left = span;
    let mut looked_at = 0;
    let at_once = (limit + 1).min(READ_AT_ONCE_MAX);
    loop {
        let rows = page(view, left, backwards, at_once)?;
        let all_read = rows.len() < at_once;
        for mut row in rows {
            let stored = view.stored_event(&mut row)?;
            if walk.events.len() >= limit || looked_at >= LOOKED_AT_MAX {
                walk.cut = true;
                return Ok(walk);
            }
            looked_at += 1;
            walk.reached = if backwards { stored.pos - 1 } else { stored.pos };
            let (sees, membership) = eyes.see(&stored)?;
            if sees && wants(filter, &stored.event) {
                walk.events.push((stored, membership));
            }
        }
        if all_read {
            return Ok(walk);
        }
        *(if backwards { &mut left.to } else { &mut left.after }) = walk.reached;
    }
}

/// Reads the next rows of what is left of a span.
fn page(view: View<'_>, left: Span, backwards: bool, rows: usize) -> Result<Vec<Row>, SqlFault> {
    let params = [
        position(left.after),
        position(left.to),
        Param::number(rows as u64),
    ];
    view.turn.rows(if backwards { BACK } else { FORTH }, &params)
}
