//! The one way in: an event is built, authorised, and stored, and those who must know are told.

use selvage_event::auth::PowerLevels;
use selvage_event::pipeline::ChainError;
use selvage_event::{
    AuthorisedEvent, CheckedEvent, Event, EventId, Map, Membership, Template, UserId, auth_types_for,
    authorise_at_extremities,
};
use selvage_object::{Failure, Fault, ObjectKey, Param, Tracked, Turn};
use selvage_protocol::user::{self, MembershipChanged, RoomMoved, UserCommand};
use selvage_protocol::{Json, user_key};

use crate::error::{forbidden, format, json, trie};
use crate::memory::{Head, Memory};
use crate::nodes::Nodes;
use crate::object::RoomObject;
use crate::trie::State;
use crate::view::{At, View};
use crate::{client_event, event_ref};

/// An event that a local user wants to send.
pub(crate) struct Draft {
    pub(crate) sender: UserId,
    pub(crate) kind: String,
    pub(crate) state_key: Option<String>,
    pub(crate) content: Map,
    pub(crate) redacts: Option<EventId>,
    /// Milliseconds since 1970; the time of the turn where the sender may not choose.
    pub(crate) origin_server_ts: Option<u64>,
    /// The sender's device and transaction id.
    pub(crate) txn: Option<String>,
}

/// One turn's work on a room: what it changes, and whom to tell at its end.
pub(crate) struct Work<'a, 't> {
    pub(crate) room: &'a RoomObject,
    pub(crate) memory: &'a mut Tracked<Memory>,
    pub(crate) turn: &'a mut Turn<'t>,
    moved: bool,
    memberships: Vec<(String, MembershipChanged)>,
}

impl<'a, 't> Work<'a, 't> {
    pub(crate) const fn new(
        room: &'a RoomObject,
        memory: &'a mut Tracked<Memory>,
        turn: &'a mut Turn<'t>,
    ) -> Self {
        Self {
            room,
            memory,
            turn,
            moved: false,
            memberships: Vec::new(),
        }
    }

