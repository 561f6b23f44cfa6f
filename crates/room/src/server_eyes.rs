//! What another server may see of a room (spec: server-server-api §backfilling-and-retrieving-missing-events, and
//! client-server-api §room-history-visibility, which it refers to).

use std::cell::RefCell;
use std::collections::BTreeMap;

use selvage_event::{Event, Membership};
use selvage_object::{Failure, Fault};

use crate::error::{forbidden, stored as damaged};
use crate::members;
use crate::residence::{check_acl, is_in_room, is_of};
use crate::trie::State;
use crate::view::View;
use crate::visibility::History;

/// One server's eyes on a room that it is in.
pub(crate) struct ServerEyes<'a> {
    view: View<'a>,
    server: &'a str,
    /// What a state lets the server see, which neighbouring events share.
    seen: RefCell<BTreeMap<State, bool>>,
}

impl<'a> ServerEyes<'a> {
    /// The eyes of a server, which must have a user in the room and be allowed to take part. That it is not allowed is told
    /// to those only who are in the room and can read so themselves.
    pub(crate) fn new(view: View<'a>, server: &'a str) -> Result<Self, Failure> {
        view.head()?;
        if !is_in_room(view, server)? {
            return Err(forbidden("your server is not in this room"));
        }
        check_acl(view, server)?;
        Ok(Self {
            view,
            server,
            seen: RefCell::default(),
        })
    }

    /// The event as the server may have it: redacted, where history visibility hides it or a redaction was applied. What
    /// decides over power is never hidden: redacted, it would be judged otherwise there than here, and as part of states and
    /// auth chains every server in the room gets it anyway.
    pub(crate) fn show(
        &self,
        event: &Event,
        before: Option<State>,
        is_redacted: bool,
    ) -> Result<Event, Fault> {
        let visible = decides_over_power(event)
            || match before {
                Some(before) => self.sees(event, before)?,
                None => false,
            };
        if visible && !is_redacted {
            return Ok(event.clone());
        }
        event.redacted().map_err(|error| damaged(&error))
    }

    fn sees(&self, event: &Event, before: State) -> Result<bool, Fault> {
        // Of a change of either, the event itself counts too.
        let opens = event.is_state_of("m.room.history_visibility", "") && !History::of(Some(event)).hides();
        let is_own = event.kind() == "m.room.member"
            && event
                .state_key()
                .is_some_and(|user_id| self.is_of_server(user_id));
        if opens || is_own {
            return Ok(true);
        }
        if let Some(known) = self.seen.borrow().get(&before) {
            return Ok(*known);
        }
        let sees = self.sees_at(before)?;
        self.seen.borrow_mut().insert(before, sees);
        Ok(sees)
    }

    fn sees_at(&self, state: State) -> Result<bool, Fault> {
        let history = History::of(
            self.view
                .at(state)
                .event("m.room.history_visibility", "")?
                .as_ref(),
        );
        if !history.hides() {
            return Ok(true);
        }
        let invited = history == History::Invited;
        let nodes = self.view.nodes();
        let entries = state.entries_of_type(&nodes, "m.room.member", None);
        for entry in entries.map_err(crate::error::trie)? {
            let entry = entry.map_err(crate::error::trie)?;
            if !self.is_of_server(entry.state_key()) {
                continue;
            }
            let membership = members::stored(self.view, &entry.event_id())?.event.membership();
            if membership == Some(Membership::Join) || (invited && membership == Some(Membership::Invite)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn is_of_server(&self, user_id: &str) -> bool {
        is_of(user_id, self.server)
    }
}

fn decides_over_power(event: &Event) -> bool {
    const KINDS: [&str; 3] = ["m.room.create", "m.room.power_levels", "m.room.join_rules"];
    KINDS.iter().any(|kind| event.is_state_of(kind, ""))
}
