//! Whole events and redacted copies of them. Anybody can take the content out of an event, its signatures stay right; and
//! servers do so with what they hide (spec: server-server-api §validating-hashes-and-signatures-on-received-events).

use selvage_event::{CheckedEvent, Event, ReceivedEvent, VerifyKeys};
use selvage_object::{Failure, Fault, Param};

use crate::accept::Work;
use crate::error::stored;
use crate::event_ref;

impl Work<'_, '_> {
    /// The whole event, where only a redacted copy came and the whole one is here.
    pub(crate) fn whole(&self, checked: CheckedEvent, keys: &VerifyKeys) -> Result<CheckedEvent, Fault> {
        if !checked.was_redacted() {
            return Ok(checked);
        }
        let Some(known) = self.view().event(checked.event().event_id())? else {
            return Ok(checked);
        };
        if !is_copy(checked.event(), &known) {
            return Ok(checked);
        }
        let Ok(received) = ReceivedEvent::parse(known.json().as_bytes(), known.room_version()) else {
            return Ok(checked);
        };
        let Ok(verified) = received.verify(keys);
        Ok(verified.unwrap_or(checked))
    }

    /// An event that is here already came again: where only a redacted copy of it is here, the whole takes its place. What
    /// became of the event stays.
    pub(crate) fn complete(&mut self, checked: &CheckedEvent) -> Result<(), Failure> {
        let event = checked.event();
        if checked.was_redacted() {
            return Ok(());
        }
        if let Some(known) = self.view().known(event.event_id())? {
            if is_copy(&known.event, event) {
                self.rewrite(event)?;
                self.know(event, known.rejected);
            }
        } else if let Some(waiting) = self.staged(event)?
            && is_copy(&waiting, event)
        {
            self.rewrite(event)?;
        }
        Ok(())
    }

    fn rewrite(&self, event: &Event) -> Result<(), Failure> {
        let packed = event_ref::pack(event.event_id().as_str());
        for sql in [
            "UPDATE room_events SET json = ?3 WHERE object = ?1 AND event_id = ?2",
            "UPDATE room_others SET json = ?3 WHERE object = ?1 AND event_id = ?2",
            "UPDATE room_staged SET json = ?3 WHERE object = ?1 AND event_id = ?2",
        ] {
            self.turn
                .write(sql, &[Param::Blob(&packed), Param::Text(event.json())])?;
        }
        Ok(())
    }

    fn staged(&self, event: &Event) -> Result<Option<Event>, Fault> {
        let sql = "SELECT json FROM room_staged WHERE object = ?1 AND event_id = ?2";
        let packed = event_ref::pack(event.event_id().as_str());
        let Some(mut row) = self.turn.row(sql, &[Param::Blob(&packed)])? else {
            return Ok(None);
        };
        let parsed = Event::from_stored(&row.text(0)?, event.event_id().clone(), event.room_version());
        parsed.map(Some).map_err(|error| stored(&error))
    }
}

/// Whether one is the redacted form of the other, and not the same. In room versions 1 and 2 ids say nothing.
fn is_copy(copy: &Event, whole: &Event) -> bool {
    copy.json() != whole.json()
        && whole
            .redacted()
            .is_ok_and(|redacted| redacted.json() == copy.json())
}
