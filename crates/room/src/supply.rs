//! Rooms and places that other servers tell of: the state before an event comes from one of them, its events are each
//! checked here.

use selvage_event::{CheckedEvent, EventId, RoomVersion};
use selvage_object::{Failure, Fault, Param, Refusal};
use selvage_protocol::errcode;
use selvage_protocol::federation::{
    Begin, Outcome, Place, ReceiveReply, SupplyState, SupplyStateReply, Verdict,
};

use crate::accept::Work;
use crate::error::{forbidden, trie};
use crate::event_ref;
use crate::memory::{self, Head};
use crate::place::Placing;
use crate::receive::{finish, verdict};
use crate::trie::{Change, State};

/// Begins a room that is to be fetched; see [`Begin`].
pub(crate) fn begin(work: Work<'_, '_>, command: &Begin) -> Result<(), Failure> {
    let version: RoomVersion = command.version.parse().map_err(|_| {
        let message = format!("room version {:?} is not supported", command.version);
        Refusal::new(errcode::UNSUPPORTED_ROOM_VERSION, message)
    })?;
    match &work.memory.head {
        Some(head) if head.version == version => Ok(()),
        Some(head) if head.is_room() => Err(forbidden(format!("the room is of version {}", head.version))),
        _ => {
            work.memory.change().head = Some(Head::empty(version));
            work.finish()
        }
    }
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
    let draft = if command.first { None } else { work.draft(&id)? };
    let mut changes = Vec::with_capacity(command.state.len());
    let mut missing = Vec::new();
    for state_id in &command.state {
        let Some(event) = work.view().event(&parse(state_id)?)? else {
            missing.push(state_id.clone());
            continue;
        };
        if work.is_usable_state(&event)?
            && let Some(state_key) = event.state_key()
        {
            let change = Change::set(event.kind(), state_key, event.event_id().as_str());
            changes.push(change.map_err(trie)?);
        }
    }
    if !missing.is_empty() {
        return Ok(SupplyStateReply { missing });
    }
    let state = draft.unwrap_or(State::EMPTY);
    let state = state.apply(&mut work.view().nodes(), changes).map_err(trie)?;
    work.write_draft(&id, state)?;
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
    finish(work, vec![verdict], taken)
}

fn parse(id: &str) -> Result<EventId, Refusal> {
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
        let supplied = self.draft(id)?;
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
        let verdict = self.place_or_drop(checked, placing)?;
        if verdict.outcome != Outcome::Dropped {
            self.open_gap(id, &needs.prev)?;
        }
        self.forget_draft(id)?;
        Ok(verdict)
    }

    /// Whether a create event is none that the room may begin with.
    fn is_second_create(&self, id: &EventId) -> Result<bool, Fault> {
        let known = self.view().known(id)?;
        Ok(self.has_create()? && known.is_none_or(|known| known.rejected))
    }

    fn draft(&self, id: &EventId) -> Result<Option<State>, Fault> {
        let sql = "SELECT state FROM room_drafts WHERE object = ?1 AND event_id = ?2";
        let packed = event_ref::pack(id.as_str());
        let row = self.turn.row(sql, &[Param::Blob(&packed)])?;
        row.map(|mut row| memory::state(&row.blob(0)?)).transpose()
    }

    fn write_draft(&self, id: &EventId, state: State) -> Result<(), Failure> {
        let sql = "INSERT OR REPLACE INTO room_drafts (object, event_id, state) VALUES (?1, ?2, ?3)";
        let packed = event_ref::pack(id.as_str());
        let root = state.root();
        Ok(self
            .turn
            .write(sql, &[Param::Blob(&packed), Param::Blob(root.as_bytes())])?)
    }

    fn forget_draft(&self, id: &EventId) -> Result<(), Failure> {
        let sql = "DELETE FROM room_drafts WHERE object = ?1 AND event_id = ?2";
        Ok(self
            .turn
            .write(sql, &[Param::Blob(&event_ref::pack(id.as_str()))])?)
    }
}
