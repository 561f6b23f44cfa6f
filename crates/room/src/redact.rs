//! Redactions (spec: client-server-api §redactions), and reading the contents that clients send.

use selvage_event::auth::may_redact;
use selvage_event::{EventId, Map};
use selvage_object::{Failure, Fault, Param, Refusal};
use selvage_protocol::{Json, errcode};

use crate::accept::{Draft, Work};
use crate::error::{forbidden, not_found};
use crate::view::StoredEvent;

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

/// The target of a redaction that the sender has the right to; `None` when the draft is no redaction.
pub(crate) fn check(work: &Work<'_, '_>, draft: &Draft) -> Result<Option<StoredEvent>, Failure> {
    let Some(target) = &draft.redacts else {
        return Ok(None);
    };
    let target = work.view().stored_by_id(target.as_str())?;
    let target = target.ok_or_else(|| not_found("the event to redact is not in this room"))?;
    if *target.event.sender() == draft.sender {
        return Ok(Some(target));
    }
    let power = work
        .power_levels()?
        .ok_or_else(|| forbidden("this room has no valid power levels"))?;
    if !power.user(draft.sender.as_str()).reaches(power.redact()) {
        return Err(forbidden("you may not redact what others sent"));
    }
    Ok(Some(target))
}

/// Applies the redaction that was stored last, once: the first redaction of an event counts.
pub(crate) fn apply(work: &mut Work<'_, '_>, target: &StoredEvent) -> Result<(), Failure> {
    let view = work.view();
    let head = view.head()?;
    let redaction = view
        .stored_at(head.pos)?
        .ok_or_else(|| Fault::corrupt("the newest event is not stored"))?;
    let allowed = may_redact(&redaction.event, &target.event, &view.at(redaction.before));
    let allowed = allowed.map_err(|error| Fault::corrupt(error.to_string()))?;
    if allowed && target.redacted_by.is_none() {
        let sql = "UPDATE room_events SET redacted_by = ?3 WHERE object = ?1 AND pos = ?2";
        work.turn
            .write(sql, &[Param::Integer(target.pos), Param::Integer(redaction.pos)])?;
    }
    Ok(())
}
