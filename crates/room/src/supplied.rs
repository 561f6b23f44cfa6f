//! States and auth chains as other servers tell them: in any order, with what authorises an event perhaps after it. What cannot
//! be taken in at once waits here, and is taken in by rising depth, as an event is deeper than what authorises it on every
//! honest server; on others, in as many goes as whoever fetches them cares to make.

use selvage_event::{CheckedEvent, Event, EventId, ReceivedEvent};
use selvage_object::{Failure, Fault, Param, Refusal, Row};
use selvage_protocol::elsewhere::{Settle, SettleReply};
use selvage_protocol::errcode;
use selvage_protocol::federation::{Outcome, ReceiveReply, Supply, Verdict};
use serde::{Deserialize, Serialize};

use crate::accept::Work;
use crate::error::{forbidden, json};
use crate::event_ref;
use crate::hex;
use crate::keys;
use crate::receive::{dropped, finish, verdict};
use crate::supply::parse;
use crate::timeline::position;

/// How many waiting events one turn looks at.
const SETTLED_PER_TURN: u64 = 250;

/// Where a go through what waits has come to: depth, time, and the event's stored id in hexadecimal digits.
#[derive(Serialize, Deserialize)]
struct Mark(i64, i64, String);

/// Takes in a piece of what authorises an event, or of the state before it; see [`Supply`].
pub(crate) fn supply(mut work: Work<'_, '_>, command: &Supply, place: &str) -> Result<ReceiveReply, Failure> {
    if work.memory.head.is_none() {
        return Err(forbidden("nothing is known of this room"));
    }
    let place = parse(place)?;
    let mut verdicts = Vec::with_capacity(command.events.len());
    let mut state = Vec::new();
    for json in &command.events {
        let received = match work.well_formed(json.get())? {
            Ok(received) => received,
            Err(verdict) => {
                verdicts.push(verdict);
                continue;
            }
        };
        let event = received.event().clone();
        let verdict = work.supply_one(received, command, &place)?;
        if command.is_state && matches!(verdict.outcome, Outcome::Outlier | Outcome::Known) {
            state.push(event);
        }
        verdicts.push(verdict);
    }
    if command.is_state {
        work.add_to_draft(&place, &state)?;
    }
    let taken = work.take_ready()?;
    finish(work, verdicts, taken)
}

/// Goes on with what waits; see [`Settle`].
pub(crate) fn settle(mut work: Work<'_, '_>, command: &Settle) -> Result<SettleReply, Failure> {
    if work.memory.head.is_none() {
        return Err(forbidden("nothing is known of this room"));
    }
    let place = parse(&command.event_id)?;
    if command.finish {
        work.forget_all_supplied(&place)?;
        let more = work.fold_some(&place)?;
        return Ok(SettleReply {
            taken: 0,
            left: 0,
            next: more.then(String::new),
        });
    }
    let rows = work.waiting_supply(&place, command.after.as_deref())?;
    let is_last = (rows.len() as u64) < SETTLED_PER_TURN;
    let mut reply = SettleReply {
        taken: 0,
        left: 0,
        next: None,
    };
    let mut state = Vec::new();
    for row in rows {
        let waiting = Waiting::read(row)?;
        match work.settle_one(&waiting)? {
            None => reply.left += 1,
            Some(event) => {
                work.forget_supplied(&place, &waiting.mark)?;
                reply.taken += 1;
                state.extend(event.filter(|_| waiting.is_state));
            }
        }
        reply.next = Some(serde_json::to_string(&waiting.mark).map_err(|error| json(&error))?);
    }
    if is_last {
        reply.next = None;
    }
    if !state.is_empty() {
        work.add_to_draft(&place, &state)?;
    }
    work.take_ready()?;
    work.finish()?;
    Ok(reply)
}

struct Waiting {
    mark: Mark,
    is_state: bool,
    keys: String,
    json: String,
}

impl Waiting {
    fn read(mut row: Row) -> Result<Self, Fault> {
        Ok(Self {
            mark: Mark(row.integer(0)?, row.integer(1)?, hex::write(&row.blob(2)?)),
            is_state: row.flag(3)?,
            keys: row.text(4)?,
            json: row.text(5)?,
        })
    }
}

impl Work<'_, '_> {
    fn supply_one(
        &mut self,
        received: ReceivedEvent,
        command: &Supply,
        place: &EventId,
    ) -> Result<Verdict, Failure> {
        let event = received.event().clone();
        if self.view().known(event.event_id())?.is_some() {
            return Ok(verdict(&event, Outcome::Known, None));
        }
        if !self.missing_auth_events_of(&event)?.is_empty() {
            self.write_supplied(&event, command, place)?;
            return Ok(verdict(&event, Outcome::Waiting, None));
        }
        let Ok(verified) = received.verify(&self.verify_keys(&command.keys));
        match verified {
            Ok(checked) => self.keep(checked),
            Err(error) => Ok(verdict(&event, Outcome::Dropped, Some(error.to_string()))),
        }
    }

