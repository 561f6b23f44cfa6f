//! From a verified event to one that may be stored: checks 4 to 6.

use std::convert::Infallible;

use super::CheckedEvent;
use crate::auth::{
    AuthError, AuthEvents, ChainRefusal, EventLookup, Refusal, Rule, StateLookup, check_auth_events,
    check_state,
};
use crate::event::Event;
use crate::id::EventId;

/// Against what an event was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Its own auth events (check 4). Such an event never takes part in anything.
    AuthEvents,
    /// The state before it (check 5), which other servers may see differently.
    StateBefore,
    /// The current state (check 6).
    CurrentState,
}

macro_rules! wrapper {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone)]
        pub struct $name {
            checked: CheckedEvent,
        }

        impl $name {
            /// The event.
            #[must_use]
            pub fn event(&self) -> &Event {
                self.checked.event()
            }

            /// The event with what was verified about it.
            #[must_use]
            pub fn checked(&self) -> &CheckedEvent {
                &self.checked
            }
        }
    };
}

wrapper!(
    /// An event that its auth events allow.
    ChainAuthorised
);
wrapper!(
    /// An event that its auth events allow. This is all that can be known of an outlier, an event whose place in
    /// the graph is not known (the state and auth chain of a join), and enough to store it as one.
    OutlierEvent
);
wrapper!(
    /// An event that is allowed by its auth events and by the state before it.
    StateAuthorised
);
wrapper!(
    /// An event that is allowed by its auth events, the state before it, and the current state. It goes into the
    /// timeline and is a forward extremity.
    AuthorisedEvent
);
wrapper!(
    /// An event of the past that comes of paging back: allowed by its auth events and by the state before it. It goes into
    /// the timeline before all that was there, and is no forward extremity.
    HistoricalEvent
);

/// An event that was allowed where it stands and is refused by the current state: kept, shown to nobody, no forward
/// extremity. spec: `server-server-api §Soft failure`
#[derive(Debug, Clone)]
pub struct SoftFailedEvent {
    checked: CheckedEvent,
    refusal: Refusal,
}

impl SoftFailedEvent {
    /// The event.
    #[must_use]
    pub fn event(&self) -> &Event {
        self.checked.event()
    }

    /// Why the current state refuses it.
    #[must_use]
    pub fn refusal(&self) -> Refusal {
        self.refusal
    }
}

/// Why an event that is allowed where it stands does not get into the room as it is now.
#[derive(Debug, Clone)]
pub enum Unwanted {
    /// It is rejected after all: it is a second create event.
    Rejected(RejectedEvent),
    /// The current state refuses it.
    SoftFailed(SoftFailedEvent),
}

/// An event that is refused: kept so that later events can be placed, never shown, never part of any state.
/// spec: `server-server-api §Rejection`
#[derive(Debug, Clone)]
pub struct RejectedEvent {
    checked: CheckedEvent,
    refusal: Refusal,
    stage: Stage,
}

impl RejectedEvent {
    /// The event.
    #[must_use]
    pub fn event(&self) -> &Event {
        self.checked.event()
    }

    /// Which rule refuses it.
    #[must_use]
    pub fn refusal(&self) -> Refusal {
        self.refusal
    }

    /// Against what.
    #[must_use]
    pub fn stage(&self) -> Stage {
        self.stage
    }
}

/// What becomes of an event.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// To be stored and shown.
    Authorised(AuthorisedEvent),
    /// To be stored and not shown.
    SoftFailed(SoftFailedEvent),
    /// To be stored as rejected.
    Rejected(RejectedEvent),
}

/// Why the check against the auth events could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainError<E> {
    /// Auth events are not known: fetch them, take them through the same checks, and ask again.
    #[error("unknown auth events: {0:?}")]
    Missing(Vec<EventId>),
    /// A lookup failed.
    #[error("lookup: {0}")]
    Lookup(E),
}

