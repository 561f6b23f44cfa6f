//! Coming into a room that other servers have: its events are supplied piece by piece, each of them checked, and until the join
//! has its place there is no such room here (spec: server-server-api §joining-rooms; attack 11).

use selvage_event::{Event, RoomVersion};
use selvage_object::{Failure, ObjectKey};
use selvage_protocol::Json;
use selvage_protocol::federation::{
    Begin, EventsById, Missing, Outcome, Place, ServerKey, Supply, SupplyState, Verdict,
};
use selvage_protocol::room::{GetState, MembershipAction};
use selvage_sim::Server;
use selvage_sim::asks::{self, errcode, viewer};
use selvage_sim::remote::{RemoteRoom, raw};
use serde_json::{Value, json};

use crate::fixture::ALICE;
use crate::foreign::{EVIL, HOME, ann, creator, eve, server};

/// A server that joins, and the room that it is told of.
struct Joining {
    server: Server,
    remote: RemoteRoom,
    room: ObjectKey,
}

impl Joining {
    /// Alice is about to join: the room's events, and her join, are in `remote.sent`.
    fn new(version: RoomVersion) -> Self {
        let mut remote = RemoteRoom::new(HOME, version);
        for user in [ann(), eve()] {
            remote.join(&user);
        }
        let room = remote.room();
        Self {
            server: server(),
            remote,
            room,
        }
    }

    fn keys(&self) -> Vec<ServerKey> {
        vec![self.remote.key_of(HOME), self.remote.key_of(EVIL)]
    }

    fn begin(&mut self) {
        let version = self.remote.version().as_str().to_owned();
        self.server
            .ask(&self.room, Begin { version })
            .expect("a beginning");
    }

    fn supply(&mut self, events: Vec<Json>) -> Vec<Verdict> {
        let keys = self.keys();
        self.server
            .ask(
                &self.room,
                Supply {
                    events,
                    keys,
                    place: None,
                    is_state: false,
                },
            )
            .expect("verdicts")
            .verdicts
    }

    fn supply_all(&mut self) -> Vec<Verdict> {
        self.supply(self.remote.sent.iter().map(|(_, event)| event.clone()).collect())
    }

    fn supply_state(&mut self, of: &Event, state: Vec<String>) -> Vec<String> {
        let supply = SupplyState {
            event_id: of.event_id().as_str().to_owned(),
            first: true,
            state,
        };
        self.server.ask(&self.room, supply).expect("an answer").missing
    }

    fn ids(&self) -> Vec<String> {
        self.remote
            .sent
            .iter()
            .map(|(id, _)| id.as_str().to_owned())
            .collect()
    }

    fn place(&mut self, event: &Event) -> Verdict {
        let place = Place {
            origin: HOME.to_owned(),
            event: raw(event),
            keys: self.keys(),
            history_before: None,
        };
        let mut reply = self.server.ask(&self.room, place).expect("a verdict");
        self.server.settle();
        reply.verdicts.remove(0)
    }

    /// An event that follows the room as it is.
    fn next(&self, by: &selvage_event::UserId, kind: &str, key: Option<&str>, content: Value) -> Event {
        self.remote.sign(self.remote.template(by, kind, key, content))
    }

    fn message(&self) -> Event {
        self.next(&ann(), "m.room.message", None, json!({ "body": "the last" }))
    }

    /// For nobody there is a room here.
    fn is_nowhere(&mut self) {
        let room = self.room.clone();
        let state = GetState {
            viewer: viewer(ALICE),
        };
        assert_eq!(errcode(self.server.ask(&room, state)), "M_FORBIDDEN");
        let join = asks::membership(ALICE, MembershipAction::Join, ALICE);
        assert_eq!(
            errcode(self.server.ask(&room, join)),
            selvage_protocol::errcode::NOT_HERE
        );
        assert_eq!(
            errcode(self.server.ask(&room, asks::message(ALICE, "t", "x"))),
            "M_FORBIDDEN"
        );
        assert_eq!(errcode(self.server.ask(&room, Missing {})), "M_FORBIDDEN");
        assert_eq!(
            errcode(self.server.ask(&room, EventsById { ids: Vec::new() })),
            "M_FORBIDDEN"
        );
        assert_eq!(self.server.undelivered(), 0);
    }
}

