//! Rooms and places that other servers tell of: the state before an event comes from one of them, its events are each
//! checked here.

use selvage_event::{CheckedEvent, Event, EventId, Membership, RoomVersion};
use selvage_object::{Failure, Fault, Param, Refusal};
use selvage_protocol::elsewhere::PlaceWaiting;
use selvage_protocol::errcode;
use selvage_protocol::federation::{
    Begin, Outcome, Place, ReceiveReply, SupplyState, SupplyStateReply, Verdict,
};
use serde_json::value::RawValue;

use crate::accept::Work;
use crate::error::{forbidden, json, not_found};
use crate::event_ref;
use crate::keys;
use crate::memory::Head;
use crate::place::Placing;
use crate::receive::{finish, verdict};

/// The timer that gives a room up which was fetched and did not come to be.
pub(crate) const TIMER: &str = "fetched";
/// How long what was fetched of a room is kept for the next try to join it, in milliseconds.
const GIVEN_UP_AFTER_MS: u64 = 24 * 3_600_000;
/// What is fetched of a room before it comes to be.
const FETCHED: [&str; 7] = [
    "DELETE FROM room_others WHERE object = ?1",
    "DELETE FROM room_citations WHERE object = ?1",
    "DELETE FROM room_drafts WHERE object = ?1",
    "DELETE FROM room_entries WHERE object = ?1",
    "DELETE FROM room_supplied WHERE object = ?1",
    "DELETE FROM room_nodes WHERE object = ?1",
    "DELETE FROM room_sought WHERE object = ?1",
];

/// Begins a room that is to be fetched; see [`Begin`].
pub(crate) fn begin(mut work: Work<'_, '_>, command: &Begin) -> Result<(), Failure> {
    let version: RoomVersion = command.version.parse().map_err(|_| {
        let message = format!("room version {:?} is not supported", command.version);
        Refusal::new(errcode::UNSUPPORTED_ROOM_VERSION, message)
    })?;
    match &work.memory.head {
        Some(head) if head.version == version && (head.is_room() || head.ord > 0) => Ok(()),
        Some(head) if head.is_room() => Err(forbidden(format!("the room is of version {}", head.version))),
        _ => {
            // What was fetched as of another version makes no sense as of this one.
            work.forget_fetched(version)?;
            let due = work.turn.now().plus_ms(GIVEN_UP_AFTER_MS);
            work.turn.set_timer(TIMER, due)?;
            work.finish()
        }
    }
}

/// Forgets what was fetched of a room that did not come to be.
pub(crate) fn give_up(mut work: Work<'_, '_>) -> Result<(), Failure> {
    let version = match &work.memory.head {
        Some(head) if !head.is_room() => head.version,
        _ => return Ok(()),
    };
    work.forget_fetched(version)?;
    work.finish()
}

/// Places an event that waits; see [`PlaceWaiting`].
pub(crate) fn place_waiting(work: Work<'_, '_>, command: &PlaceWaiting) -> Result<ReceiveReply, Failure> {
    let id = parse(&command.event_id)?;
    let sql =
        "SELECT origin, history_before, keys, json FROM room_staged WHERE object = ?1 AND event_id = ?2";
    let row = work
        .turn
        .row(sql, &[Param::Blob(&event_ref::pack(id.as_str()))])?;
    let Some(mut row) = row else {
        return Err(not_found("no such event waits"));
    };
    let waiting = Place {
        origin: row.text(0)?,
        history_before: row.optional_integer(1)?,
        keys: keys::read(&row.text(2)?)?,
        event: RawValue::from_string(row.text(3)?).map_err(|error| json(&error))?,
    };
    place(work, &waiting)
}

/// Takes a piece of the state before an event; see [`SupplyState`].
pub(crate) fn supply_state(
    work: &mut Work<'_, '_>,
    command: &SupplyState,
) -> Result<SupplyStateReply, Failure> {
    let id = parse(&command.event_id)?;
    if work.memory.head.is_none() {
        return Err(forbidden("nothing is known of this room"));
    }
    let mut events = Vec::with_capacity(command.state.len());
    let mut missing = Vec::new();
    for state_id in &command.state {
        match work.view().event(&parse(state_id)?)? {
            Some(event) => events.push(event),
            None => missing.push(state_id.clone()),
        }
    }
    if missing.is_empty() {
        if command.first {
            work.begin_draft(&id)?;
        }
        work.add_to_draft(&id, &events)?;
    }
    Ok(SupplyStateReply { missing })
}