    /// The room as it is at this point of the turn.
    pub(crate) fn view(&self) -> View<'_> {
        View {
            turn: self.turn,
            memory: self.memory,
        }
    }

    /// Builds an event on the forward extremities, authorises it, and stores it.
    pub(crate) fn send(&mut self, draft: Draft) -> Result<Event, Failure> {
        let txn = draft.txn.clone();
        let checked = self.build(draft)?;
        let authorised = self.authorise(checked)?;
        self.store(authorised, txn.as_deref())
    }

    fn build(&self, draft: Draft) -> Result<CheckedEvent, Failure> {
        let view = self.view();
        let head = view.head()?;
        let auth_events = self.auth_events(&draft, head)?;
        let now = draft.origin_server_ts.unwrap_or(self.turn.now().0);
        let create = view.now()?.event("m.room.create", "")?;
        let create = create.ok_or_else(|| Fault::corrupt("a room without create event"))?;
        let template = Template {
            room_id: Some(create.room_id().clone()),
            sender: draft.sender,
            kind: draft.kind,
            state_key: draft.state_key,
            content: draft.content,
            prev_events: head.extremities.clone(),
            auth_events,
            depth: head.depth.saturating_add(1),
            origin_server_ts: i64::try_from(now).unwrap_or(i64::MAX),
            redacts: draft.redacts,
        };
        let identity = &self.room.identity;
        let built = template.build(head.version, &identity.server_name, &identity.key);
        Ok(built.map_err(|error| format(&error))?)
    }

    fn auth_events(&self, draft: &Draft, head: &Head) -> Result<Vec<EventId>, Failure> {
        let state_key = draft.state_key.as_deref();
        let sender = draft.sender.as_str();
        let keys = auth_types_for(head.version, &draft.kind, sender, state_key, &draft.content);
        let now = self.view().now()?;
        let mut ids = Vec::with_capacity(keys.len());
        for (kind, state_key) in keys {
            ids.extend(now.id(&kind, &state_key)?);
        }
        Ok(ids)
    }

    /// Authorises an event that follows all forward extremities; the refusal names the rule.
    pub(crate) fn authorise(&self, checked: CheckedEvent) -> Result<AuthorisedEvent, Failure> {
        let view = self.view();
        match authorise_at_extremities(checked, &view, &view.now()?) {
            Ok(Ok(authorised)) => Ok(authorised),
            Ok(Err(rejected)) => Err(forbidden(format!(
                "the room's rules forbid this: {}",
                rejected.refusal()
            ))),
            Err(ChainError::Missing(ids)) => {
                Err(Fault::corrupt(format!("auth events {ids:?} are not stored")).into())
            }
            Err(ChainError::Lookup(fault)) => Err(fault.into()),
        }
    }

    /// Stores an event that passed all checks, as the room's one forward extremity.
    pub(crate) fn store(&mut self, authorised: AuthorisedEvent, txn: Option<&str>) -> Result<Event, Failure> {
        let event = authorised.event().clone();
        let mut head = self.view().head()?.clone();
        let before = head.state;
        let old_membership = self.membership_before(&event, before)?;
        head.pos += 1;
        head.depth = event.depth();
        head.extremities = vec![event.event_id().clone()];
        head.state = self.state_after(&event, before)?;
        self.insert(&event, head.pos, before, txn)?;
        if head.state != before {
            let sql = "INSERT INTO room_states (object, pos, state) VALUES (?1, ?2, ?3)";
            self.turn.write(
                sql,
                &[
                    Param::Integer(head.pos),
                    Param::Blob(head.state.root().as_bytes()),
                ],
            )?;
        }
        if let Some(old) = old_membership {
            count(&mut head, old, event.membership());
        }
        let pos = head.pos;
        self.memory.change().head = Some(head);
        self.memory.events.borrow_mut().insert(event.clone());
        self.note(&event, pos)?;
        self.moved = true;
        Ok(event)
    }

    fn state_after(&self, event: &Event, before: State) -> Result<State, Fault> {
        let Some(state_key) = event.state_key() else {
            return Ok(before);
        };
        let mut nodes = Nodes {
            turn: self.turn,
            cache: &self.memory.nodes,
        };
        before
            .set(&mut nodes, event.kind(), state_key, event.event_id().as_str())
            .map_err(trie)
    }

    fn insert(&self, event: &Event, pos: i64, before: State, txn: Option<&str>) -> Result<(), Failure> {
        let sql = "INSERT INTO room_events (object, pos, event_id, json, state, txn) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let id = event_ref::pack(event.event_id().as_str());
        let before = before.root();
        let state = Param::Blob(before.as_bytes());
        let txn = Param::optional_text(txn);
        let (id, json) = (Param::Blob(&id), Param::Text(event.json()));
        Ok(self
            .turn
            .write(sql, &[Param::Integer(pos), id, json, state, txn])?)
    }

    /// What a membership event's user was before; `None` for other events.
    fn membership_before(&self, event: &Event, before: State) -> Result<Option<Membership>, Fault> {
        let user_id = event.state_key().filter(|_| event.kind() == "m.room.member");
        user_id
            .map(|user_id| self.view().at(before).membership(user_id))
            .transpose()
    }

    /// Notes whom a membership event concerns.
    fn note(&mut self, event: &Event, pos: i64) -> Result<(), Failure> {
        let (Some(user_id), Some(membership)) = (event.state_key(), event.membership()) else {
            return Ok(());
        };
        if event.kind() != "m.room.member" || !self.room.identity.is_local(user_id) {
            return Ok(());
        }
        self.keep_local(user_id, membership == Membership::Join)?;
        let stripped_state = self.stripped_state(event, membership)?;
        let changed = MembershipChanged {
            room_id: event.room_id().as_str().to_owned(),
            pos,
            membership: spoken(membership),
            sender: event.sender().as_str().to_owned(),
            stripped_state,
        };
        self.memberships.retain(|(told, _)| told != user_id);
        self.memberships.push((user_id.to_owned(), changed));
        Ok(())
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
        Ok(())
    }

    fn stripped_state(&self, event: &Event, membership: Membership) -> Result<Vec<Json>, Failure> {
        match membership {
            Membership::Invite | Membership::Knock => client_event::stripped_state(self.view(), event),
            _ => Ok(Vec::new()),
        }
    }

    /// Takes a position for something that is no event, so that readers see it in order.
    pub(crate) fn take_position(&mut self) -> Result<i64, Failure> {
        let mut head = self.view().head()?.clone();
        head.pos += 1;
        let pos = head.pos;
        self.memory.change().head = Some(head);
        Ok(pos)
    }

    /// Tells all local members that the room moved on.
    pub(crate) const fn tell_everybody(&mut self) {
        self.moved = true;
    }

    /// Writes the head and tells those concerned. Every command that changed something ends with it.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        let head = View {
            turn: self.turn,
            memory: self.memory,
        }
        .head()?
        .clone();
        write_head(self.turn, &head)?;
        for (user_id, changed) in self.memberships {
            self.turn
                .tell(vec![user_key(&user_id)], &UserCommand::MembershipChanged(changed))?;
        }
        if self.moved {
            let room_id = self.turn.key().name().to_owned();
            let to = self
                .memory
                .locals
                .iter()
                .map(|user_id| user_key(user_id))
                .collect();
            self.turn.tell(
                to,
                &UserCommand::RoomMoved(RoomMoved {
                    room_id,
                    pos: head.pos,
                }),
            )?;
        }
        Ok(())
    }

    /// Writes the head and tells one user alone that the room moved on.
    pub(crate) fn finish_for(self, user_id: &str) -> Result<(), Failure> {
        let head = View {
            turn: self.turn,
            memory: self.memory,
        }
        .head()?
        .clone();
        write_head(self.turn, &head)?;
        let moved = RoomMoved {
            room_id: self.turn.key().name().to_owned(),
            pos: head.pos,
        };
        let to: Vec<ObjectKey> = vec![user_key(user_id)];
        Ok(self.turn.tell(to, &UserCommand::RoomMoved(moved))?)
    }

    /// The power levels now.
    pub(crate) fn power_levels(&self) -> Result<Option<PowerLevels>, Failure> {
        PowerLevels::of_state(&self.view().now()?).map_err(|error| Fault::corrupt(error.to_string()).into())
    }

    /// The room now.
    pub(crate) fn now(&self) -> Result<At<'_>, Failure> {
        self.view().now()
    }
}

