//! Which server is served what (spec: server-server-api §backfilling-and-retrieving-missing-events, §retrieving-events,
//! client-server-api §room-history-visibility; attack 12).

use std::collections::BTreeSet;

use selvage_event::{Event, RoomVersion};
use selvage_protocol::Json;
use selvage_protocol::federation::{
    Backfill, EventForServer, EventsById, GetMissingEvents, Outcome, StateIds, StateIdsReply,
};
use selvage_protocol::room::{MembershipAction, SendReply};
use selvage_sim::asks::{self, errcode, parsed};
use serde_json::{Value, json};

use crate::fixture::ALICE;
use crate::foreign::{EVIL, Foreign, HOME, ann, eve, moderator};

impl Foreign {
    fn served(&mut self, server: &str, event: &Event) -> Value {
        let ask = EventForServer {
            server: server.to_owned(),
            event_id: event.event_id().as_str().to_owned(),
        };
        parsed(&self.server.ask(&self.room, ask).expect("an event"))["content"].clone()
    }

    fn backfill(&mut self, server: &str, from: &[&Event], limit: u32) -> Vec<Json> {
        let from = from
            .iter()
            .map(|event| event.event_id().as_str().to_owned())
            .collect();
        let ask = Backfill {
            server: server.to_owned(),
            from,
            limit,
        };
        self.server.ask(&self.room, ask).expect("a page")
    }

    fn state_ids_before(&mut self, event: &Event) -> StateIdsReply {
        let ask = StateIds {
            server: HOME.to_owned(),
            event_id: event.event_id().as_str().to_owned(),
        };
        self.server.ask(&self.room, ask).expect("a state")
    }

    /// What each of the questions of other servers answers to a server: the code of its refusal.
    fn refusals(&mut self, server: &str, event: &Event) -> BTreeSet<String> {
        let (server, id) = (server.to_owned(), event.event_id().as_str().to_owned());
        let room = self.room.clone();
        let (from, limit) = (vec![id.clone()], 10);
        BTreeSet::from([
            errcode(self.server.ask(
                &room,
                Backfill {
                    server: server.clone(),
                    from: from.clone(),
                    limit,
                },
            )),
            errcode(self.server.ask(
                &room,
                EventForServer {
                    server: server.clone(),
                    event_id: id.clone(),
                },
            )),
            errcode(self.server.ask(
                &room,
                StateIds {
                    server: server.clone(),
                    event_id: id,
                },
            )),
            errcode(self.server.ask(
                &room,
                GetMissingEvents {
                    server,
                    earliest: Vec::new(),
                    latest: from,
                    limit,
                    min_depth: 0,
                },
            )),
        ])
    }

    fn change(&mut self, by: &str, action: MembershipAction, target: &str) {
        let reply: Result<SendReply, _> = self.server.ask(&self.room, asks::membership(by, action, target));
        self.server.settle();
        let event = self.event(&asks::event_id(reply));
        self.remote.take(&event);
    }
}

#[test]
fn servers_outside_are_served_nothing() {
    let mut room = Foreign::new(RoomVersion::V11);
    let said = room.local(ALICE, "among us");
    let forbidden = BTreeSet::from(["M_FORBIDDEN".to_owned()]);
    assert_eq!(room.refusals("third.test", &said), forbidden);
    assert_eq!(room.served(EVIL, &said)["body"], "among us");
    room.change(ALICE, MembershipAction::Ban, eve().as_str());
    assert_eq!(
        room.refusals(EVIL, &said),
        forbidden,
        "after the ban of its last user"
    );
    let nowhere = selvage_protocol::room_key("!nowhere:test");
    let ask = Backfill {
        server: HOME.to_owned(),
        from: Vec::new(),
        limit: 1,
    };
    assert_eq!(errcode(room.server.ask(&nowhere, ask)), "M_FORBIDDEN");
}

