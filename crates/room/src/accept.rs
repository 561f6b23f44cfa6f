//! One turn's work on a room: events of local users are built and sent on the one way in, and those who must know are told.

use selvage_event::auth::PowerLevels;
use selvage_event::{CheckedEvent, Event, EventId, Map, Membership, Template, UserId, auth_types_for};
use selvage_object::{Failure, Fault, ObjectKey, Param, Tracked, Turn};
use selvage_protocol::user::{self, MembershipChanged, RoomMoved, UserCommand};
use selvage_protocol::user_key;

use crate::error::{format, refused};
use crate::extremities;
use crate::memory::{Head, Memory};
use crate::news::{self, News};
use crate::object::RoomObject;
use crate::place::{Placed, Placing};
use crate::view::{At, View};

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
    /// Whether readers have something new to see.
    moved: bool,
    pub(crate) memberships: Vec<(String, MembershipChanged)>,
    pub(crate) news: News,
}

impl<'a, 't> Work<'a, 't> {
    pub(crate) fn new(room: &'a RoomObject, memory: &'a mut Tracked<Memory>, turn: &'a mut Turn<'t>) -> Self {
        Self {
            room,
            memory,
            turn,
            moved: false,
            memberships: Vec::new(),
            news: News::default(),
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
        match self.place(checked, Placing::ours(txn.as_deref()))? {
            Placed::Accepted(event) => {
                self.spread(&event)?;
                Ok(event)
            }
            Placed::SoftFailed(refusal) | Placed::Rejected(refusal) => Err(refused(refusal)),
        }
    }

    /// Builds an event on the forward extremities. Whether it is allowed is open.
    pub(crate) fn build(&self, draft: Draft) -> Result<CheckedEvent, Failure> {
        let version = self.view().head()?.version;
        let identity = &self.room.identity;
        let built = self
            .template(draft)?
            .build(version, &identity.server_name, &identity.key);
        Ok(built.map_err(|error| format(&error))?)
    }

    fn template(&self, draft: Draft) -> Result<Template, Failure> {
        let view = self.view();
        let head = view.head()?;
        let auth_events = self.auth_events(&draft, head)?;
        let now = draft.origin_server_ts.unwrap_or(self.turn.now().0);
        let create = view.now()?.event("m.room.create", "")?;
        let create = create.ok_or_else(|| Fault::corrupt("a room without create event"))?;
        let followed = extremities::to_follow(&head.extremities);
        Ok(Template {
            room_id: Some(create.room_id().clone()),
            sender: draft.sender,
            kind: draft.kind,
            state_key: draft.state_key,
            content: draft.content,
            prev_events: followed.iter().map(|extremity| extremity.id.clone()).collect(),
            auth_events,
            depth: head.next_depth(),
            origin_server_ts: i64::try_from(now).unwrap_or(i64::MAX),
            redacts: draft.redacts,
        })
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

    /// Takes a position for something that is no event, so that readers see it in order.
    pub(crate) fn take_position(&mut self) -> Result<i64, Failure> {
        let mut head = self.view().head()?.clone();
        head.pos += 1;
        let pos = head.pos;
        self.memory.change().head = Some(head);
        Ok(pos)
    }

    /// Tells one user at the end of the turn that its membership changed; of several changes, the last counts.
    pub(crate) fn tell_member(&mut self, user_id: &str, changed: MembershipChanged) {
        self.memberships.retain(|(told, _)| told != user_id);
        self.memberships.push((user_id.to_owned(), changed));
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
        .any_head()?
        .clone();
        write_head(self.turn, &head)?;
        news::tell(self.memory, self.turn, self.news)?;
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
        .any_head()?
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
    let extremities = extremities::write(&head.extremities)?;
    let root = head.state.root();
    let params = [
        Param::Text(head.version.as_str()),
        Param::Integer(head.pos),
        Param::Integer(head.ord),
        Param::Text(&extremities),
        Param::Blob(root.as_bytes()),
        Param::number(head.joined),
        Param::number(head.invited),
        head.txn_mark.map_or(Param::Null, Param::Integer),
    ];
    let sql = "INSERT INTO room_head (object, version, pos, ord, extremities, state, joined, invited, txn_mark) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (object) DO UPDATE SET \
               pos = excluded.pos, ord = excluded.ord, extremities = excluded.extremities, \
               state = excluded.state, joined = excluded.joined, invited = excluded.invited, \
               txn_mark = excluded.txn_mark";
    Ok(turn.write(sql, &params)?)
}