/// Places an event behind a gap; see [`Place`].
pub(crate) fn place(mut work: Work<'_, '_>, command: &Place) -> Result<ReceiveReply, Failure> {
    if work.memory.head.is_none() {
        return Err(forbidden("nothing is known of this room"));
    }
    let verdict = match work.check(&command.event, &command.keys)? {
        Ok(checked) => work.place_behind_gap(checked, command)?,
        Err(verdict) => verdict,
    };
    let taken = work.take_ready()?;
    if work.view().any_head()?.is_room() {
        work.merge_extremities()?;
    }
    if work.view().any_head()?.is_room() {
        work.seek()?;
    }
    finish(work, vec![verdict], taken)
}

pub(crate) fn parse(id: &str) -> Result<EventId, Refusal> {
    EventId::parse(id).map_err(|error| Refusal::new(errcode::INVALID_PARAM, format!("{id:?}: {error}")))
}

impl Work<'_, '_> {
    fn place_behind_gap(&mut self, checked: CheckedEvent, command: &Place) -> Result<Verdict, Failure> {
        let event = checked.event().clone();
        let id = event.event_id();
        if self.is_placed(&event)? {
            return Ok(verdict(&event, Outcome::Known, None));
        }
        let needs = self.needs(&checked)?;
        let supplied = self.supplied_state(id)?;
        if !needs.auth.is_empty() || (supplied.is_none() && !needs.prev.is_empty()) {
            let why = "the state before the event was not supplied, or auth events are not here";
            return Ok(verdict(&event, Outcome::Dropped, Some(why.to_owned())));
        }
        if event.kind() == "m.room.create" && self.is_second_create(id)? {
            let why = "the room has another create event";
            return Ok(verdict(&event, Outcome::Dropped, Some(why.to_owned())));
        }
        let placing = Placing {
            supplied,
            ..self.placing(&event, command.history_before, self.followed_at(id)?)?
        };
        let verdict = if self.enters_anew(&event)? {
            self.begin_anew(|work| work.place_or_drop(checked, placing))?
        } else {
            self.place_or_drop(checked, placing)?
        };
        if verdict.outcome != Outcome::Dropped {
            self.open_gap(id, &needs.prev)?;
        }
        self.forget_draft(id)?;
        self.forget_all_supplied(id)?;
        Ok(verdict)
    }

    /// Whether a create event is none that the room may begin with.
    fn is_second_create(&self, id: &EventId) -> Result<bool, Fault> {
        let known = self.view().known(id)?;
        Ok(self.has_create()? && known.is_none_or(|known| known.rejected))
    }

    /// Whether this server comes back into a room that it had left.
    fn enters_anew(&self, event: &Event) -> Result<bool, Failure> {
        let joins = event.membership() == Some(Membership::Join)
            && self.room.identity.is_local(event.sender().as_str());
        Ok(joins
            && self.view().any_head()?.is_room()
            && self.view().is_elsewhere(&self.room.identity.server_name)?)
    }

    /// Places an event that begins the room anew: what was known of it when this server left is no part of what it is now.
    fn begin_anew(
        &mut self,
        place: impl FnOnce(&mut Self) -> Result<Verdict, Failure>,
    ) -> Result<Verdict, Failure> {
        let before = self.memory.head.clone();
        if let Some(head) = &mut self.memory.change().head {
            head.extremities.clear();
        }
        let verdict = place(self)?;
        if verdict.outcome != Outcome::Accepted {
            let now = self.memory.head.clone();
            let ord = now.map(|head| (head.ord, head.pos));
            self.memory.change().head = before;
            if let (Some(head), Some((ord, pos))) = (&mut self.memory.change().head, ord) {
                (head.ord, head.pos) = (ord, pos);
            }
        }
        Ok(verdict)
    }

    /// Forgets all that was fetched of a room that has not come to be, but for who was invited to it.
    fn forget_fetched(&mut self, version: RoomVersion) -> Result<(), Failure> {
        for sql in FETCHED {
            self.turn.write(sql, &[])?;
        }
        let pos = self.memory.head.as_ref().map_or(0, |head| head.pos);
        let memory = self.memory.change();
        memory.head = Some(Head {
            pos,
            ..Head::empty(version)
        });
        memory.forget();
        Ok(())
    }
}
