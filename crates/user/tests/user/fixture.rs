//! A user, told things by rooms that need not exist.

use selvage_object::{Failure, ObjectKey, Param};
use selvage_protocol::user::{
    Changes, ChangesReply, Membership, MembershipChanged, RoomMoved, Seen, Window, WindowStart,
};
use selvage_protocol::{Ask, user_key};
use selvage_sim::asks::{self, DEVICE, raw, token};
use selvage_sim::{Layout, Server};
use serde_json::json;

pub(crate) const ALICE: &str = "@alice:test";
pub(crate) const ROOM: &str = "!room:test";

/// A server with one user on one device.
pub(crate) struct Fixture {
    pub(crate) server: Server,
    pub(crate) user: ObjectKey,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        Self::of(Layout::default())
    }

    pub(crate) fn of(layout: Layout) -> Self {
        let mut server = Server::new("test", layout, 1);
        asks::register(&mut server, ALICE, DEVICE);
        Self {
            server,
            user: user_key(ALICE),
        }
    }

    pub(crate) fn ask<A: Ask>(&mut self, ask: A) -> Result<A::Reply, Failure> {
        self.server.ask(&self.user, ask)
    }

    pub(crate) fn told(&mut self, membership: Membership, pos: i64) {
        self.told_of(ROOM, membership, pos);
    }

    pub(crate) fn told_of(&mut self, room_id: &str, membership: Membership, pos: i64) {
        let asked_in = matches!(membership, Membership::Invite | Membership::Knock);
        let stripped = asked_in.then(|| raw(&json!({ "type": "m.room.name" })));
        let tell = MembershipChanged {
            room_id: room_id.to_owned(),
            pos,
            membership,
            sender: "@bob:test".to_owned(),
            stripped_state: stripped.into_iter().collect(),
        };
        self.ask(tell).expect("told");
    }

    pub(crate) fn moved(&mut self, pos: i64) {
        self.moved_in(ROOM, pos);
    }

    pub(crate) fn moved_in(&mut self, room_id: &str, pos: i64) {
        let tell = RoomMoved {
            room_id: room_id.to_owned(),
            pos,
        };
        self.ask(tell).expect("told");
    }

    pub(crate) fn changes(&mut self, since: Option<Seen>) -> ChangesReply {
        self.changes_as(request(since))
    }

    pub(crate) fn changes_as(&mut self, request: Changes) -> ChangesReply {
        self.ask(request).expect("a known token")
    }

    /// How many entries the log has.
    pub(crate) fn entries(&self) -> u64 {
        self.count("SELECT count(*) FROM user_log JOIN objects USING (object) WHERE name = ?1")
    }

    pub(crate) fn count(&self, sql: &'static str) -> u64 {
        let shard = self.server.shard_of(&self.user);
        let rows = self.server.rows(&shard, sql, &[Param::Text(ALICE)]);
        rows[0].number(0).expect("a count")
    }
}

pub(crate) fn request(since: Option<Seen>) -> Changes {
    Changes {
        token_hash: token(ALICE, DEVICE),
        since,
        full_state: false,
        include_leave: false,
        filter_id: None,
    }
}

/// What is said of the room, in short: its membership and window.
pub(crate) fn short(changes: &ChangesReply, room_id: &str) -> String {
    let Some(change) = changes.rooms.get(room_id) else {
        return "nothing".to_owned();
    };
    let window = match change.window {
        None => "no window".to_owned(),
        Some(Window {
            from: WindowStart::Nothing,
            to,
        }) => format!("anew to {to}"),
        Some(Window {
            from: WindowStart::Lost,
            to,
        }) => format!("lost to {to}"),
        Some(Window {
            from: WindowStart::After(from),
            to,
        }) => format!("{from} to {to}"),
    };
    format!("{}, {window}", change.membership.as_str())
}
