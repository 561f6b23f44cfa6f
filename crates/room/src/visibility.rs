//! Who may see an event (spec: client-server-api §room-history-visibility).

use std::cell::RefCell;
use std::collections::BTreeMap;

use selvage_event::auth::may_redact;
use selvage_event::{Event, Membership};
use selvage_object::{Fault, Param};

use crate::dummy;
use crate::trie::State;
use crate::view::{At, StoredEvent, View};

/// How many membership changes are followed back to find out until when somebody was in the room.
const CHANGES_FOLLOWED_MAX: usize = 32;

/// What `m.room.history_visibility` says; `shared` when it says nothing valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum History {
    WorldReadable,
    Shared,
    Invited,
    Joined,
}

impl History {
    /// What an `m.room.history_visibility` event says.
    pub(crate) fn of(event: Option<&Event>) -> Self {
        match event.and_then(|event| event.content_str("history_visibility")) {
            Some("world_readable") => Self::WorldReadable,
            Some("invited") => Self::Invited,
            Some("joined") => Self::Joined,
            _ => Self::Shared,
        }
    }

    /// Whether it hides events from members who were not in the room at the time.
    pub(crate) const fn hides(self) -> bool {
        matches!(self, Self::Invited | Self::Joined)
    }
}

/// One user's eyes on a room.
pub(crate) struct Eyes<'a> {
    view: View<'a>,
    user_id: &'a str,
    /// The user was in the room up to this position, the newest for one who is; `None` for one who never was.
    in_room_until: Option<i64>,
    /// What a state says, which neighbouring events share.
    seen: RefCell<BTreeMap<State, (History, Membership)>>,
}

impl<'a> Eyes<'a> {
    pub(crate) fn new(view: View<'a>, user_id: &'a str) -> Result<Self, Fault> {
        let in_room_until = in_room_until(view, user_id)?;
        Ok(Self {
            view,
            user_id,
            in_room_until,
            seen: RefCell::default(),
        })
    }

    /// Whether the user is, or was, in the room.
    pub(crate) const fn was_in_room(&self) -> bool {
        self.in_room_until.is_some()
    }

    /// Whether the user is in the room now.
    pub(crate) fn is_in_room(&self) -> bool {
        self.in_room_until == Some(i64::MAX)
    }

    /// The last position of which the user may see the room's state.
    pub(crate) const fn until(&self) -> Option<i64> {
        self.in_room_until
    }

    /// Whether anybody may see the room as it is.
    pub(crate) fn world_readable(&self) -> Result<bool, Fault> {
        let Some(head) = &self.view.memory.head else {
            return Ok(false);
        };
        Ok(self.at(head.state)?.0 == History::WorldReadable)
    }

    /// Whether the user may see the event, and the user's membership at it.
    pub(crate) fn see(&self, stored: &StoredEvent) -> Result<(bool, Membership), Fault> {
        let (history, membership) = self.at(stored.before)?;
        let sees = self.allows(history, membership, stored.pos);
        let event = &stored.event;
        if event.kind() == dummy::KIND || self.redacts_nothing(stored)? {
            return Ok((false, membership));
        }
        // Of a change of either, the event itself counts on both sides.
        if event.is_state_of("m.room.history_visibility", "") {
            return Ok((
                sees || self.allows(History::of(Some(event)), membership, stored.pos),
                membership,
            ));
        }
        // What is said of the users themselves is not kept from them: a ban of one who was never in the room, too.
        if event.is_state_of("m.room.member", self.user_id) {
            return Ok((true, event.membership().unwrap_or(Membership::Leave)));
        }
        Ok((sees, membership))
    }

    /// Whether it is a redaction without effect, because its target has not come or its sender has no right to it. Clients
    /// would apply it all the same, so they are not shown it (spec: rooms/v3 §Handling redactions).
    fn redacts_nothing(&self, stored: &StoredEvent) -> Result<bool, Fault> {
        let redaction = &stored.event;
        if redaction.kind() != "m.room.redaction" || redaction.rules().auth.redaction_rule {
            return Ok(false);
        }
        let target = redaction.redacts().map(|id| self.view.event(id)).transpose()?;
        let Some(target) = target.flatten() else {
            return Ok(true);
        };
        let may = may_redact(redaction, &target, &self.view.at(stored.before));
        may.map(|may| !may)
            .map_err(|error| Fault::corrupt(error.to_string()))
    }

    fn allows(&self, history: History, membership: Membership, pos: i64) -> bool {
        let in_room = membership == Membership::Join;
        match history {
            History::WorldReadable => true,
            History::Shared => in_room || self.in_room_until.is_some_and(|until| pos <= until),
            History::Invited => in_room || membership == Membership::Invite,
            History::Joined => in_room,
        }
    }

    fn at(&self, state: State) -> Result<(History, Membership), Fault> {
        if let Some(known) = self.seen.borrow().get(&state) {
            return Ok(*known);
        }
        let at: At<'_> = self.view.at(state);
        let history = History::of(at.event("m.room.history_visibility", "")?.as_ref());
        let said = (history, at.membership(self.user_id)?);
        self.seen.borrow_mut().insert(state, said);
        Ok(said)
    }
}

/// Up to which position the user was in the room.
fn in_room_until(view: View<'_>, user_id: &str) -> Result<Option<i64>, Fault> {
    let Some(head) = &view.memory.head else {
        return Ok(None);
    };
    let mut state = head.state;
    let mut until = i64::MAX;
    if view.at(state).id("m.room.member", user_id)?.is_none() {
        let Some(pos) = vanished_at(view, user_id)? else {
            return Ok(None);
        };
        until = pos.saturating_sub(1);
        state = view.state_after(until)?;
    }
    for _ in 0..CHANGES_FOLLOWED_MAX {
        let Some(member) = view.at(state).stored("m.room.member", user_id)? else {
            return Ok(None);
        };
        if member.event.membership() == Some(Membership::Join) {
            return Ok(Some(until));
        }
        until = member.pos;
        // The state that was current then: on a fork, the state before the event may be another.
        state = view.state_after(member.pos.saturating_sub(1))?;
    }
    Ok(None)
}

/// The position at which state resolution took a user's membership back.
fn vanished_at(view: View<'_>, user_id: &str) -> Result<Option<i64>, Fault> {
    let sql = "SELECT pos FROM room_vanished WHERE object = ?1 AND user_id = ?2";
    let row = view.turn.row(sql, &[Param::Text(user_id)])?;
    Ok(row.map(|row| row.integer(0)).transpose()?)
}