impl CheckedEvent {
    /// Check 4: is the event allowed by its own auth events?
    ///
    /// # Errors
    /// The outer [`ChainError`] when that cannot be said yet; the inner [`RejectedEvent`] when not.
    pub fn authorise_by_auth_events<L: EventLookup>(
        self,
        lookup: &L,
    ) -> Result<Result<ChainAuthorised, RejectedEvent>, ChainError<L::Error>> {
        let allowed = match check_auth_events(self.event(), lookup) {
            Ok(auth_events) => against_auth_events(self.event(), &auth_events),
            Err(ChainRefusal::Refused(refusal)) => Err(refusal),
            Err(ChainRefusal::Missing(ids)) => return Err(ChainError::Missing(ids)),
            Err(ChainRefusal::Lookup(error)) => return Err(ChainError::Lookup(error)),
        };
        Ok(match allowed {
            Ok(()) => Ok(ChainAuthorised { checked: self }),
            Err(refusal) => Err(RejectedEvent {
                checked: self,
                refusal,
                stage: Stage::AuthEvents,
            }),
        })
    }
}

fn against_auth_events(event: &Event, auth_events: &AuthEvents) -> Result<(), Refusal> {
    check_state(event, auth_events).map_err(|error: AuthError<Infallible>| match error {
        AuthError::Refused(refusal) => refusal,
        AuthError::Lookup(never) => match never {},
    })
}

/// Splits a refusal, which is an answer, from a failed lookup, which is an error.
fn answer<E>(result: Result<(), AuthError<E>>) -> Result<Option<Refusal>, E> {
    match result {
        Ok(()) => Ok(None),
        Err(AuthError::Refused(refusal)) => Ok(Some(refusal)),
        Err(AuthError::Lookup(error)) => Err(error),
    }
}

impl ChainAuthorised {
    /// Check 5: is the event allowed by the state before it, the resolution of the states after its `prev_events`?
    ///
    /// # Errors
    /// The outer error is the lookup's; the inner [`RejectedEvent`] says that it is not allowed.
    pub fn authorise_before<S: StateLookup>(
        self,
        before: &S,
    ) -> Result<Result<StateAuthorised, RejectedEvent>, S::Error> {
        let Self { checked } = self;
        Ok(match answer(check_state(checked.event(), before))? {
            None => Ok(StateAuthorised { checked }),
            Some(refusal) => Err(RejectedEvent {
                checked,
                refusal,
                stage: Stage::StateBefore,
            }),
        })
    }
}

impl ChainAuthorised {
    /// The event as one without a place, in a room that has a create event already or has none yet.
    ///
    /// # Errors
    /// [`RejectedEvent`] for a second create event.
    pub fn as_outlier(self, has_create: bool) -> Result<OutlierEvent, RejectedEvent> {
        let Self { checked } = self;
        if has_create && is_create(checked.event()) {
            return Err(second_create(checked));
        }
        Ok(OutlierEvent { checked })
    }
}

impl StateAuthorised {
    /// Check 6: is the event allowed by the current state, the resolution over all forward extremities?
    ///
    /// # Errors
    /// The outer error is the lookup's; the inner one says that it is not allowed.
    pub fn authorise_now<S: StateLookup>(
        self,
        current: &S,
    ) -> Result<Result<AuthorisedEvent, Unwanted>, S::Error> {
        let checked = match self.not_second(current)? {
            Ok(checked) => checked,
            Err(rejected) => return Ok(Err(Unwanted::Rejected(rejected))),
        };
        Ok(match answer(check_state(checked.event(), current))? {
            None => Ok(AuthorisedEvent { checked }),
            Some(refusal) => Err(Unwanted::SoftFailed(SoftFailedEvent { checked, refusal })),
        })
    }

