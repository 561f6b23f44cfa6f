//! Events that other servers send.

use selvage_event::{CheckedEvent, Event, ReceivedEvent};
use selvage_object::{Failure, Fault};
use selvage_protocol::Json;
use selvage_protocol::federation::{Outcome, Receive, ReceiveReply, ServerKey, Supply, Verdict};

use crate::accept::Work;
use crate::error::forbidden;
use crate::place::{Placed, Placing, chain};
use crate::staging::Incoming;
use crate::status::Status;
use crate::supplied;

/// Takes events in; see [`Receive`].
pub(crate) fn receive(mut work: Work<'_, '_>, command: &Receive) -> Result<ReceiveReply, Failure> {
    work.view().head()?;
    let mut checked = Vec::with_capacity(command.events.len());
    for json in &command.events {
        checked.push(work.check(json, &command.keys)?);
    }
    let events: Vec<&Event> = checked.iter().flatten().map(CheckedEvent::event).collect();
    let followed = work.followed_among(&events)?;
    let mut verdicts = Vec::with_capacity(checked.len());
    for checked in checked {
        let verdict = match checked {
            Ok(checked) => {
                let followed_at = followed.get(checked.event().event_id()).copied();
                let incoming = Incoming {
                    checked,
                    origin: &command.origin,
                    keys: &command.keys,
                    history_before: command.history_before,
                };
                work.take(incoming, followed_at)?
            }
            Err(verdict) => verdict,
        };
        verdicts.push(verdict);
    }
    let taken = work.take_ready()?;
    work.merge_extremities()?;
    work.seek()?;
    finish(work, verdicts, taken)
}

/// Goes on with what was too much for an earlier turn.
pub(crate) fn go_on(mut work: Work<'_, '_>) -> Result<(), Failure> {
    work.take_ready()?;
    work.merge_extremities()?;
    work.finish()
}

/// Ends a command that took events in.
pub(crate) fn finish(
    work: Work<'_, '_>,
    verdicts: Vec<Verdict>,
    taken: Vec<Verdict>,
) -> Result<ReceiveReply, Failure> {
    let incomplete = work.is_incomplete()?;
    // What changed nothing writes nothing.
    if work.turn.rows_written() > 0 {
        work.finish()?;
    }
    Ok(ReceiveReply {
        verdicts,
        taken,
        incomplete,
    })
}

/// Keeps events without a place; see [`Supply`].
pub(crate) fn supply(mut work: Work<'_, '_>, command: &Supply) -> Result<ReceiveReply, Failure> {
    if let Some(place) = &command.place {
        return supplied::supply(work, command, place);
    }
    if work.memory.head.is_none() {
        return Err(forbidden("nothing is known of this room"));
    }
    let mut verdicts = Vec::with_capacity(command.events.len());
    for json in &command.events {
        let verdict = match work.check(json, &command.keys)? {
            Ok(checked) => work.keep(checked)?,
            Err(verdict) => verdict,
        };
        verdicts.push(verdict);
    }
    let taken = work.take_ready()?;
    finish(work, verdicts, taken)
}

/// What became of an event.
pub(crate) fn verdict(event: &Event, outcome: Outcome, why: Option<String>) -> Verdict {
    Verdict {
        event_id: Some(event.event_id().as_str().to_owned()),
        outcome,
        why,
    }
}

/// What became of an event that was given its place.
pub(crate) fn verdict_of(event: &Event, placed: &Placed) -> Verdict {
    match placed {
        Placed::Accepted(_) => verdict(event, Outcome::Accepted, None),
        Placed::SoftFailed(refusal) => verdict(event, Outcome::SoftFailed, Some(refusal.to_string())),
        Placed::Rejected(refusal) => verdict(event, Outcome::Rejected, Some(refusal.to_string())),
    }
}

