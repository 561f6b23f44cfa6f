//! Redactions (spec: client-server-api §redactions), and reading the contents that clients send.

use selvage_event::auth::may_redact;
use selvage_event::{Event, EventId, Map};
use selvage_object::{Failure, Fault, Param, Refusal};
use selvage_protocol::{Json, errcode};

use crate::accept::{Draft, Work};
use crate::error::{forbidden, not_found};
use crate::event_ref;
use crate::view::{Other, StoredEvent};

/// The content of an event, which is a JSON object.
pub(crate) fn object(content: &Json) -> Result<Map, Refusal> {
    serde_json::from_str(content.get()).map_err(|error| {
        Refusal::new(
            errcode::BAD_JSON,
            format!("the content is no JSON object: {error}"),
        )
    })
}

/// Takes the target out of a redaction's content: where it stands in the event depends on the room version.
pub(crate) fn target(content: &mut Map) -> Result<EventId, Refusal> {
    let target = content.remove("redacts");
    let target = target.as_ref().and_then(serde_json::Value::as_str);
    let target =
        target.ok_or_else(|| Refusal::new(errcode::MISSING_PARAM, "a redaction names what it redacts"))?;
    EventId::parse(target)
        .map_err(|error| Refusal::new(errcode::INVALID_PARAM, format!("the event to redact: {error}")))
}

/// Refuses a redaction that its sender has no right to, though the rules would let it into the room.
pub(crate) fn check(work: &Work<'_, '_>, draft: &Draft) -> Result<(), Failure> {
    let Some(target) = &draft.redacts else {
        return Ok(());
    };
    let target = work.view().stored_by_id(target.as_str())?;
    let target = target.ok_or_else(|| not_found("the event to redact is not in this room"))?;
    if *target.event.sender() == draft.sender {
        return Ok(());
    }
    let power = work
        .power_levels()?
        .ok_or_else(|| forbidden("this room has no valid power levels"))?;
    if !power.user(draft.sender.as_str()).reaches(power.redact()) {
        return Err(forbidden("you may not redact what others sent"));
    }
    Ok(())
}

impl Work<'_, '_> {
    /// What an event that has just come into the timeline redacts, and what came earlier and redacts it.
    pub(crate) fn redactions(&mut self, event: &Event, ours: bool) -> Result<(), Failure> {
        if event.kind() == "m.room.redaction"
            && let Some(target) = event.redacts()
        {
            self.redact(event, target)?;
        }
        if ours { Ok(()) } else { self.redact_by_held(event) }
    }

    /// Applies a redaction, or holds it until its target is in the timeline. A target that is kept aside, such as state from
    /// before this server joined, is redacted there meanwhile.
    fn redact(&self, redaction: &Event, target: &EventId) -> Result<(), Failure> {
        let view = self.view();
        let redaction = view
            .stored_by_id(redaction.event_id().as_str())?
            .ok_or_else(|| Fault::corrupt("the newest event is not stored"))?;
        if let Some(target) = view.stored_by_id(target.as_str())? {
            return self.apply(&redaction, &target).map(|_| ());
        }
        if let Some(aside) = view.other(target)? {
            self.apply_aside(&redaction, &aside)?;
        }
        let sql = "INSERT INTO room_held (object, target, pos) VALUES (?1, ?2, ?3)";
        let target = event_ref::pack(target.as_str());
        Ok(self
            .turn
            .write(sql, &[Param::Blob(&target), Param::Integer(redaction.pos)])?)
    }

    /// Applies the redactions that are held for an event which has just been set aside.
    pub(crate) fn redact_aside_by_held(&self, event: &Event) -> Result<(), Failure> {
        let view = self.view();
        for pos in self.held_for(event)? {
            let Some(aside) = view.other(event.event_id())? else {
                return Ok(());
            };
            if let Some(redaction) = view.stored_at(pos)? {
                self.apply_aside(&redaction, &aside)?;
            }
        }
        Ok(())
    }

    /// The positions of the redactions that are held for an event.
    fn held_for(&self, event: &Event) -> Result<Vec<i64>, Failure> {
        let target = event_ref::pack(event.event_id().as_str());
        let sql = "SELECT pos FROM room_held WHERE object = ?1 AND target = ?2 ORDER BY pos";
        let held = self.turn.rows(sql, &[Param::Blob(&target)])?;
        Ok(held.iter().map(|row| row.integer(0)).collect::<Result<_, _>>()?)
    }

    /// Applies the redactions that were held for this event.
    fn redact_by_held(&self, event: &Event) -> Result<(), Failure> {
        let held = self.held_for(event)?;
        for pos in &held {
            let view = self.view();
            let target = view.stored_by_id(event.event_id().as_str())?;
            if let (Some(redaction), Some(target)) = (view.stored_at(*pos)?, target)
                && self.apply(&redaction, &target)?
            {
                break;
            }
        }
        if !held.is_empty() {
            let target = event_ref::pack(event.event_id().as_str());
            let sql = "DELETE FROM room_held WHERE object = ?1 AND target = ?2";
            self.turn.write(sql, &[Param::Blob(&target)])?;
        }
        Ok(())
    }

    /// Applies a redaction, if its sender had the right to it. The first redaction of an event counts.
    fn apply(&self, redaction: &StoredEvent, target: &StoredEvent) -> Result<bool, Failure> {
        let allowed = self.may_apply(redaction, &target.event)?;
        if allowed && target.redacted_by.is_none() {
            let sql = "UPDATE room_events SET redacted_by = ?3 WHERE object = ?1 AND pos = ?2";
            self.turn
                .write(sql, &[Param::Integer(target.pos), Param::Integer(redaction.pos)])?;
        }
        Ok(allowed)
    }

    /// As [`Self::apply`], to an event that is not in the timeline.
    fn apply_aside(&self, redaction: &StoredEvent, target: &Other) -> Result<(), Failure> {
        if target.redacted_by.is_some() || !self.may_apply(redaction, &target.event)? {
            return Ok(());
        }
        let sql = "UPDATE room_others SET redacted_by = ?3 WHERE object = ?1 AND event_id = ?2";
        let id = event_ref::pack(target.event.event_id().as_str());
        Ok(self
            .turn
            .write(sql, &[Param::Blob(&id), Param::Integer(redaction.pos)])?)
    }

    fn may_apply(&self, redaction: &StoredEvent, target: &Event) -> Result<bool, Failure> {
        let state = self.view().at(redaction.before);
        let allowed = may_redact(&redaction.event, target, &state);
        Ok(allowed.map_err(|error| Fault::corrupt(error.to_string()))?)
    }
}