    /// What check 6 is for an event of the past. The current state says nothing of what happened before it, except that a
    /// room has one create event.
    ///
    /// # Errors
    /// The outer error is the lookup's; the inner [`RejectedEvent`] is a second create event.
    pub fn authorise_history<S: StateLookup>(
        self,
        current: &S,
    ) -> Result<Result<HistoricalEvent, RejectedEvent>, S::Error> {
        let checked = self.not_second(current)?;
        Ok(checked.map(|checked| HistoricalEvent { checked }))
    }

    fn not_second<S: StateLookup>(
        self,
        current: &S,
    ) -> Result<Result<CheckedEvent, RejectedEvent>, S::Error> {
        let Self { checked } = self;
        if !is_create(checked.event()) {
            return Ok(Ok(checked));
        }
        let first = current.get("m.room.create", "")?;
        let is_second = first.is_some_and(|first| first.event_id() != checked.event().event_id());
        Ok(if is_second {
            Err(second_create(checked))
        } else {
            Ok(checked)
        })
    }
}

fn is_create(event: &Event) -> bool {
    event.kind() == "m.room.create"
}

/// A room has one create event. Rule 1 allows another by any user of the first one's server, with which that server, or whoever
/// has its name today, could begin the room anew with itself in power: events that cite the second would be authorised by
/// it. So it is rejected, and authorises nothing.
fn second_create(checked: CheckedEvent) -> RejectedEvent {
    let version = checked.event().room_version();
    RejectedEvent {
        checked,
        refusal: Refusal {
            rule: Rule::CreateSecond,
            version,
        },
        stage: Stage::CurrentState,
    }
}

/// Checks 4 to 6 in one go.
///
/// # Errors
/// [`ChainError`] when a lookup fails or auth events are not known.
pub fn authorise<L, B, C, E>(
    checked: CheckedEvent,
    auth_events: &L,
    before: &B,
    current: &C,
) -> Result<Outcome, ChainError<E>>
where
    L: EventLookup<Error = E>,
    B: StateLookup<Error = E>,
    C: StateLookup<Error = E>,
{
    let by_chain = match checked.authorise_by_auth_events(auth_events)? {
        Ok(by_chain) => by_chain,
        Err(rejected) => return Ok(Outcome::Rejected(rejected)),
    };
    let by_state = match by_chain.authorise_before(before).map_err(ChainError::Lookup)? {
        Ok(by_state) => by_state,
        Err(rejected) => return Ok(Outcome::Rejected(rejected)),
    };
    Ok(
        match by_state.authorise_now(current).map_err(ChainError::Lookup)? {
            Ok(authorised) => Outcome::Authorised(authorised),
            Err(Unwanted::SoftFailed(failed)) => Outcome::SoftFailed(failed),
            Err(Unwanted::Rejected(rejected)) => Outcome::Rejected(rejected),
        },
    )
}

/// Checks 4 to 6 of an event that follows all forward extremities of the room, so that the state before it *is* the
/// current state and one check answers both. What a local user sends is such an event.
///
/// # Errors
/// [`ChainError`] when a lookup fails or auth events are not known; the inner [`RejectedEvent`] says which rule
/// refuses the event.
pub fn authorise_at_extremities<L, S, E>(
    checked: CheckedEvent,
    auth_events: &L,
    current: &S,
) -> Result<Result<AuthorisedEvent, RejectedEvent>, ChainError<E>>
where
    L: EventLookup<Error = E>,
    S: StateLookup<Error = E>,
{
    let by_chain = match checked.authorise_by_auth_events(auth_events)? {
        Ok(by_chain) => by_chain,
        Err(rejected) => return Ok(Err(rejected)),
    };
    let by_state = match by_chain.authorise_before(current).map_err(ChainError::Lookup)? {
        Ok(by_state) => by_state,
        Err(rejected) => return Ok(Err(rejected)),
    };
    let checked = by_state.not_second(current).map_err(ChainError::Lookup)?;
    Ok(checked.map(|checked| AuthorisedEvent { checked }))
}
