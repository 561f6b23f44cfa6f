//! What this server sends to others: what its users sent, and what came through it. A server gets what happened while it was in
//! the room, and how its users were put out of it.

use selvage_event::Membership;
use selvage_object::{Failure, Fault, Param, Row};
use selvage_protocol::Json;
use selvage_protocol::elsewhere::CatchUp;
use selvage_protocol::federation::{Outgoing, OutgoingReply};

use crate::client_event;
use crate::object::RoomObject;
use crate::residence::is_in_room;
use crate::serve::raw;
use crate::server_eyes::ServerEyes;
use crate::timeline::position;
use crate::view::{EVENT_COLUMNS, StoredEvent, View};

/// How many rows one answer looks at.
const LOOKED_AT_MAX: u32 = 500;
/// The most forward extremities that a server gets to catch up from: it asks for what lies before them.
const CAUGHT_UP_WITH_MAX: usize = 10;

/// The most events that a server gets at once which has left the room.
const ALL_AT_ONCE: u32 = 50;

/// The positions between which a server was last in the room.
struct Stay {
    since: i64,
    /// `None` while it is.
    until: Option<i64>,
}

impl Stay {
    fn has(&self, pos: i64) -> bool {
        self.since <= pos && self.until.is_none_or(|until| pos <= until)
    }
}

/// Who asks for what was sent.
struct Reader<'a> {
    room: &'a RoomObject,
    server: &'a str,
    stay: Option<Stay>,
}

impl<'a> Reader<'a> {
    fn new(room: &'a RoomObject, view: View<'_>, server: &'a str) -> Result<Self, Failure> {
        Ok(Self {
            room,
            server,
            stay: stay(view, server)?,
        })
    }

    /// Whether an event goes to the server.
    fn wants(&self, stored: &StoredEvent, is_relayed: bool) -> bool {
        let event = &stored.event;
        let is_local = self.room.identity.is_local(event.sender().as_str());
        if event.sender().domain() == self.server || !(is_local || is_relayed) {
            return false;
        }
        let is_target = || {
            event
                .state_key()
                .is_some_and(|user_id| self.is_of_server(user_id))
        };
        let removes = matches!(event.membership(), Some(Membership::Leave | Membership::Ban));
        self.stay.as_ref().is_some_and(|stay| stay.has(stored.pos)) || (removes && is_target())
    }

    fn is_of_server(&self, user_id: &str) -> bool {
        user_id
            .split_once(':')
            .is_some_and(|(_, server)| server == self.server)
    }

    fn read(&self, view: View<'_>, row: &mut Row) -> Result<(i64, Option<Json>), Failure> {
        let is_relayed = row.flag(EVENT_COLUMNS)?;
        let stored = view.stored_event(row)?;
        if !self.wants(&stored, is_relayed) {
            return Ok((stored.pos, None));
        }
        // What was redacted meanwhile is not sent to those who have not got it.
        Ok((stored.pos, Some(raw(&client_event::shown(&stored)?)?)))
    }
}

/// What a server is to get; see [`Outgoing`].
pub(crate) fn outgoing(
    room: &RoomObject,
    view: View<'_>,
    command: &Outgoing,
) -> Result<OutgoingReply, Failure> {
    view.head()?;
    let reader = Reader::new(room, view, &command.server)?;
    let sql = "SELECT pos, event_id, json, state, txn, redacted_by, EXISTS \
               (SELECT 1 FROM room_relayed AS r WHERE r.object = ?1 AND r.pos = e.pos) FROM room_events AS e \
               WHERE object = ?1 AND pos > ?2 AND pos > 0 AND pos <= ?4 ORDER BY pos LIMIT ?3";
    let up_to = position(command.up_to.unwrap_or(i64::MAX));
    let params = [
        position(command.after),
        Param::number(LOOKED_AT_MAX.into()),
        up_to,
    ];
    let mut reply = OutgoingReply {
        events: Vec::new(),
        up_to: command.after,
    };
    let limit = usize::try_from(command.limit).unwrap_or(usize::MAX);
    for mut row in view.turn.rows(sql, &params)? {
        if reply.events.len() >= limit {
            break;
        }
        let (pos, event) = reader.read(view, &mut row)?;
        reply.events.extend(event);
        reply.up_to = pos;
    }
    Ok(reply)
}

/// The newest that a server is to get; see [`CatchUp`].
pub(crate) fn catch_up(
    room: &RoomObject,
    view: View<'_>,
    command: &CatchUp,
) -> Result<OutgoingReply, Failure> {
    let up_to = view.head()?.pos.max(command.after);
    if up_to == command.after {
        return Ok(OutgoingReply {
            events: Vec::new(),
            up_to,
        });
    }
    if is_in_room(view, &command.server)? {
        let events = extremities(view, &command.server)?;
        return Ok(OutgoingReply { events, up_to });
    }
    // One that is no longer in the room is given nothing that it asks for, so it gets all that it was to get.
    let all = Outgoing {
        server: command.server.clone(),
        after: command.after,
        up_to: None,
        limit: ALL_AT_ONCE,
    };
    outgoing(room, view, &all)
}

fn extremities(view: View<'_>, server: &str) -> Result<Vec<Json>, Failure> {
    let eyes = ServerEyes::new(view, server)?;
    let mut events = Vec::new();
    for extremity in view.head()?.extremities.iter().rev().take(CAUGHT_UP_WITH_MAX) {
        let stored = view.stored_by_id(extremity.id.as_str())?;
        let stored =
            stored.ok_or_else(|| Fault::corrupt("a forward extremity that is not in the timeline"))?;
        if stored.event.sender().domain() != server {
            let is_redacted = stored.redacted_by.is_some();
            events.push(raw(&eyes.show(
                &stored.event,
                Some(stored.before),
                is_redacted,
            )?)?);
        }
    }
    Ok(events)
}

fn stay(view: View<'_>, server: &str) -> Result<Option<Stay>, Failure> {
    let sql = "SELECT since, CASE WHEN joined > 0 THEN NULL ELSE until END FROM room_servers \
               WHERE object = ?1 AND server = ?2";
    let row = view.turn.row(sql, &[Param::Text(server)])?;
    row.map(|row| {
        Ok(Stay {
            since: row.integer(0)?,
            until: row.optional_integer(1)?,
        })
    })
    .transpose()
}
