//! Events that cannot be placed yet because events that they cite are not here: kept, and taken when the last of those has
//! come.

use selvage_event::{CheckedEvent, Event, EventId};
use selvage_object::{Failure, Fault, Param, Row};
use selvage_protocol::Json;
use selvage_protocol::federation::{ServerKey, Verdict};

use crate::accept::Work;
use crate::error::json as json_fault;
use crate::event_ref;
use crate::keys;
use crate::residence::is_in_room;
use crate::timeline::position;

/// The most events of one server that wait. More are dropped; the server sends them again when it is asked for them.
pub(crate) const STAGED_PER_SERVER_MAX: u64 = 2_000;
/// The most events that wait of servers without a user in the room, of all of them together: names of servers cost nothing.
/// A server whose first events overtake the join of its user gets by with it.
const STAGED_OF_OUTSIDERS_MAX: u64 = 200;
/// How many waiting events one turn takes; the timer goes on with the rest.
const TAKEN_PER_TURN_MAX: usize = 100;
/// The timer that goes on taking.
pub(crate) const TIMER: &str = "staged";

/// What an event needs before it can be placed.
#[derive(Debug, Default)]
pub(crate) struct Needs {
    /// Predecessors whose place is not known.
    pub(crate) prev: Vec<EventId>,
    /// Auth events that are not here.
    pub(crate) auth: Vec<EventId>,
}

impl Needs {
    pub(crate) const fn is_empty(&self) -> bool {
        self.prev.is_empty() && self.auth.is_empty()
    }
}

/// A received event on its way into the room.
pub(crate) struct Incoming<'i> {
    pub(crate) checked: CheckedEvent,
    pub(crate) origin: &'i str,
    pub(crate) keys: &'i [ServerKey],
    pub(crate) history_before: Option<i64>,
}

impl Work<'_, '_> {
    /// What a received event needs that is not here.
    pub(crate) fn needs(&self, checked: &CheckedEvent) -> Result<Needs, Fault> {
        let view = self.view();
        let event = checked.event();
        let mut needs = Needs::default();
        for prev in event.prev_events() {
            if !view.has_place(prev)? {
                needs.prev.push(prev.clone());
            }
        }
        needs.auth = self.missing_auth_events(checked)?;
        Ok(needs)
    }

    /// The auth events that are not here, in any form.
    pub(crate) fn missing_auth_events_of(&self, event: &Event) -> Result<Vec<EventId>, Fault> {
        let mut cited = event.auth_events().to_vec();
        if event.rules().auth.privileged_creators && event.kind() != "m.room.create" {
            cited.push(event.room_id().to_create_event_id());
        }
        let mut missing = Vec::new();
        for id in cited {
            if self.view().known(&id)?.is_none() {
                missing.push(id);
            }
        }
        Ok(missing)
    }

    /// Whether so many events of a server wait that no other may.
    fn waits_enough(&self, origin: &str) -> Result<bool, Failure> {
        let (waiting, most) = if is_in_room(self.view(), origin)? {
            let sql = "SELECT count(*) FROM room_staged WHERE object = ?1 AND origin = ?2";
            (self.turn.row(sql, &[Param::Text(origin)])?, STAGED_PER_SERVER_MAX)
        } else {
            let sql = "SELECT count(*) FROM room_staged AS s WHERE s.object = ?1 AND NOT EXISTS \
                       (SELECT 1 FROM room_servers AS r WHERE r.object = ?1 AND r.server = s.origin AND r.joined > 0)";
            (self.turn.row(sql, &[])?, STAGED_OF_OUTSIDERS_MAX)
        };
        Ok(waiting.map(|row| row.number(0)).transpose()?.unwrap_or(0) >= most)
    }

    /// Keeps an event until what it needs has come. `false` when too many of its server wait already.
    pub(crate) fn stage(&self, incoming: &Incoming<'_>, needs: &Needs) -> Result<bool, Failure> {
        if self.waits_enough(incoming.origin)? {
            return Ok(false);
        }
        let event = incoming.checked.event();
        let id = event_ref::pack(event.event_id().as_str());
        let waits = needs.prev.iter().map(|id| (id, false));
        let waits = waits.chain(needs.auth.iter().map(|id| (id, true)));
        let mut count = 0;
        for (needed, is_auth) in waits {
            let sql =
                "INSERT OR IGNORE INTO room_waits (object, needs, is_auth, event_id) VALUES (?1, ?2, ?3, ?4)";
            let needed = event_ref::pack(needed.as_str());
            self.turn.write(
                sql,
                &[Param::Blob(&needed), Param::flag(is_auth), Param::Blob(&id)],
            )?;
            count += 1;
        }
        let sql = "INSERT INTO room_staged (object, event_id, waits, origin, history_before, keys, json) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let keys = keys::write(&keys::of(event, incoming.keys))?;
        let params = [
            Param::Blob(&id),
            Param::Integer(count),
            Param::Text(incoming.origin),
            incoming.history_before.map_or(Param::Null, position),
            Param::Text(&keys),
            Param::Text(event.json()),
        ];
        self.turn.write(sql, &params)?;
        Ok(true)
    }

