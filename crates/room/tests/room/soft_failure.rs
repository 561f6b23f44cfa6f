//! Events that are kept and not shown: soft failures and rejections (spec: server-server-api §rejection, §soft-failure;
//! attack 8).

use selvage_event::{Event, RoomVersion};
use selvage_protocol::federation::{Backfill, EventForServer, GetMissingEvents, Outcome};
use selvage_protocol::room::GetEvent;
use selvage_sim::asks::{self, parsed, viewer};
use selvage_sim::sync::{Options, sync};
use serde_json::json;

use crate::fixture::ALICE;
use crate::foreign::{EVIL, Foreign, HOME, ann, creator, eve, moderator, send};

/// A room from which Eve was banned, and what she said on a branch from before.
fn evaded(version: RoomVersion) -> (Foreign, Event) {
    let mut room = Foreign::new(version);
    let mut branch = room.remote.fork();
    let ban = room.member(&creator(), eve().as_str(), "ban");
    room.accept(&[&ban]);
    let evasion = send(
        &mut branch,
        &eve(),
        "m.room.message",
        None,
        json!({ "body": "still here" }),
    );
    (room, evasion)
}

fn kept(room: &Foreign, status: u64) -> u64 {
    let all = room.count("SELECT count(*) FROM room_others WHERE status = 2");
    if status == 2 {
        all
    } else {
        room.count("SELECT count(*) FROM room_others WHERE status = 3")
    }
}

#[test]
fn what_the_current_state_refuses_is_kept_and_seen_by_nobody() {
    for version in RoomVersion::ALL {
        let (mut room, evasion) = evaded(version);
        let synced = sync(&mut room.server, ALICE, None, &Options::default()).unwrap();
        room.refuses(
            "a banned user's branch",
            &evasion,
            Outcome::SoftFailed,
            "SenderNotJoined",
        );
        assert_eq!(kept(&room, 2), 1);
        let next = sync(&mut room.server, ALICE, Some(synced.next()), &Options::default()).unwrap();
        assert!(
            next.changes.rooms.is_empty(),
            "version {version}: nobody syncs it"
        );
        let ask = GetEvent {
            viewer: viewer(ALICE),
            event_id: evasion.event_id().as_str().to_owned(),
        };
        assert_eq!(
            asks::errcode(room.server.ask(&room.room, ask)),
            "M_NOT_FOUND",
            "version {version}"
        );
        let next = room.local(ALICE, "next");
        assert!(
            !next.prev_events().contains(evasion.event_id()),
            "nothing here follows it"
        );
        assert_eq!(room.take(&evasion).outcome, Outcome::Known);
    }
}

/// What follows a soft failure counts, and is shown.
#[test]
fn what_follows_a_soft_failure_is_judged_by_itself() {
    let (mut room, evasion) = evaded(RoomVersion::V11);
    room.take(&evasion);
    let mut template = room
        .remote
        .template(&ann(), "m.room.message", None, json!({ "body": "quoting" }));
    template.prev_events.push(evasion.event_id().clone());
    let follower = room.remote.sign(template);
    room.accept(&[&follower]);
    assert!(room.sees(ALICE, &follower));
    assert_eq!(room.missing().extremities, [follower.event_id().as_str()]);
    assert!(!room.sees(ALICE, &evasion));
}

/// State that failed softly is no part of the current state, but resolution knows it where something follows it.
#[test]
fn state_that_failed_softly_is_no_current_state() {
    let mut room = Foreign::new(RoomVersion::V11);
    let mut branch = room.remote.fork();
    let kick = room.member(&creator(), moderator().as_str(), "leave");
    room.accept(&[&kick]);
    let topic = send(
        &mut branch,
        &moderator(),
        "m.room.topic",
        Some(""),
        json!({ "topic": "late" }),
    );
    assert_eq!(room.take(&topic).outcome, Outcome::SoftFailed);
    assert_eq!(room.content("m.room.topic", ""), json!(null));
    let follower = send(&mut branch, &ann(), "m.room.message", None, json!({}));
    assert_eq!(room.take(&follower).outcome, Outcome::Accepted);
    assert_eq!(
        room.content("m.room.topic", ""),
        json!(null),
        "after the kick, which is a power event, it is not allowed"
    );
    assert_eq!(room.membership(moderator().as_str()), "leave");
}

