//! What follows from a change of the current state: who is in the room, and who must be told.

use std::collections::BTreeMap;

use selvage_event::{Event, EventId, Membership, UserId};
use selvage_object::{Failure, Fault, Param};
use selvage_protocol::Json;
use selvage_protocol::user::MembershipChanged;

use crate::accept::{Work, spoken};
use crate::client_event;
use crate::error::trie;
use crate::memory::Head;
use crate::trie::State;
use crate::view::View;

/// An event with the states before and after it.
pub(crate) struct Step<'e> {
    pub(crate) event: &'e Event,
    pub(crate) before: State,
    pub(crate) after: State,
}

/// One user's membership event, before and after.
struct MemberChange {
    user_id: String,
    old: Option<Event>,
    new: Option<Event>,
}

/// What a change of state means for counts.
#[derive(Default)]
struct Counts {
    joined: i64,
    invited: i64,
    /// Joined users by other servers.
    servers: BTreeMap<String, i64>,
    locals: Vec<MemberChange>,
}

impl Work<'_, '_> {
    /// Follows the current state from what it was to what the head says now, after the event at the head's position.
    pub(crate) fn follow_state(&mut self, old: State, last: &Step<'_>) -> Result<(), Failure> {
        let head = self.view().any_head()?.clone();
        if head.state == old {
            return Ok(());
        }
        let sql = "INSERT INTO room_states (object, pos, state) VALUES (?1, ?2, ?3)";
        let root = head.state.root();
        self.turn
            .write(sql, &[Param::Integer(head.pos), Param::Blob(root.as_bytes())])?;
        let counts = self.count(old, &head, last)?;
        self.write_counts(head, &counts)?;
        for change in &counts.locals {
            self.note(change)?;
        }
        Ok(())
    }

    fn count(&self, old: State, head: &Head, last: &Step<'_>) -> Result<Counts, Failure> {
        let view = self.view();
        let mut counts = Counts::default();
        if old == last.before && head.state == last.after {
            let user_id = last.event.state_key();
            if let Some(user_id) = user_id.filter(|_| last.event.kind() == "m.room.member") {
                let old = view.at(old).event("m.room.member", user_id)?;
                self.count_one(&mut counts, user_id, old, Some(last.event.clone()));
            }
            return Ok(counts);
        }
        let nodes = view.nodes();
        for difference in old.difference(&nodes, head.state).map_err(trie)? {
            let difference = difference.map_err(trie)?;
            if &*difference.event_type == "m.room.member" {
                let (left, right) = (
                    event_of(view, difference.left)?,
                    event_of(view, difference.right)?,
                );
                self.count_one(&mut counts, &difference.state_key, left, right);
            }
        }
        Ok(counts)
    }

    fn count_one(&self, counts: &mut Counts, user_id: &str, old: Option<Event>, new: Option<Event>) {
        let is = |event: &Option<Event>, membership: Membership| {
            i64::from(event.as_ref().and_then(Event::membership) == Some(membership))
        };
        let joined = is(&new, Membership::Join) - is(&old, Membership::Join);
        counts.joined += joined;
        counts.invited += is(&new, Membership::Invite) - is(&old, Membership::Invite);
        if self.room.identity.is_local(user_id) {
            counts.locals.push(MemberChange {
                user_id: user_id.to_owned(),
                old,
                new,
            });
        } else if joined != 0
            && let Ok(user) = UserId::parse(user_id)
        {
            *counts.servers.entry(user.domain().to_owned()).or_default() += joined;
        }
    }

    fn write_counts(&mut self, mut head: Head, counts: &Counts) -> Result<(), Failure> {
        let pos = head.pos;
        head.joined = head.joined.saturating_add_signed(counts.joined);
        head.invited = head.invited.saturating_add_signed(counts.invited);
        let memory = self.memory.change();
        memory.head = Some(head);
        if !counts.servers.is_empty() {
            memory.servers = None;
        }
        for (server, joined) in counts.servers.iter().filter(|(_, joined)| **joined != 0) {
            let sql = "INSERT INTO room_servers (object, server, joined, since, until) VALUES (?1, ?2, ?3, ?4, ?4) \
                       ON CONFLICT (object, server) DO UPDATE SET joined = joined + excluded.joined, \
                       since = CASE WHEN joined > 0 THEN since ELSE excluded.since END, until = excluded.until";
            let params = [Param::Text(server), Param::Integer(*joined), Param::Integer(pos)];
            self.turn.write(sql, &params)?;
        }
        Ok(())
    }

