//! The one way in: every event, local or remote, gets its place in the graph here. What it may become is decided by the
//! types of the event crate's pipeline, and storage takes nothing else.

use selvage_event::pipeline::ChainError;
use selvage_event::{CheckedEvent, Event, Refusal, Unwanted, authorise_at_extremities};
use selvage_object::{Failure, Fault};

use crate::accept::Work;
use crate::current::Step;
use crate::forks::resolved;
use crate::store::Past;
use crate::trie::State;

/// How an event is given its place.
#[derive(Clone, Copy)]
pub(crate) struct Placing<'p> {
    /// The state before it as another server told it, for an event whose predecessors are not all here.
    pub(crate) supplied: Option<State>,
    /// For an event of the past: the position that it lies before.
    pub(crate) history_before: Option<i64>,
    /// Whether something held is known to follow it, though not directly.
    pub(crate) is_followed: bool,
    /// Whether it was made here just now, so that nothing can wait for it.
    pub(crate) ours: bool,
    /// The sender's device and transaction id.
    pub(crate) txn: Option<&'p str>,
}

impl<'p> Placing<'p> {
    /// An event that was made here just now.
    pub(crate) const fn ours(txn: Option<&'p str>) -> Self {
        Self {
            supplied: None,
            history_before: None,
            is_followed: false,
            ours: true,
            txn,
        }
    }

    /// An event that was received, whose predecessors are all here.
    pub(crate) const fn received(history_before: Option<i64>) -> Self {
        Self {
            supplied: None,
            history_before,
            is_followed: false,
            ours: false,
            txn: None,
        }
    }
}

/// What became of an event.
pub(crate) enum Placed {
    /// It is in the timeline.
    Accepted(Event),
    /// It is kept, and shown to nobody.
    SoftFailed(Refusal),
    /// It is kept as rejected.
    Rejected(Refusal),
}

impl Work<'_, '_> {
    /// How a received event is placed: among the past, if it is known to lie there, or came with it and follows nothing newer. `followed_at` is what
    /// [`Self::followed_at`] says of it.
    pub(crate) fn placing(
        &self,
        event: &Event,
        history_before: Option<i64>,
        followed_at: Option<i64>,
    ) -> Result<Placing<'static>, Fault> {
        let mut placing = Placing::received(history_before.or(followed_at));
        placing.is_followed = followed_at.is_some();
        if let Some(limit) = history_before.filter(|_| !placing.is_followed)
            && self.follows_from(event, limit)?
        {
            placing.history_before = None;
        }
        if placing.history_before.is_none() && self.has_gaps()? {
            placing.history_before = self.gap_after(event)?;
        }
        Ok(placing)
    }

    /// Checks 4 to 6 of an event whose auth events are all here, and whose predecessors are unless the state before it was
    /// supplied; then stores it as what it turned out to be.
    pub(crate) fn place(&mut self, checked: CheckedEvent, how: Placing<'_>) -> Result<Placed, Failure> {
        let before = self.state_before(checked.event(), how.supplied)?;
        let event = how.is_followed.then(|| checked.event().clone());
        let placed = self.place_at(checked, before, how)?;
        if let Some(event) = &event {
            let after = match placed {
                Placed::Rejected(_) => before,
                _ => self.view().state_after_event(event, before)?,
            };
            self.supersede(&Step { event, before, after })?;
        }
        Ok(placed)
    }

    fn place_at(
        &mut self,
        checked: CheckedEvent,
        before: State,
        how: Placing<'_>,
    ) -> Result<Placed, Failure> {
        let head = self.view().any_head()?.state;
        if before == head && how.history_before.is_none() {
            return match chain(authorise_at_extremities(
                checked,
                &self.view(),
                &self.view().at(head),
            ))? {
                Ok(authorised) => self.store(authorised, before, how),
                Err(rejected) => self.keep_rejected(&rejected, Some(before), how),
            };
        }
        let by_chain = match chain(checked.authorise_by_auth_events(&self.view()))? {
            Ok(by_chain) => by_chain,
            Err(rejected) => return self.keep_rejected(&rejected, Some(before), how),
        };
        let by_state = match by_chain.authorise_before(&self.view().at(before))? {
            Ok(by_state) => by_state,
            Err(rejected) => return self.keep_rejected(&rejected, Some(before), how),
        };
        if let Some(limit) = how.history_before {
            // The past is not resolved with the present: they may differ in everything.
            return match by_state.authorise_history(&self.view().at(head))? {
                Ok(historical) => self.store_past(&Past::of(&historical, before), limit, how),
                Err(rejected) => self.keep_rejected(&rejected, Some(before), how),
            };
        }
        // Only now, since it costs a resolution, which whoever cites odd predecessors could make us do for nothing.
        let current = self.current_with(before)?;
        match by_state.authorise_now(&self.view().at(current))? {
            Ok(authorised) => self.store(authorised, before, how),
            Err(Unwanted::SoftFailed(failed)) => self.keep_soft_failed(&failed, before, how),
            Err(Unwanted::Rejected(rejected)) => self.keep_rejected(&rejected, Some(before), how),
        }
    }

    /// [`Self::place`]; `None` when the place cannot be computed within the limits.
    pub(crate) fn place_or_none(
        &mut self,
        checked: CheckedEvent,
        how: Placing<'_>,
    ) -> Result<Option<Placed>, Failure> {
        match self.place(checked, how) {
            Ok(placed) => Ok(Some(placed)),
            Err(Failure::Refusal(_)) => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// The state before an event: what the states after its predecessors resolve to.
    fn state_before(&self, event: &Event, supplied: Option<State>) -> Result<State, Failure> {
        let view = self.view();
        let head = view.any_head()?;
        let follows_all = event.prev_events().len() == head.extremities.len()
            && head
                .extremities
                .iter()
                .all(|extremity| event.prev_events().contains(&extremity.id));
        if follows_all && head.is_room() {
            return Ok(head.state);
        }
        let mut forks: Vec<State> = Vec::with_capacity(event.prev_events().len() + 1);
        for prev in event.prev_events() {
            match view.place(prev)? {
                Some(place) => forks.push(place.after),
                None if supplied.is_some() => {}
                None => return Err(Fault::corrupt(format!("the place of {prev} is not known")).into()),
            }
        }
        // The word of another server counts for what is not known here, not for what is.
        if forks.len() < event.prev_events().len() {
            forks.extend(supplied);
        }
        resolved(view, forks)
    }

    /// The current state as an event is held against it: the resolution over the forward extremities and the state before
    /// the event, which may know of things that have not come here.
    fn current_with(&self, before: State) -> Result<State, Failure> {
        let view = self.view();
        let head = view.any_head()?;
        if head.state == before {
            return Ok(before);
        }
        let extremities = head.extremities.iter().map(|extremity| extremity.after);
        resolved(view, extremities.chain([before]))
    }
}

/// All auth events are known before an event is placed, so a missing one is a fault.
pub(crate) fn chain<T>(result: Result<T, ChainError<Fault>>) -> Result<T, Fault> {
    result.map_err(|error| match error {
        ChainError::Missing(ids) => Fault::corrupt(format!("auth events {ids:?} are not stored")),
        ChainError::Lookup(fault) => fault,
    })
}
