//! A room with some people in it.

use selvage_event::RoomVersion;
use selvage_object::{Failure, ObjectKey, Placement};
use selvage_protocol::room::{GetEvent, GetState, GetStateEvent, MembershipAction, SendReply};
use selvage_sim::asks::{self, parsed, viewer};
use selvage_sim::sync::{Options, SyncReply, sync};
use selvage_sim::{Layout, Server};
use serde_json::{Value, json};

/// The creator, with power 100.
pub(crate) const ALICE: &str = "@alice:test";
/// A moderator, with power 50.
pub(crate) const MOD: &str = "@mod:test";
/// A member without power.
pub(crate) const BOB: &str = "@bob:test";
/// Somebody who was never in the room.
pub(crate) const CAROL: &str = "@carol:test";

/// Something that happens in the room.
pub(crate) type Act = fn(&mut Fixture);

/// A server and its room.
pub(crate) struct Fixture {
    pub(crate) server: Server,
    pub(crate) room: ObjectKey,
}

impl Fixture {
    /// A room of Alice alone, of version 11.
    pub(crate) fn alone(join_rule: &str, history: &str) -> Self {
        Self::of_version("11", join_rule, history)
    }

    /// A room of Alice alone, of any version.
    pub(crate) fn of_version_named(version: RoomVersion, join_rule: &str, history: &str) -> Self {
        Self::of_version(version.as_str(), join_rule, history)
    }

    /// The id of a user's membership event, as Alice reads it.
    pub(crate) fn member_event(&mut self, user: &str) -> Option<String> {
        let ask = GetStateEvent {
            viewer: viewer(ALICE),
            kind: "m.room.member".to_owned(),
            state_key: user.to_owned(),
        };
        let event = self.server.ask(&self.room, ask).ok()?;
        parsed(&event)["event_id"].as_str().map(str::to_owned)
    }

    pub(crate) fn of_version(version: &str, join_rule: &str, history: &str) -> Self {
        // So many shards that no two objects share one: what each writes can be told apart.
        let layout = Layout {
            placement: Placement::ByKind { shards: 4_096 },
            ..Layout::default()
        };
        let mut server = Server::new("test", layout, 1);
        for user in [ALICE, MOD, BOB, CAROL] {
            asks::register(&mut server, user, asks::DEVICE);
        }
        let state = asks::usual_state(ALICE, version, join_rule, history);
        let (room, create) = asks::create(&server, ALICE, version, "room", state);
        server.ask(&room, create).expect("a room");
        Self { server, room }
    }

    /// A room of Alice, the moderator and Bob.
    pub(crate) fn peopled(join_rule: &str, history: &str) -> Self {
        let mut fixture = Self::alone(join_rule, history);
        for user in [MOD, BOB] {
            fixture.enter(user);
        }
        fixture.power(MOD, 50);
        fixture
    }

    pub(crate) fn room_id(&self) -> &str {
        self.room.name()
    }

    pub(crate) fn enter(&mut self, user: &str) {
        self.change(ALICE, MembershipAction::Invite, user)
            .expect("an invite");
        self.change(user, MembershipAction::Join, user).expect("a join");
    }

    pub(crate) fn power(&mut self, user: &str, level: i64) {
        let content = json!({ "users": { ALICE: 100, user: level } });
        self.put(ALICE, "m.room.power_levels", "", &content)
            .expect("power levels");
    }

    pub(crate) fn change(
        &mut self,
        by: &str,
        action: MembershipAction,
        target: &str,
    ) -> Result<SendReply, Failure> {
        self.server.ask(&self.room, asks::membership(by, action, target))
    }

    pub(crate) fn put(
        &mut self,
        by: &str,
        kind: &str,
        key: &str,
        content: &Value,
    ) -> Result<SendReply, Failure> {
        self.server
            .ask(&self.room, asks::put_state(by, kind, key, content))
    }

    /// Sends a message whose text is its transaction id.
    pub(crate) fn say(&mut self, by: &str, body: &str) -> Result<SendReply, Failure> {
        self.server.ask(&self.room, asks::message(by, body, body))
    }

    pub(crate) fn said(&mut self, by: &str, body: &str) -> String {
        asks::event_id(self.say(by, body))
    }

    /// Sends messages `1` to `count`.
    pub(crate) fn say_many(&mut self, by: &str, count: usize) -> Vec<String> {
        let bodies: Vec<String> = (1..=count).map(|number| number.to_string()).collect();
        for body in &bodies {
            self.said(by, body);
        }
        bodies
    }

    pub(crate) fn event(
        &mut self,
        user: &str,
        event_id: &str,
    ) -> Result<serde_json::Map<String, Value>, Failure> {
        let ask = GetEvent {
            viewer: viewer(user),
            event_id: event_id.to_owned(),
        };
        self.server.ask(&self.room, ask).map(|reply| parsed(&reply.event))
    }

    pub(crate) fn state(&mut self, user: &str, kind: &str, key: &str) -> Result<Value, Failure> {
        let ask = GetStateEvent {
            viewer: viewer(user),
            kind: kind.to_owned(),
            state_key: key.to_owned(),
        };
        self.server
            .ask(&self.room, ask)
            .map(|event| parsed(&event)["content"].clone())
    }

    /// How many state events the room has, as Alice sees them.
    pub(crate) fn states(&mut self) -> usize {
        let ask = GetState {
            viewer: viewer(ALICE),
        };
        self.server
            .ask(&self.room, ask)
            .expect("Alice may read the state")
            .len()
    }

    /// How many events the room keeps.
    pub(crate) fn events(&self) -> u64 {
        let shard = self.server.shard_of(&self.room);
        let rows = self.server.rows(&shard, "SELECT count(*) FROM room_events", &[]);
        rows[0].number(0).expect("a count")
    }

    pub(crate) fn membership(&mut self, user: &str) -> String {
        match self.state(ALICE, "m.room.member", user) {
            Ok(content) => content["membership"].as_str().unwrap_or_default().to_owned(),
            Err(_) => "none".to_owned(),
        }
    }

    pub(crate) fn sync(&mut self, user: &str, since: Option<&SyncReply>) -> SyncReply {
        self.sync_with(user, since, &Options::default())
    }

    pub(crate) fn sync_with(
        &mut self,
        user: &str,
        since: Option<&SyncReply>,
        options: &Options,
    ) -> SyncReply {
        sync(&mut self.server, user, since.map(SyncReply::next), options).expect("a sync")
    }
}

/// Whether an answer is the refusal of this code, and the room unchanged.
pub(crate) fn refused<T: std::fmt::Debug>(
    fixture: &mut Fixture,
    errcode: &str,
    what: &str,
    ask: impl FnOnce(&mut Fixture) -> Result<T, Failure>,
) {
    let before = (fixture.events(), fixture.states());
    let answer = ask(fixture);
    assert_eq!(asks::errcode(answer), errcode, "{what}");
    assert_eq!(
        (fixture.events(), fixture.states()),
        before,
        "{what} left something"
    );
    assert_eq!(fixture.server.undelivered(), 0, "{what} told somebody");
}