impl Work<'_, '_> {
    /// Checks 1 to 3: format, size, hash and signatures, and that the event is of this room.
    pub(crate) fn check(
        &self,
        json: &Json,
        keys: &[ServerKey],
    ) -> Result<Result<CheckedEvent, Verdict>, Fault> {
        let version = self.view().any_head()?.version;
        let received = match ReceivedEvent::parse(json.get().as_bytes(), version) {
            Ok(received) => received,
            Err(error) => return Ok(Err(dropped(None, error.to_string()))),
        };
        let id = Some(received.event().event_id().as_str().to_owned());
        if received.event().room_id().as_str() != self.turn.key().name() {
            return Ok(Err(dropped(id, "the event is of another room".to_owned())));
        }
        let verify_keys = self.verify_keys(keys);
        let Ok(verified) = received.verify(&verify_keys);
        let checked = match verified {
            Ok(checked) => checked,
            Err(error) => return Ok(Err(dropped(id, error.to_string()))),
        };
        Ok(Ok(self.whole(checked, &verify_keys)?))
    }

    /// Places an event, or stages it while what it needs is not here.
    fn take(&mut self, incoming: Incoming<'_>, followed_at: Option<i64>) -> Result<Verdict, Failure> {
        let event = incoming.checked.event().clone();
        if self.is_placed(&event)? {
            self.complete(&incoming.checked)?;
            return Ok(verdict(&event, Outcome::Known, None));
        }
        let needs = self.needs(&incoming.checked)?;
        if needs.is_empty() {
            let placing = self.placing(&event, incoming.history_before, followed_at)?;
            return self.place_or_drop(incoming.checked, placing);
        }
        if self.is_staged(event.event_id())? {
            self.complete(&incoming.checked)?;
            return Ok(verdict(&event, Outcome::Waiting, None));
        }
        Ok(if self.stage(&incoming, &needs)? {
            verdict(&event, Outcome::Waiting, None)
        } else {
            verdict(
                &event,
                Outcome::Dropped,
                Some("too many events of this server wait".to_owned()),
            )
        })
    }

    /// Places an event; one whose place cannot be computed within the limits is dropped.
    pub(crate) fn place_or_drop(
        &mut self,
        checked: CheckedEvent,
        placing: Placing<'_>,
    ) -> Result<Verdict, Failure> {
        let event = checked.event().clone();
        match self.place(checked, placing) {
            Ok(placed) => Ok(verdict_of(&event, &placed)),
            Err(Failure::Refusal(refusal)) => Ok(verdict(&event, Outcome::Dropped, Some(refusal.message))),
            Err(fault) => Err(fault),
        }
    }

    /// Whether an event is here and has its place.
    pub(crate) fn is_placed(&self, event: &Event) -> Result<bool, Fault> {
        self.view().has_place(event.event_id())
    }

    /// Keeps an event as an outlier, when its auth events are here and allow it.
    pub(crate) fn keep(&mut self, checked: CheckedEvent) -> Result<Verdict, Failure> {
        let event = checked.event().clone();
        if self.view().known(event.event_id())?.is_some() {
            self.complete(&checked)?;
            return Ok(verdict(&event, Outcome::Known, None));
        }
        let missing = self.missing_auth_events(&checked)?;
        if !missing.is_empty() {
            let why = format!("auth events {missing:?} are not here");
            return Ok(verdict(&event, Outcome::Dropped, Some(why)));
        }
        let has_create = self.has_create()?;
        let by_chain = chain(checked.authorise_by_auth_events(&self.view()))?;
        match by_chain.and_then(|by_chain| by_chain.as_outlier(has_create)) {
            Ok(outlier) => {
                self.keep_outlier(&outlier)?;
                self.arrived_as_outlier(event.event_id())?;
                Ok(verdict(&event, Outcome::Outlier, None))
            }
            Err(rejected) => {
                self.keep_rejected(&rejected, None, Placing::received(None))?;
                self.arrived_as_outlier(event.event_id())?;
                let why = rejected.refusal().to_string();
                Ok(verdict(&event, Outcome::Rejected, Some(why)))
            }
        }
    }

    /// Whether a create event is here. It is the first state event to be numbered, since all others need it.
    pub(crate) fn has_create(&self) -> Result<bool, Fault> {
        Ok(self.view().any_head()?.ord > 0)
    }

    /// Whether an event in the form that was supplied is here and is state.
    pub(crate) fn is_usable_state(&self, event: &Event) -> Result<bool, Fault> {
        let status = self.view().other(event.event_id())?.map(|other| other.status);
        Ok(event.is_state() && status != Some(Status::Rejected))
    }
}

pub(crate) fn dropped(event_id: Option<String>, why: String) -> Verdict {
    Verdict {
        event_id,
        outcome: Outcome::Dropped,
        why: Some(why),
    }
}
