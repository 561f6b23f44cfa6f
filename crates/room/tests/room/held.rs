//! Redactions over federation: they take effect when they and their target are here, whichever came first, and are shown when
//! they take effect (spec: rooms/v3 §handling-redactions, client-server-api §redactions).

use selvage_event::{Event, RoomVersion, UserId};
use selvage_protocol::federation::{EventForServer, Outcome};
use selvage_protocol::room::{GetEvent, GetStateEvent};
use selvage_sim::asks::{parsed, viewer};
use serde_json::{Value, json};

use crate::fixture::ALICE;
use crate::foreign::{Foreign, HOME, ann, creator, eve, moderator};

impl Foreign {
    /// A redaction that somebody of another server sends.
    fn redaction(&mut self, sender: &UserId, target: &Event) -> Event {
        let mut template = self.remote.template(sender, "m.room.redaction", None, json!({}));
        template.redacts = Some(target.event_id().clone());
        let event = self.remote.sign(template);
        self.remote.take(&event);
        event
    }

    /// An event as Alice reads it.
    fn read(&mut self, event: &Event) -> serde_json::Map<String, Value> {
        let ask = GetEvent {
            viewer: viewer(ALICE),
            event_id: event.event_id().as_str().to_owned(),
        };
        parsed(&self.server.ask(&self.room, ask).expect("Alice may read it").event)
    }

    fn is_redacted(&mut self, event: &Event) -> bool {
        self.read(event)["unsigned"].get("redacted_because").is_some()
    }

    /// The content of a state event as clients and as servers read it.
    fn both(&mut self, event: &Event) -> [Value; 2] {
        let ask = GetStateEvent {
            viewer: viewer(ALICE),
            kind: event.kind().to_owned(),
            state_key: event.state_key().unwrap_or_default().to_owned(),
        };
        let client = parsed(&self.server.ask(&self.room, ask).expect("state"))["content"].clone();
        let ask = EventForServer {
            server: HOME.to_owned(),
            event_id: event.event_id().as_str().to_owned(),
        };
        let server = parsed(&self.server.ask(&self.room, ask).expect("an event"))["content"].clone();
        [client, server]
    }
}

#[test]
fn a_redaction_and_its_target_come_in_any_order() {
    for version in RoomVersion::ALL {
        for redaction_first in [false, true] {
            let mut room = Foreign::new(version);
            let before = room.remote.fork();
            let target = room.message(&ann(), "secret");
            // On a branch of its own, so that it does not wait for its target.
            let after = std::mem::replace(&mut room.remote, before);
            let redaction = room.redaction(&moderator(), &target);
            room.remote = after;
            if redaction_first {
                room.accept(&[&redaction]);
                let is_hidden = version >= RoomVersion::V3;
                assert_eq!(
                    room.sees(ALICE, &redaction),
                    !is_hidden,
                    "version {version}: not before its target"
                );
                room.server.restart();
                room.accept(&[&target]);
            } else {
                room.accept(&[&target]);
                assert_eq!(room.read(&target)["content"]["body"], "secret");
                room.accept(&[&redaction]);
            }
            assert_eq!(room.read(&target)["content"], json!({}), "version {version}");
            assert!(room.is_redacted(&target));
            assert!(
                room.sees(ALICE, &redaction),
                "version {version}: it has taken effect"
            );
            let ask = EventForServer {
                server: HOME.to_owned(),
                event_id: target.event_id().as_str().to_owned(),
            };
            let served = parsed(&room.server.ask(&room.room, ask).unwrap());
            assert_eq!(
                served["content"],
                json!({}),
                "version {version}: servers get the redacted form"
            );
            assert_eq!(room.count("SELECT count(*) FROM room_held"), 0);
        }
    }
}

/// An attacker redacts what others said. From version 3 on the redaction is let in, has no effect, and is not shown; before, it
/// is rejected.
#[test]
fn a_redaction_without_right_to_it_comes_to_nothing() {
    for version in RoomVersion::ALL {
        for redaction_first in [false, true] {
            let mut room = Foreign::new(version);
            let before = room.remote.fork();
            let target = room.message(&ann(), "said");
            let after = std::mem::replace(&mut room.remote, before);
            let redaction = room.redaction(&eve(), &target);
            room.remote = after;
            let events = if redaction_first {
                [&redaction, &target]
            } else {
                [&target, &redaction]
            };
            let mut outcomes = Vec::new();
            for event in events {
                outcomes.push((event.event_id().clone(), room.take(event).outcome));
            }
            let of_redaction = outcomes
                .iter()
                .find(|(id, _)| id == redaction.event_id())
                .unwrap()
                .1;
            let expected = if version < RoomVersion::V3 {
                Outcome::Rejected
            } else {
                Outcome::Accepted
            };
            assert_eq!(of_redaction, expected, "version {version}");
            assert_eq!(room.read(&target)["content"]["body"], "said", "version {version}");
            assert!(!room.is_redacted(&target));
            assert!(
                !room.sees(ALICE, &redaction),
                "version {version}: clients would apply it"
            );
        }
    }
}