fn count(head: &mut Head, old: Membership, new: Option<Membership>) {
    let change = |count: &mut u64, was: bool, is: bool| match (was, is) {
        (false, true) => *count += 1,
        (true, false) => *count = count.saturating_sub(1),
        _ => {}
    };
    change(
        &mut head.joined,
        old == Membership::Join,
        new == Some(Membership::Join),
    );
    change(
        &mut head.invited,
        old == Membership::Invite,
        new == Some(Membership::Invite),
    );
}

/// A membership in the words of the protocol between objects.
pub(crate) const fn spoken(membership: Membership) -> user::Membership {
    match membership {
        Membership::Join => user::Membership::Join,
        Membership::Invite => user::Membership::Invite,
        Membership::Knock => user::Membership::Knock,
        Membership::Leave => user::Membership::Leave,
        Membership::Ban => user::Membership::Ban,
    }
}

fn write_head(turn: &Turn<'_>, head: &Head) -> Result<(), Failure> {
    let extremities = serde_json::to_string(&head.extremities).map_err(|error| json(&error))?;
    let root = head.state.root();
    let params = [
        Param::Text(head.version.as_str()),
        Param::Integer(head.pos),
        Param::Integer(head.depth),
        Param::Text(&extremities),
        Param::Blob(root.as_bytes()),
        Param::number(head.joined),
        Param::number(head.invited),
        head.txn_mark.map_or(Param::Null, Param::Integer),
    ];
    let sql = "INSERT INTO room_head (object, version, pos, depth, extremities, state, joined, invited, txn_mark) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (object) DO UPDATE SET pos = excluded.pos, \
               depth = excluded.depth, extremities = excluded.extremities, state = excluded.state, \
               joined = excluded.joined, invited = excluded.invited, txn_mark = excluded.txn_mark";
    Ok(turn.write(sql, &params)?)
}