/// spec: client-server-api §room-history-visibility, which §backfilling-and-retrieving-missing-events refers to
#[test]
fn a_server_sees_what_its_users_may_see() {
    for (history, [absent, invited, joined]) in [
        ("world_readable", [true, true, true]),
        ("shared", [true, true, true]),
        ("invited", [false, true, true]),
        ("joined", [false, false, true]),
    ] {
        let mut room = Foreign::new(RoomVersion::V11);
        room.local_state(
            ALICE,
            "m.room.history_visibility",
            "",
            &json!({ "history_visibility": history }),
        );
        room.change(ALICE, MembershipAction::Kick, eve().as_str());
        let while_absent = room.local(ALICE, "absent");
        room.change(ALICE, MembershipAction::Invite, eve().as_str());
        let while_invited = room.local(ALICE, "invited");
        let join = room.member(&eve(), eve().as_str(), "join");
        room.accept(&[&join]);
        let while_joined = room.local(ALICE, "joined");
        for (event, sees) in [
            (&while_absent, absent),
            (&while_invited, invited),
            (&while_joined, joined),
        ] {
            let expected = if sees {
                event.content()["body"].clone()
            } else {
                Value::Null
            };
            assert_eq!(
                room.served(EVIL, event)["body"],
                expected,
                "{history}: {:?}",
                event.content()
            );
            let page = room.backfill(EVIL, &[event], 1);
            assert_eq!(
                parsed(&page[0])["content"]
                    .get("body")
                    .cloned()
                    .unwrap_or(Value::Null),
                expected
            );
            // In either form it is the same event, with the same signatures.
            assert_eq!(
                parsed(&page[0])["signatures"],
                parsed(&selvage_sim::remote::raw(event))["signatures"]
            );
            assert_eq!(
                room.served(HOME, event)["body"],
                event.content()["body"],
                "others were in the room"
            );
        }
    }
}

#[test]
fn what_is_redacted_is_served_so() {
    let mut room = Foreign::new(RoomVersion::V11);
    let said = room.local(ALICE, "secret");
    let id = said.event_id().as_str().to_owned();
    asks::event_id(room.server.ask(&room.room, asks::redaction(ALICE, "r", &id)));
    assert_eq!(room.served(HOME, &said), json!({}));
    assert_eq!(parsed(&room.backfill(HOME, &[&said], 1)[0])["content"], json!({}));
    let by_id = room.server.ask(&room.room, EventsById { ids: vec![id] }).unwrap();
    assert_eq!(parsed(&by_id[0])["content"], json!({}));
    let outgoing = room
        .server
        .ask(&room.room, crate::foreign::outgoing(0, 100))
        .unwrap();
    assert!(
        outgoing
            .events
            .iter()
            .all(|event| !event.get().contains("secret")),
        "a server that was away does not get it either"
    );
}

#[test]
fn pages_have_an_order_and_an_end() {
    let mut room = Foreign::new(RoomVersion::V11);
    let mut said = Vec::new();
    for number in 0..150 {
        said.push(room.local(ALICE, &number.to_string()));
    }
    let last = said.last().unwrap().clone();
    let bodies = |events: &[Json]| -> Vec<Value> {
        events
            .iter()
            .map(|event| parsed(event)["content"]["body"].clone())
            .collect()
    };
    let page = room.backfill(HOME, &[&last], 10);
    let expected: Vec<Value> = (140..150).rev().map(|number| json!(number.to_string())).collect();
    assert_eq!(
        bodies(&page),
        expected,
        "newest first, and where it begins is part of it"
    );
    assert_eq!(room.backfill(HOME, &[&last], 100_000).len(), 100);
    let ask = |earliest: &Event, limit, min_depth| GetMissingEvents {
        server: HOME.to_owned(),
        earliest: vec![earliest.event_id().as_str().to_owned()],
        latest: vec![last.event_id().as_str().to_owned()],
        limit,
        min_depth,
    };
    let missing = room.server.ask(&room.room, ask(&said[143], 20, 0)).unwrap();
    let expected: Vec<Value> = (144..149).map(|number| json!(number.to_string())).collect();
    assert_eq!(bodies(&missing), expected, "oldest first, without either end");
    let missing = room.server.ask(&room.room, ask(&said[0], 1_000, 0)).unwrap();
    assert_eq!(missing.len(), 20);
    let missing = room
        .server
        .ask(&room.room, ask(&said[0], 20, said[145].depth()))
        .unwrap();
    assert_eq!(missing.len(), 4, "from the least depth on");
    assert!(room.backfill(HOME, &[], 10).is_empty());
    let unknown = Backfill {
        server: HOME.to_owned(),
        from: vec!["$unknown".into(), "no id".into()],
        limit: 10,
    };
    assert!(room.server.ask(&room.room, unknown).unwrap().is_empty());
}