/// Soft failures are served where another event refers to them, and not where nothing does.
#[test]
fn soft_failures_are_served_when_they_are_referred_to() {
    let (mut room, evasion) = evaded(RoomVersion::V11);
    room.take(&evasion);
    let id = evasion.event_id().as_str().to_owned();
    let page = |room: &mut Foreign| {
        let from = room.missing().extremities;
        let ask = Backfill {
            server: HOME.to_owned(),
            from,
            limit: 100,
        };
        let events = room.server.ask(&room.room, ask).unwrap();
        events.iter().any(|event| event.get() == evasion.json())
    };
    assert!(!page(&mut room), "nothing refers to it");
    let mut template = room.remote.template(&ann(), "m.room.message", None, json!({}));
    template.prev_events.push(evasion.event_id().clone());
    let follower = room.remote.sign(template);
    room.accept(&[&follower]);
    assert!(page(&mut room));
    let ask = GetMissingEvents {
        server: HOME.to_owned(),
        earliest: Vec::new(),
        latest: vec![follower.event_id().as_str().to_owned()],
        limit: 20,
        min_depth: 0,
    };
    let missing = room.server.ask(&room.room, ask).unwrap();
    assert!(missing.iter().any(|event| event.get() == evasion.json()));
    let ask = EventForServer {
        server: HOME.to_owned(),
        event_id: id.clone(),
    };
    assert_eq!(
        parsed(&room.server.ask(&room.room, ask).unwrap())["content"]["body"],
        "still here"
    );
    let ask = EventForServer {
        server: EVIL.to_owned(),
        event_id: id,
    };
    assert_eq!(
        asks::errcode(room.server.ask(&room.room, ask)),
        "M_FORBIDDEN",
        "Eve's server is out"
    );
}

#[test]
fn what_the_state_before_refuses_is_rejected() {
    for version in RoomVersion::ALL {
        let mut room = Foreign::new(version);
        let member = room.remote_state("m.room.member", ann().as_str());
        let leave = room.member(&ann(), ann().as_str(), "leave");
        room.accept(&[&leave]);
        // Her auth events say that she is in the room; the state before the event says that she left.
        let mut template = room.remote.template(&ann(), "m.room.message", None, json!({}));
        template.auth_events.retain(|id| id != leave.event_id());
        template.auth_events.push(member);
        let event = room.remote.sign(template);
        room.refuses("after leaving", &event, Outcome::Rejected, "SenderNotJoined");
        assert_eq!(kept(&room, 3), 1);
        let next = room.local(ALICE, "next");
        assert!(!next.prev_events().contains(event.event_id()));
    }
}

/// Events that follow a rejected one are allowed, with the state as if it were not there (spec: §rejection).
#[test]
fn what_follows_a_rejected_event_is_allowed() {
    for version in RoomVersion::ALL {
        let mut room = Foreign::new(version);
        let refused = room.state(&eve(), "m.room.topic", "", json!({ "topic": "mine" }));
        assert_eq!(room.take(&refused).outcome, Outcome::Rejected);
        let follower = room.message(&ann(), "after it");
        room.accept(&[&follower]);
        assert_eq!(room.content("m.room.topic", ""), json!(null), "version {version}");
        assert_eq!(
            room.missing().extremities,
            [follower.event_id().as_str()],
            "version {version}: it supersedes what the rejected event followed"
        );
    }
}

/// What is rejected stays so over a restart.
#[test]
fn rejections_are_remembered() {
    let mut room = Foreign::new(RoomVersion::V11);
    let forged = room.remote.sign(room.remote.template(
        &eve(),
        "m.room.join_rules",
        Some(""),
        json!({ "join_rule": "invite" }),
    ));
    assert_eq!(room.take(&forged).outcome, Outcome::Rejected);
    room.server.restart();
    assert_eq!(room.take(&forged).outcome, Outcome::Known);
    let new = crate::foreign::user("@new:evil.test");
    let mut template = room.remote.template(
        &new,
        "m.room.member",
        Some(new.as_str()),
        json!({ "membership": "join" }),
    );
    let rules = room.remote_state("m.room.join_rules", "");
    template.auth_events.retain(|id| *id != rules);
    template.auth_events.push(forged.event_id().clone());
    let citing = room.remote.sign(template);
    room.refuses("citing it", &citing, Outcome::Rejected, "AuthRejected");
}