    /// Takes in a waiting event. `None` when what authorises it is not here; the inner `None` when it was dropped or rejected.
    fn settle_one(&mut self, waiting: &Waiting) -> Result<Option<Option<Event>>, Failure> {
        let Ok(received) = self.well_formed(&waiting.json)? else {
            return Ok(Some(None));
        };
        let event = received.event().clone();
        if self.view().known(event.event_id())?.is_some() {
            return Ok(Some(Some(event)));
        }
        if !self.missing_auth_events_of(&event)?.is_empty() {
            return Ok(None);
        }
        let Ok(verified) = received.verify(&self.verify_keys(&keys::read(&waiting.keys)?));
        let Ok(checked) = verified else {
            return Ok(Some(None));
        };
        let kept = self.keep(checked)?.outcome == Outcome::Outlier;
        Ok(Some(kept.then_some(event)))
    }

    /// An event of this room whose signatures nobody has looked at.
    fn well_formed(&self, json: &str) -> Result<Result<ReceivedEvent, Verdict>, Fault> {
        let version = self.view().any_head()?.version;
        let received = match ReceivedEvent::parse(json.as_bytes(), version) {
            Ok(received) => received,
            Err(error) => return Ok(Err(dropped(None, error.to_string()))),
        };
        if received.event().room_id().as_str() == self.turn.key().name() {
            return Ok(Ok(received));
        }
        let id = Some(received.event().event_id().as_str().to_owned());
        Ok(Err(dropped(id, "the event is of another room".to_owned())))
    }

    fn write_supplied(&self, event: &Event, command: &Supply, place: &EventId) -> Result<(), Failure> {
        // What is in the state and in the auth chain too is in the state.
        let sql = "INSERT INTO room_supplied (object, place, depth, ts, event_id, is_state, keys, json) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (object, place, depth, ts, event_id) \
                   DO UPDATE SET is_state = max(is_state, excluded.is_state)";
        let (place, id) = (
            event_ref::pack(place.as_str()),
            event_ref::pack(event.event_id().as_str()),
        );
        let keys = keys::write(&keys::of(event, &command.keys))?;
        let params = [
            Param::Blob(&place),
            position(event.depth()),
            position(event.origin_server_ts()),
            Param::Blob(&id),
            Param::flag(command.is_state),
            Param::Text(&keys),
            Param::Text(event.json()),
        ];
        Ok(self.turn.write(sql, &params)?)
    }

    fn waiting_supply(&self, place: &EventId, after: Option<&str>) -> Result<Vec<Row>, Failure> {
        let Mark(depth, ts, id) = match after {
            None => Mark(-1, 0, String::new()),
            Some(mark) => serde_json::from_str(mark)
                .map_err(|error| Refusal::new(errcode::INVALID_PARAM, format!("{mark:?}: {error}")))?,
        };
        let sql = "SELECT depth, ts, event_id, is_state, keys, json FROM room_supplied \
                   WHERE object = ?1 AND place = ?2 AND (depth, ts, event_id) > (?3, ?4, ?5) \
                   ORDER BY depth, ts, event_id LIMIT ?6";
        let (place, id) = (event_ref::pack(place.as_str()), hex::read(&id)?);
        let params = [
            Param::Blob(&place),
            position(depth),
            position(ts),
            Param::Blob(&id),
            Param::number(SETTLED_PER_TURN),
        ];
        Ok(self.turn.rows(sql, &params)?)
    }

    fn forget_supplied(&self, place: &EventId, mark: &Mark) -> Result<(), Failure> {
        let Mark(depth, ts, id) = mark;
        let sql = "DELETE FROM room_supplied WHERE object = ?1 AND place = ?2 AND depth = ?3 AND ts = ?4 AND event_id = ?5";
        let (place, id) = (event_ref::pack(place.as_str()), hex::read(id)?);
        let params = [
            Param::Blob(&place),
            position(*depth),
            position(*ts),
            Param::Blob(&id),
        ];
        Ok(self.turn.write(sql, &params)?)
    }

    /// Forgets what still waits, for an event that has its place or whose state is all that there is of it.
    pub(crate) fn forget_all_supplied(&self, place: &EventId) -> Result<(), Failure> {
        let sql = "DELETE FROM room_supplied WHERE object = ?1 AND place = ?2";
        Ok(self
            .turn
            .write(sql, &[Param::Blob(&event_ref::pack(place.as_str()))])?)
    }

    /// The auth events of a received event that are not here, in any form.
    pub(crate) fn missing_auth_events(&self, checked: &CheckedEvent) -> Result<Vec<EventId>, Fault> {
        self.missing_auth_events_of(checked.event())
    }
}