/// spec: server-server-api §get_matrixfederationv1state_idsroomid
#[test]
fn a_state_comes_with_all_that_authorises_it() {
    for version in RoomVersion::ALL {
        let mut room = Foreign::new(version);
        room.local_state(ALICE, "m.room.topic", "", &json!({ "topic": "before" }));
        let said = room.local(ALICE, "at this point");
        let state_now = room.state_ids(ALICE);
        room.local_state(ALICE, "m.room.topic", "", &json!({ "topic": "after" }));
        let reply = room.state_ids_before(&said);
        assert_eq!(
            BTreeSet::from_iter(reply.state.clone()),
            state_now,
            "version {version}"
        );
        let mut known: BTreeSet<String> = BTreeSet::new();
        for id in &reply.auth_chain {
            for cited in room.event(id).auth_events() {
                assert!(
                    known.contains(cited.as_str()),
                    "version {version}: {id} comes before {cited}"
                );
            }
            known.insert(id.clone());
        }
        for id in &reply.state {
            for cited in room.event(id).auth_events() {
                assert!(
                    known.contains(cited.as_str()),
                    "version {version}: {cited} is not in the chain"
                );
            }
        }
        let ids = reply.state.clone();
        let events = room.server.ask(&room.room, EventsById { ids }).unwrap();
        assert_eq!(events.len(), reply.state.len(), "and all of it can be had");
    }
}

/// The state before an event is known only where its place is (row M3).
#[test]
fn of_an_event_without_place_there_is_no_state() {
    let mut room = Foreign::new(RoomVersion::V11);
    let refused = room
        .remote
        .sign(room.remote.template(&eve(), "m.room.topic", Some(""), json!({})));
    assert_eq!(room.take(&refused).outcome, Outcome::Rejected);
    assert!(
        !room.state_ids_before(&refused).state.is_empty(),
        "a rejected event has a place"
    );
    let lost = room.message(&ann(), "lost");
    let outlier = room.state(&moderator(), "m.room.name", "", json!({ "name": "x" }));
    room.supply(vec![selvage_sim::remote::raw(&outlier)]);
    for event in [&lost, &outlier] {
        let ask = StateIds {
            server: HOME.to_owned(),
            event_id: event.event_id().as_str().to_owned(),
        };
        assert_eq!(errcode(room.server.ask(&room.room, ask)), "M_NOT_FOUND");
    }
    assert_eq!(
        room.served(HOME, &outlier),
        json!({}),
        "of an outlier nobody knows who may see it"
    );
    let ask = EventForServer {
        server: HOME.to_owned(),
        event_id: lost.event_id().as_str().to_owned(),
    };
    assert_eq!(errcode(room.server.ask(&room.room, ask)), "M_NOT_FOUND");
}

#[test]
fn what_is_sent_out_is_what_local_users_sent() {
    let mut room = Foreign::new(RoomVersion::V11);
    let first = room.local(ALICE, "first");
    let remote = room.message(&ann(), "from afar");
    room.accept(&[&remote]);
    let second = room.local(ALICE, "second");
    let mut after = 0;
    let mut sent = Vec::new();
    for _ in 0..100 {
        let reply = room
            .server
            .ask(&room.room, crate::foreign::outgoing(after, 2))
            .unwrap();
        if reply.up_to == after {
            break;
        }
        after = reply.up_to;
        sent.extend(reply.events);
    }
    let sent: Vec<&str> = sent.iter().map(|event| event.get()).collect();
    assert_eq!(sent.len(), 3, "the join and two messages");
    assert_eq!(sent[1..], [first.json(), second.json()]);
}