    /// Whether an event waits.
    pub(crate) fn is_staged(&self, id: &EventId) -> Result<bool, Fault> {
        let sql = "SELECT 1 FROM room_staged WHERE object = ?1 AND event_id = ?2";
        let packed = event_ref::pack(id.as_str());
        Ok(self.turn.row(sql, &[Param::Blob(&packed)])?.is_some())
    }

    /// An event has come and its place is known: what waited for it waits no longer, and gaps before others close.
    pub(crate) fn arrived(&mut self, id: &EventId, ours: bool) -> Result<(), Failure> {
        if ours {
            return Ok(());
        }
        self.unstage(id)?;
        self.close_gap(id)?;
        self.release(id, false)?;
        self.release(id, true)
    }

    /// An event has come as an outlier, which is enough for those that cite it as auth event.
    pub(crate) fn arrived_as_outlier(&mut self, id: &EventId) -> Result<(), Failure> {
        self.release(id, true)
    }

    /// Releases the events that wait for one.
    fn release(&self, id: &EventId, is_auth: bool) -> Result<(), Failure> {
        let packed = event_ref::pack(id.as_str());
        let params = [Param::Blob(&packed), Param::flag(is_auth)];
        let sql = "SELECT event_id FROM room_waits WHERE object = ?1 AND needs = ?2 AND is_auth = ?3";
        let waiting = self.turn.rows(sql, &params)?;
        if waiting.is_empty() {
            return Ok(());
        }
        for mut row in waiting {
            let sql = "UPDATE room_staged SET waits = waits - 1 WHERE object = ?1 AND event_id = ?2";
            self.turn.write(sql, &[Param::Blob(&row.blob(0)?)])?;
        }
        let sql = "DELETE FROM room_waits WHERE object = ?1 AND needs = ?2 AND is_auth = ?3";
        Ok(self.turn.write(sql, &params)?)
    }

    /// Forgets that an event waits.
    fn unstage(&self, id: &EventId) -> Result<(), Failure> {
        if !self.is_staged(id)? {
            return Ok(());
        }
        let packed = event_ref::pack(id.as_str());
        let sql = "DELETE FROM room_staged WHERE object = ?1 AND event_id = ?2";
        self.turn.write(sql, &[Param::Blob(&packed)])?;
        let sql = "DELETE FROM room_waits WHERE object = ?1 AND event_id = ?2";
        Ok(self.turn.write(sql, &[Param::Blob(&packed)])?)
    }

    /// Takes events that wait no longer, and those that waited for them; says what became of each. What is too much for one
    /// turn goes on in the next.
    pub(crate) fn take_ready(&mut self) -> Result<Vec<Verdict>, Failure> {
        let mut verdicts = Vec::new();
        for _ in 0..TAKEN_PER_TURN_MAX {
            let Some(row) = self.next_ready()? else {
                return Ok(verdicts);
            };
            verdicts.push(self.take_staged(row)?);
        }
        if self.next_ready()?.is_some() {
            let now = self.turn.now();
            self.turn.set_timer(TIMER, now)?;
        }
        Ok(verdicts)
    }

    fn next_ready(&self) -> Result<Option<Row>, Failure> {
        let sql = "SELECT event_id, history_before, keys, json FROM room_staged WHERE object = ?1 AND waits = 0 LIMIT 1";
        Ok(self.turn.row(sql, &[])?)
    }

    /// Checks a waiting event again, from its bytes on as any other, and places it. One that cannot be taken is gone, and
    /// those that wait for it wait on.
    fn take_staged(&mut self, mut row: Row) -> Result<Verdict, Failure> {
        let id = event_ref::unpack(row.blob(0)?)?;
        let history_before = row.optional_integer(1)?;
        let keys = keys::read(&row.text(2)?)?;
        let json: Json = serde_json::from_str(&row.text(3)?).map_err(|error| json_fault(&error))?;
        let checked = match self.check(&json, &keys)? {
            Ok(checked) => checked,
            Err(verdict) => {
                self.unstage(&id)?;
                return Ok(verdict);
            }
        };
        let followed_at = self.followed_at(&id)?;
        let placing = self.placing(checked.event(), history_before, followed_at)?;
        self.unstage(&id)?;
        self.place_or_drop(checked, placing)
    }
}
