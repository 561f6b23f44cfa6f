//! What users see as it comes: each event once, in order.

use std::collections::BTreeSet;

use selvage_object::Param;
use selvage_protocol::room::{Slice, SliceFilter};
use selvage_protocol::user::WindowStart;

use super::checks::id;
use super::world::World;
use crate::asks::{parsed, viewer};
use crate::plan::Checked;

/// The most events of one look; more do not come at once.
const LOOK_MAX: u32 = 1_000;
/// What no client sees.
const DUMMY: &str = "\"org.matrix.dummy_event\"";
/// What clients see when it takes effect.
const REDACTION: &str = "\"type\":\"m.room.redaction\"";

/// An event of the timeline that may be seen.
#[derive(Debug)]
pub(crate) struct Expected {
    id: String,
    /// Whether it is seen by all who see the timeline.
    always: bool,
}

impl Expected {
    /// `None` for one that no client sees.
    pub(crate) fn of(id: String, json: &str) -> Option<Self> {
        let always = !json.contains(REDACTION);
        (!json.contains(DUMMY)).then_some(Self { id, always })
    }
}

/// Whether what is seen is part of what may be, in its order; with `must` also whether nothing is missing.
pub(crate) fn is_seen(seen: &[String], expected: &[Expected], must: bool) -> bool {
    let mut seen = seen.iter().peekable();
    for expected in expected {
        let is_seen = seen.next_if(|id| **id == expected.id).is_some();
        if must && expected.always && !is_seen {
            return false;
        }
    }
    seen.next().is_none()
}

/// How far a host's users have looked.
#[derive(Default)]
pub(crate) struct Watch {
    pos: Option<i64>,
    joined: BTreeSet<String>,
    seen: BTreeSet<String>,
}

impl World {
    /// The users of a host look at what is new.
    pub(crate) fn watch(&mut self, host: usize) -> Checked {
        let newest = self.hosts[host].newest(&self.room);
        if newest == self.hosts[host].watch.pos {
            return Ok(());
        }
        let joined: BTreeSet<String> = self.hosts[host].joined(&self.room).into_iter().collect();
        let before = self.hosts[host].watch.pos;
        let stayed: Vec<String> = joined
            .intersection(&self.hosts[host].watch.joined)
            .cloned()
            .collect();
        if let (Some(after), Some(to)) = (before, newest) {
            let new = self.came(host, after)?;
            for user in stayed {
                self.look(host, &user, (after, to), &new)?;
            }
        }
        let watch = &mut self.hosts[host].watch;
        watch.pos = newest;
        watch.joined = joined;
        Ok(())
    }

    /// What came after a position, each for the first time.
    fn came(&mut self, host: usize, after: i64) -> Checked<Vec<Expected>> {
        let sql = "SELECT event_id, json FROM room_events WHERE pos > ?1 ORDER BY pos";
        let rows = self.hosts[host].rows(&self.room, sql, &[Param::Integer(after)]);
        let mut new = Vec::new();
        for mut row in rows {
            let id = id(row.blob(0).expect("an id"));
            if !self.hosts[host].watch.seen.insert(id.clone()) {
                return Err(format!("{id} came twice at {}", self.hosts[host].name()));
            }
            new.extend(Expected::of(id, &row.text(1).expect("an event")));
        }
        Ok(new)
    }

    fn look(&mut self, host: usize, user: &str, (after, to): (i64, i64), new: &[Expected]) -> Checked {
        let ask = Slice {
            viewer: viewer(user),
            from: WindowStart::After(after),
            to,
            filter: SliceFilter {
                limit: LOOK_MAX,
                ..SliceFilter::default()
            },
            full_state: false,
            state_after: false,
        };
        let slice = self.hosts[host].server.ask(&self.room, ask);
        let slice = slice.map_err(|failure| format!("{user} cannot look: {failure}"))?;
        let event_id = |event| parsed(event)["event_id"].as_str().unwrap_or_default().to_owned();
        let seen: Vec<String> = slice.timeline.iter().map(event_id).collect();
        let must = self.all_shown && !slice.limited;
        let is_right = is_seen(&seen, new, must);
        if is_right {
            Ok(())
        } else {
            Err(format!(
                "{user} sees {seen:?} where {new:?} came (limited: {})",
                slice.limited
            ))
        }
    }
}
