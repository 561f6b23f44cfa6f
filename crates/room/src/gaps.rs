//! What is missing: events that others wait for, and the predecessors of events that were placed behind a gap.

use std::collections::BTreeMap;

use selvage_event::EventId;
use selvage_object::{Failure, Fault, Param};
use selvage_protocol::federation::{Edge, Edges, MissingEvent, MissingReply};

use crate::accept::Work;
use crate::event_ref;
use crate::standing;
use crate::timeline::position;
use crate::view::View;

/// The most missing events of one answer.
const MISSING_MAX: u64 = 200;
/// The most gaps of one answer.
const EDGES_MAX: u64 = 200;

/// What the room waits for; see [`selvage_protocol::federation::Missing`].
pub(crate) fn missing(view: View<'_>) -> Result<MissingReply, Failure> {
    let head = view.head()?;
    let sql = "SELECT w.needs, w.is_auth, w.event_id, s.origin FROM room_waits AS w \
               JOIN room_staged AS s ON s.object = w.object AND s.event_id = w.event_id \
               WHERE w.object = ?1 AND s.history_before IS NULL AND NOT EXISTS \
               (SELECT 1 FROM room_staged AS here WHERE here.object = ?1 AND here.event_id = w.needs) AND NOT EXISTS \
               (SELECT 1 FROM room_sought AS t WHERE t.object = ?1 AND t.event_id = w.needs AND t.due > ?3) LIMIT ?2";
    let params = [Param::number(MISSING_MAX), Param::number(view.turn.now().0)];
    let mut events: BTreeMap<String, MissingEvent> = BTreeMap::new();
    for mut row in view.turn.rows(sql, &params)? {
        let event_id = event_ref::unpack(row.blob(0)?)?.as_str().to_owned();
        let is_auth = row.flag(1)?;
        let missing = MissingEvent {
            event_id: event_id.clone(),
            needed_by: event_ref::unpack(row.blob(2)?)?.as_str().to_owned(),
            origin: row.text(3)?,
            is_auth,
        };
        let known = events.entry(event_id).or_insert(missing);
        // One that is needed as a predecessor must come with its place.
        known.is_auth &= is_auth;
    }
    Ok(MissingReply {
        events: events.into_values().collect(),
        extremities: head
            .extremities
            .iter()
            .map(|extremity| extremity.id.as_str().to_owned())
            .collect(),
        version: head.version.as_str().to_owned(),
        servers: standing::servers(view)?,
    })
}

/// The gaps, the newest first; see [`Edges`].
pub(crate) fn edges(view: View<'_>, command: &Edges) -> Result<Vec<Edge>, Failure> {
    view.head()?;
    let sql = "SELECT g.event_id, e.pos, json_group_array(hex(g.missing)) FROM room_gaps AS g \
               LEFT JOIN room_events AS e ON e.object = g.object AND e.event_id = g.event_id \
               WHERE g.object = ?1 AND (e.pos IS NULL OR e.pos <= ?2) \
               GROUP BY g.event_id ORDER BY e.pos DESC LIMIT ?3";
    let before = position(command.before.unwrap_or(i64::MAX));
    let mut edges = Vec::new();
    for mut row in view.turn.rows(sql, &[before, Param::number(EDGES_MAX)])? {
        edges.push(Edge {
            event_id: event_ref::unpack(row.blob(0)?)?.as_str().to_owned(),
            pos: row.optional_integer(1)?,
            missing: unpack_all(&row.text(2)?)?,
        });
    }
    Ok(edges)
}

/// Reads a JSON list of stored ids in hexadecimal digits.
fn unpack_all(list: &str) -> Result<Vec<String>, Fault> {
    let list: Vec<String> = serde_json::from_str(list).map_err(|error| Fault::corrupt(error.to_string()))?;
    let unpack = |digits: &String| {
        let bytes = crate::hex::read(digits)?;
        Ok(event_ref::unpack(bytes)?.as_str().to_owned())
    };
    list.iter().map(unpack).collect()
}

impl Work<'_, '_> {
    /// Whether events wait for others that are not here.
    pub(crate) fn is_incomplete(&self) -> Result<bool, Fault> {
        let sql = "SELECT 1 FROM room_staged WHERE object = ?1 AND waits > 0 LIMIT 1";
        Ok(self.turn.row(sql, &[])?.is_some())
    }

    /// Whether something in the timeline follows this event, which is not here yet. What was refused or failed softly follows
    /// nothing: else anybody could keep an event from becoming a forward extremity.
    pub(crate) fn is_followed(&self, id: &EventId) -> Result<bool, Fault> {
        let sql = "SELECT 1 FROM room_gaps AS g JOIN room_events AS e \
                   ON e.object = g.object AND e.event_id = g.event_id \
                   WHERE g.object = ?1 AND g.missing = ?2 LIMIT 1";
        let packed = event_ref::pack(id.as_str());
        Ok(self.turn.row(sql, &[Param::Blob(&packed)])?.is_some())
    }

    /// An event of the timeline follows one that is not in it: what is missing before that one is missing before it too.
    pub(crate) fn take_over_gaps(&self, of: &EventId, by: &EventId) -> Result<(), Failure> {
        let sql = "SELECT missing FROM room_gaps WHERE object = ?1 AND event_id = ?2";
        let of = event_ref::pack(of.as_str());
        let by = event_ref::pack(by.as_str());
        for mut row in self.turn.rows(sql, &[Param::Blob(&of)])? {
            let sql = "INSERT OR IGNORE INTO room_gaps (object, missing, event_id) VALUES (?1, ?2, ?3)";
            self.turn
                .write(sql, &[Param::Blob(&row.blob(0)?), Param::Blob(&by)])?;
        }
        Ok(())
    }

    /// Marks that predecessors of an event are not here.
    pub(crate) fn open_gap(&self, id: &EventId, missing: &[EventId]) -> Result<(), Failure> {
        let id = event_ref::pack(id.as_str());
        for missing in missing {
            let sql = "INSERT OR IGNORE INTO room_gaps (object, missing, event_id) VALUES (?1, ?2, ?3)";
            let missing = event_ref::pack(missing.as_str());
            self.turn.write(sql, &[Param::Blob(&missing), Param::Blob(&id)])?;
        }
        Ok(())
    }

    /// A predecessor that was missing has come.
    pub(crate) fn close_gap(&self, id: &EventId) -> Result<(), Failure> {
        let packed = event_ref::pack(id.as_str());
        let sql = "SELECT 1 FROM room_gaps WHERE object = ?1 AND missing = ?2 LIMIT 1";
        if self.turn.row(sql, &[Param::Blob(&packed)])?.is_none() {
            return Ok(());
        }
        let sql = "DELETE FROM room_gaps WHERE object = ?1 AND missing = ?2";
        Ok(self.turn.write(sql, &[Param::Blob(&packed)])?)
    }
}