    /// Notes what became of a local user's membership.
    fn note(&mut self, change: &MemberChange) -> Result<(), Failure> {
        let membership = change.new.as_ref().and_then(Event::membership);
        let membership = membership.unwrap_or(Membership::Leave);
        if change.new.is_none() && change.old.as_ref().and_then(Event::membership) == Some(Membership::Leave)
        {
            return Ok(());
        }
        self.keep_vanished(change)?;
        self.keep_local(&change.user_id, membership == Membership::Join)?;
        let stripped_state = self.stripped_state(change.new.as_ref(), membership)?;
        let sender = change
            .new
            .as_ref()
            .map_or(change.user_id.as_str(), |event| event.sender().as_str());
        let changed = MembershipChanged {
            room_id: self.turn.key().name().to_owned(),
            pos: self.view().any_head()?.pos,
            membership: spoken(membership),
            sender: sender.to_owned(),
            stripped_state,
        };
        self.tell_member(&change.user_id, changed);
        Ok(())
    }

    /// Remembers whose membership is no more, without an event that says so: until then they were in the room.
    fn keep_vanished(&self, change: &MemberChange) -> Result<(), Failure> {
        let user_id = Param::Text(&change.user_id);
        if change.new.is_none() {
            let pos = Param::Integer(self.view().any_head()?.pos);
            let sql = "INSERT OR REPLACE INTO room_vanished (object, user_id, pos) VALUES (?1, ?2, ?3)";
            return Ok(self.turn.write(sql, &[user_id, pos])?);
        }
        if change.old.is_some() {
            return Ok(());
        }
        let sql = "DELETE FROM room_vanished WHERE object = ?1 AND user_id = ?2";
        Ok(self.turn.write(sql, &[user_id])?)
    }

    fn keep_local(&mut self, user_id: &str, joined: bool) -> Result<(), Failure> {
        if joined == self.memory.locals.contains(user_id) {
            return Ok(());
        }
        if joined {
            let sql = "INSERT INTO room_locals (object, user_id) VALUES (?1, ?2)";
            self.turn.write(sql, &[Param::Text(user_id)])?;
            self.memory.change().locals.insert(user_id.to_owned());
        } else {
            let sql = "DELETE FROM room_locals WHERE object = ?1 AND user_id = ?2";
            self.turn.write(sql, &[Param::Text(user_id)])?;
            let memory = self.memory.change();
            memory.locals.remove(user_id);
            memory.typing.remove(user_id);
        }
        self.note_leaving(joined)
    }

    /// Notes that the last local user left, or that one is back.
    fn note_leaving(&self, joined: bool) -> Result<(), Failure> {
        let own = self.room.identity.server_name.as_str();
        if joined && self.memory.locals.len() == 1 {
            let sql = "DELETE FROM room_servers WHERE object = ?1 AND server = ?2";
            self.turn.write(sql, &[Param::Text(own)])?;
        } else if self.memory.locals.is_empty() {
            let sql = "INSERT OR REPLACE INTO room_servers (object, server, joined, since, until) VALUES (?1, ?2, 0, ?3, ?3)";
            let pos = self.view().any_head()?.pos;
            self.turn.write(sql, &[Param::Text(own), Param::Integer(pos)])?;
        }
        Ok(())
    }

    fn stripped_state(&self, event: Option<&Event>, membership: Membership) -> Result<Vec<Json>, Failure> {
        match (event, membership) {
            (Some(event), Membership::Invite | Membership::Knock) => {
                client_event::stripped_state(self.view(), event)
            }
            _ => Ok(Vec::new()),
        }
    }
}

fn event_of(view: View<'_>, id: Option<String>) -> Result<Option<Event>, Fault> {
    let parse = |id: String| EventId::parse(id).map_err(|error| Fault::corrupt(error.to_string()));
    id.map(|id| view.known_event(&parse(id)?)).transpose()
}