/// Who sent something may take it back, and so may others of the same server.
#[test]
fn the_senders_server_redacts_its_own() {
    for version in [RoomVersion::V3, RoomVersion::V11, RoomVersion::V12] {
        let mut room = Foreign::new(version);
        let target = room.message(&moderator(), "said");
        let redaction = room.redaction(&ann(), &target);
        room.accept(&[&target, &redaction]);
        assert!(room.is_redacted(&target), "version {version}");
        assert!(room.sees(ALICE, &redaction));
    }
}

/// State from before this server came into the room has no position, and is redacted all the same: for clients, for servers,
/// and for those who are invited.
#[test]
fn state_from_before_the_join_is_redacted() {
    for version in [
        RoomVersion::V1,
        RoomVersion::V10,
        RoomVersion::V11,
        RoomVersion::V12,
    ] {
        let mut room = Foreign::without_locals(version);
        let name = room.state(&moderator(), "m.room.name", "", json!({ "name": "a slur" }));
        // The name comes as an outlier, and the room goes on behind a gap.
        room.supply(vec![selvage_sim::remote::raw(&name)]);
        room.join_behind(&name);
        assert_eq!(room.both(&name)[0]["name"], "a slur");
        let redaction = room.redaction(&creator(), &name);
        room.accept(&[&redaction]);
        assert_eq!(room.both(&name), [json!({}), json!({})], "version {version}");
        assert!(room.sees(ALICE, &redaction));
        room.server.restart();
        assert_eq!(room.both(&name), [json!({}), json!({})], "version {version}");
    }
}

/// A redaction comes before the state that it redacts is supplied.
#[test]
fn supplied_state_is_redacted_by_what_was_held() {
    let mut room = Foreign::new(RoomVersion::V11);
    let before = room.remote.fork();
    let name = room.state(&moderator(), "m.room.name", "", json!({ "name": "a slur" }));
    let after = std::mem::replace(&mut room.remote, before);
    let redaction = room.redaction(&creator(), &name);
    room.accept(&[&redaction]);
    room.remote = after;
    assert!(!room.sees(ALICE, &redaction));
    room.supply(vec![selvage_sim::remote::raw(&name)]);
    let ask = EventForServer {
        server: HOME.to_owned(),
        event_id: name.event_id().as_str().to_owned(),
    };
    assert_eq!(
        parsed(&room.server.ask(&room.room, ask).unwrap())["content"],
        json!({})
    );
    assert!(room.sees(ALICE, &redaction));
    room.accept(&[&name]);
    assert!(room.is_redacted(&name), "and stays so when it gets its place");
    assert_eq!(room.count("SELECT count(*) FROM room_held"), 0);
}

/// The first redaction of an event counts; later ones are shown and change nothing.
#[test]
fn the_first_redaction_counts() {
    let mut room = Foreign::new(RoomVersion::V11);
    let target = room.message(&ann(), "said");
    let first = room.redaction(&ann(), &target);
    let second = room.redaction(&moderator(), &target);
    room.accept(&[&target, &first, &second]);
    let because = room.read(&target)["unsigned"]["redacted_because"]["event_id"].clone();
    assert_eq!(because, first.event_id().as_str());
    assert!(room.sees(ALICE, &second));
}

/// A redaction of something that is in another room, or nowhere, stays unseen for ever.
#[test]
fn a_redaction_of_nothing_is_not_shown() {
    let mut room = Foreign::new(RoomVersion::V12);
    let other = Foreign::new(RoomVersion::V11).message(&ann(), "elsewhere");
    let redaction = room.redaction(&creator(), &other);
    room.accept(&[&redaction]);
    assert!(!room.sees(ALICE, &redaction));
    let mut template = room
        .remote
        .template(&creator(), "m.room.redaction", None, json!({ "redacts": 5 }));
    template.redacts = None;
    let nothing = room.remote.sign(template);
    assert_eq!(room.take(&nothing).outcome, Outcome::Accepted);
    assert!(!room.sees(ALICE, &nothing));
}

impl Foreign {
    /// The room goes on behind a gap, where the state has this event too; then Alice joins.
    fn join_behind(&mut self, event: &Event) {
        let mut state: Vec<String> = self.remote.state_before_last();
        state.push(self.remote.sent.last().expect("events").0.as_str().to_owned());
        state.push(event.event_id().as_str().to_owned());
        let next = self.message(&ann(), "behind the gap");
        let supply = selvage_protocol::federation::SupplyState {
            event_id: next.event_id().as_str().to_owned(),
            first: true,
            state,
        };
        assert!(
            self.server
                .ask(&self.room, supply)
                .expect("an answer")
                .missing
                .is_empty()
        );
        let place = selvage_protocol::federation::Place {
            origin: HOME.to_owned(),
            event: selvage_sim::remote::raw(&next),
            keys: self.keys(),
            history_before: None,
        };
        let verdicts = self.server.ask(&self.room, place).expect("an answer").verdicts;
        assert_eq!(verdicts[0].outcome, Outcome::Accepted, "{verdicts:?}");
        self.join(ALICE);
    }
}