/// Whatever is stopped in the middle leaves no half-joined room, and going on from there works.
#[test]
fn until_the_join_has_its_place_there_is_no_room() {
    for version in RoomVersion::ALL {
        let mut joining = Joining::new(version);
        joining.is_nowhere();
        let last = joining.message();
        joining.begin();
        joining.begin();
        joining.is_nowhere();
        joining.supply_all();
        joining.server.restart();
        joining.is_nowhere();
        let again = joining.supply_all();
        assert!(
            again.iter().all(|verdict| verdict.outcome == Outcome::Known),
            "version {version}"
        );
        let ids = joining.ids();
        assert_eq!(joining.supply_state(&last, ids), Vec::<String>::new());
        joining.is_nowhere();
        joining.server.restart();
        assert_eq!(
            joining.place(&last).outcome,
            Outcome::Accepted,
            "version {version}"
        );
        let join = asks::membership(ALICE, MembershipAction::Join, ALICE);
        let joined: Result<selvage_protocol::room::SendReply, Failure> =
            joining.server.ask(&joining.room, join);
        asks::event_id(joined);
        let state = GetState {
            viewer: viewer(ALICE),
        };
        let state = joining.server.ask(&joining.room, state).unwrap();
        assert_eq!(state.len(), joining.remote.sent.len() + 1, "version {version}");
    }
}

/// Attack 11: what the answer to a join may hold. Nothing of it is believed that was not checked.
#[test]
fn what_is_supplied_is_checked() {
    let mut joining = Joining::new(RoomVersion::V11);
    joining.begin();
    let create = joining.remote.sent[0].1.clone();
    let topic = joining.next(&creator(), "m.room.topic", Some(""), json!({ "topic": "x" }));
    let verdicts = joining.supply(vec![raw(&topic), create]);
    assert_eq!(
        verdicts[0].outcome,
        Outcome::Dropped,
        "its auth events come before an event"
    );
    assert!(verdicts[0].why.as_deref().unwrap().contains("are not here"));
    assert_eq!(verdicts[1].outcome, Outcome::Outlier);
    joining.supply_all();
    let unsigned: Json = {
        let mut event = asks::parsed(&raw(&topic));
        event.insert("signatures".into(), json!({}));
        asks::raw(&Value::Object(event))
    };
    let foreign = RemoteRoom::new("other.test", RoomVersion::V11);
    let by_eve = joining.next(&eve(), "m.room.topic", Some(""), json!({ "topic": "mine" }));
    for (what, event, outcome, why) in [
        ("unsigned", unsigned, Outcome::Dropped, HOME),
        (
            "of another room",
            foreign.sent[0].1.clone(),
            Outcome::Dropped,
            "another room",
        ),
        ("without power", raw(&by_eve), Outcome::Rejected, "RequiredPower"),
        (
            "junk",
            asks::raw(&json!({ "junk": "x" })),
            Outcome::Dropped,
            "missing",
        ),
    ] {
        let verdict = joining.supply(vec![event]).remove(0);
        assert_eq!(verdict.outcome, outcome, "{what}: {verdict:?}");
        assert!(
            verdict.why.as_deref().unwrap_or_default().contains(why),
            "{what}: {verdict:?}"
        );
    }
    joining.is_nowhere();
    // What was rejected is no part of the state, whoever says so.
    let last = joining.message();
    let mut ids = joining.ids();
    ids.push(by_eve.event_id().as_str().to_owned());
    assert_eq!(joining.supply_state(&last, ids), Vec::<String>::new());
    assert_eq!(joining.place(&last).outcome, Outcome::Accepted);
    let events = EventsById {
        ids: vec![by_eve.event_id().as_str().to_owned()],
    };
    assert_eq!(
        joining.server.ask(&joining.room, events).unwrap().len(),
        1,
        "it is kept as rejected"
    );
    let topic = selvage_protocol::room::GetStateEvent {
        viewer: viewer(ALICE),
        kind: "m.room.topic".to_owned(),
        state_key: String::new(),
    };
    let join = asks::membership(ALICE, MembershipAction::Join, ALICE);
    asks::event_id(joining.server.ask(&joining.room, join));
    assert_eq!(errcode(joining.server.ask(&joining.room, topic)), "M_NOT_FOUND");
}

/// A state in which the last event is not allowed is no place for it, and there is no room after all.
#[test]
fn a_state_that_does_not_let_in_makes_no_room() {
    let mut joining = Joining::new(RoomVersion::V11);
    joining.begin();
    joining.supply_all();
    let last = joining.message();
    let ids = joining.ids();
    let without_ann: Vec<String> = ids
        .iter()
        .filter(|id| !last.auth_events().iter().any(|cited| cited == id.as_str()) || **id == ids[0])
        .cloned()
        .collect();
    joining.supply_state(&last, without_ann);
    let verdict = joining.place(&last);
    assert_eq!(verdict.outcome, Outcome::Rejected, "{verdict:?}");
    joining.is_nowhere();
    assert_eq!(joining.supply_state(&last, Vec::new()), Vec::<String>::new());
    joining.is_nowhere();
}

/// Attack 11: two create events. The first is the room's; the other is rejected, and so is all that it authorises.
#[test]
fn a_second_create_event_does_not_count() {
    let mut joining = Joining::new(RoomVersion::V11);
    joining.begin();
    joining.supply_all();
    let mut template = joining.remote.template(
        &creator(),
        "m.room.create",
        Some(""),
        json!({ "room_version": "11" }),
    );
    template.prev_events = Vec::new();
    template.depth = 1;
    let second = joining.remote.sign(template);
    let verdict = joining.supply(vec![raw(&second)]).remove(0);
    assert_eq!(verdict.outcome, Outcome::Rejected);
    assert!(verdict.why.unwrap().contains("CreateSecond"));
    assert_eq!(
        joining.place(&second).outcome,
        Outcome::Dropped,
        "nor does it begin a room"
    );
    joining.is_nowhere();
    let last = joining.message();
    let mut ids = joining.ids();
    let first = ids[0].clone();
    ids.push(second.event_id().as_str().to_owned());
    joining.supply_state(&last, ids);
    assert_eq!(joining.place(&last).outcome, Outcome::Accepted);
    let join = asks::membership(ALICE, MembershipAction::Join, ALICE);
    asks::event_id(joining.server.ask(&joining.room, join));
    let create = selvage_protocol::room::GetStateEvent {
        viewer: viewer(ALICE),
        kind: "m.room.create".to_owned(),
        state_key: String::new(),
    };
    let create = joining.server.ask(&joining.room, create).unwrap();
    assert_eq!(asks::parsed(&create)["event_id"], first);
}

#[test]
fn the_version_is_settled_when_the_room_is() {
    let mut joining = Joining::new(RoomVersion::V11);
    let begin = |joining: &mut Joining, version: &str| {
        let begin = Begin {
            version: version.to_owned(),
        };
        joining.server.ask(&joining.room, begin)
    };
    assert_eq!(
        errcode(begin(&mut joining, "org.example.1")),
        "M_UNSUPPORTED_ROOM_VERSION"
    );
    begin(&mut joining, "10").unwrap();
    let verdict = joining.supply_all().remove(0);
    assert_ne!(
        verdict.outcome,
        Outcome::Outlier,
        "an event of another version: {verdict:?}"
    );
    begin(&mut joining, "11").unwrap();
    joining.supply_all();
    let last = joining.message();
    let ids = joining.ids();
    joining.supply_state(&last, ids);
    assert_eq!(joining.place(&last).outcome, Outcome::Accepted);
    assert_eq!(errcode(begin(&mut joining, "10")), "M_FORBIDDEN");
    begin(&mut joining, "11").unwrap();
}
