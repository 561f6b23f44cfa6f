//! Rooms that grow on several branches (spec: server-server-api §room-state-resolution; attacks 5, 6 and 9).

use selvage_event::{Event, RoomVersion};
use selvage_protocol::errcode;
use selvage_protocol::federation::Outcome;
use selvage_protocol::user::Membership;
use selvage_sim::asks;
use selvage_sim::remote::raw;
use selvage_sim::sync::{Options, sync};
use serde_json::json;

use crate::fixture::{ALICE, BOB, CAROL};
use crate::foreign::{EVIL, Foreign, ann, creator, eve, levels, moderator, send};

/// More forward extremities than this are merged, as the code has it.
const MERGED_ABOVE: usize = 10;
/// The rows that one more branch may cost in each table, for each branch there is.
const READ_A_BRANCH_MAX: u64 = 8;
/// The most forward extremities that are kept, as the code has it.
const KEPT_MAX: usize = 500;

#[test]
fn what_is_sent_here_follows_all_branches() {
    for version in RoomVersion::ALL {
        let mut room = Foreign::new(version);
        let mut other = room.remote.fork();
        let left = room.message(&ann(), "left");
        let right = send(
            &mut other,
            &moderator(),
            "m.room.topic",
            Some(""),
            json!({ "topic": "right" }),
        );
        room.accept(&[&left, &right]);
        assert_eq!(room.missing().extremities.len(), 2, "version {version}");
        let merged = room.local(ALICE, "both");
        let mut followed = merged.prev_events().to_vec();
        followed.sort();
        let mut expected = vec![left.event_id().clone(), right.event_id().clone()];
        expected.sort();
        assert_eq!(followed, expected, "version {version}");
        assert_eq!(room.missing().extremities, [merged.event_id().as_str()]);
        assert_eq!(room.content("m.room.topic", "")["topic"], "right");
    }
}

/// The branches of two who ban each other, in a room where both may.
fn bans(room: &mut Foreign) -> [Event; 2] {
    let mut other = room.remote.fork();
    let ban = json!({ "membership": "ban" });
    let left = send(
        &mut room.remote,
        &creator(),
        "m.room.member",
        Some(eve().as_str()),
        ban.clone(),
    );
    let right = send(&mut other, &eve(), "m.room.member", Some(creator().as_str()), ban);
    [left, right]
}

/// Attack 9: a fork in which each side bans the other's admin. Whatever comes first, all end with the same state, and the more
/// powerful one stays.
#[test]
fn of_two_bans_of_each_other_all_servers_keep_the_same() {
    for version in RoomVersion::ALL {
        let mut ends = Vec::new();
        for reversed in [false, true] {
            let mut room = Foreign::new(version);
            let power = json!({ "users": { eve().as_str(): 60, ALICE: 100, creator().as_str(): 100 } });
            let power = if version == RoomVersion::V12 {
                json!({ "users": { eve().as_str(): 60, ALICE: 100 } })
            } else {
                power
            };
            let change = room.state(&creator(), "m.room.power_levels", "", power);
            room.accept(&[&change]);
            let [left, right] = bans(&mut room);
            if reversed {
                room.take(&right);
                room.take(&left);
            } else {
                room.take(&left);
                room.take(&right);
            }
            assert_eq!(room.membership(creator().as_str()), "join", "version {version}");
            assert_eq!(room.membership(eve().as_str()), "ban", "version {version}");
            room.counts_agree();
            ends.push(room.state_ids(ALICE));
        }
        assert_eq!(ends[0], ends[1], "version {version}");
    }
}

/// Local users hear of what becomes of them on branches, also when it is a merge that decides it.
#[test]
fn what_branches_decide_reaches_local_users() {
    for version in RoomVersion::ALL {
        let mut room = Foreign::without_locals(version);
        let mut branch = room.remote.fork();
        room.join(ALICE);
        room.join(BOB);
        room.join(CAROL);
        let synced = sync(&mut room.server, BOB, None, &Options::default()).unwrap();
        let room_id = room.room.name().to_owned();
        // On a branch that knows nothing of them, Bob is banned.
        let ban = json!({ "membership": "ban" });
        let ban = send(&mut branch, &creator(), "m.room.member", Some(BOB), ban);
        room.receive(&[&ban]);
        room.counts_agree();
        assert_eq!(room.membership(BOB), "ban", "version {version}");
        let next = sync(&mut room.server, BOB, Some(synced.next()), &Options::default()).unwrap();
        assert_eq!(
            next.membership(&room_id),
            Some(Membership::Ban),
            "version {version}"
        );
        let say = asks::message(BOB, "still here", "still here");
        assert_eq!(asks::errcode(room.server.ask(&room.room, say)), "M_FORBIDDEN");
        let kick = room.member(&creator(), CAROL, "leave");
        room.receive(&[&kick]);
        room.counts_agree();
        let synced = sync(&mut room.server, CAROL, None, &Options::default()).unwrap();
        assert!(synced.room(&room_id).is_none(), "version {version}: she is out");
        room.local(ALICE, "those who are left go on");
    }
}

/// Who joined while the room was closed on another branch was never in it, as resolution sees it (spec: rooms/v2
/// §State resolution: join rules come before joins). Those concerned hear of it.
#[test]
fn a_door_that_was_closed_on_another_branch() {
    for version in RoomVersion::ALL
        .into_iter()
        .filter(|version| *version >= RoomVersion::V2)
    {
        let mut room = Foreign::without_locals(version);
        let mut branch = room.remote.fork();
        room.join(BOB);
        let room_id = room.room.name().to_owned();
        let synced = sync(&mut room.server, BOB, None, &Options::default()).unwrap();
        assert_eq!(synced.membership(&room_id), Some(Membership::Join));
        let rule = json!({ "join_rule": "invite" });
        let closed = send(&mut branch, &creator(), "m.room.join_rules", Some(""), rule);
        room.accept(&[&closed]);
        assert_eq!(
            room.count("SELECT count(*) FROM room_locals"),
            0,
            "version {version}"
        );
        let next = sync(&mut room.server, BOB, Some(synced.next()), &Options::default());
        let next = next.unwrap_or_else(|failure| panic!("version {version}: {failure:?}"));
        assert_eq!(
            next.membership(&room_id),
            Some(Membership::Leave),
            "version {version}"
        );
        assert!(
            room.timeline(BOB).len() > 1,
            "version {version}: what he saw he still sees"
        );
        branch.take(&closed);
        let after = send(&mut branch, &ann(), "m.room.message", None, json!({}));
        room.accept(&[&after]);
        assert!(!room.sees(BOB, &after), "version {version}: and nothing since");
        let again = sync(&mut room.server, BOB, None, &Options::default()).unwrap();
        assert!(again.room(&room_id).is_none(), "version {version}");
        let say = asks::message(BOB, "still here", "still here");
        assert_eq!(asks::errcode(room.server.ask(&room.room, say)), "M_FORBIDDEN");
        let join = asks::membership(BOB, selvage_protocol::room::MembershipAction::Join, BOB);
        assert_eq!(
            asks::errcode(room.server.ask(&room.room, join)),
            errcode::NOT_HERE,
            "he comes back through another server, which knows whether the door is open"
        );
    }
}

/// Attack 9: an old branch, from before a moderator lost power, tries to bring the power back. It is kept and counts for
/// nothing.
#[test]
fn a_branch_of_old_does_not_bring_power_back() {
    for version in RoomVersion::ALL {
        let mut room = Foreign::new(version);
        let mut old = room.remote.fork();
        let lowered = levels(&room.remote, &json!({ "users_default": 0 }));
        let mut without = lowered.clone();
        without["users"]
            .as_object_mut()
            .unwrap()
            .remove(moderator().as_str());
        let demotion = room.state(&creator(), "m.room.power_levels", "", without);
        room.accept(&[&demotion]);
        let mut branch = Vec::new();
        for number in 0..30 {
            branch.push(send(
                &mut old,
                &moderator(),
                "m.room.topic",
                Some(""),
                json!({ "topic": number }),
            ));
        }
        branch.push(send(
            &mut old,
            &moderator(),
            "m.room.member",
            Some(ann().as_str()),
            json!({ "membership": "ban" }),
        ));
        branch.push(send(
            &mut old,
            &moderator(),
            "m.room.power_levels",
            Some(""),
            lowered,
        ));
        let before = room.seen();
        for event in &branch {
            let verdict = room.take(event);
            assert_eq!(
                verdict.outcome,
                Outcome::SoftFailed,
                "version {version}: {verdict:?}"
            );
            assert!(
                verdict
                    .why
                    .is_some_and(|why| why.contains("spec") || why.contains("rooms/v"))
            );
        }
        assert_eq!(room.seen(), before, "version {version}");
        let users = room.content("m.room.power_levels", "")["users"].clone();
        assert!(users.get(moderator().as_str()).is_none(), "version {version}");
        // Nor does it by what honest people say after it, who knew of nothing else.
        let after = send(&mut old, &ann(), "m.room.message", None, json!({}));
        room.take(&after);
        let users = room.content("m.room.power_levels", "")["users"].clone();
        assert!(users.get(moderator().as_str()).is_none(), "version {version}");
        room.local(ALICE, "still here");
    }
}

/// A hundred branches from one event.
fn branches(room: &Foreign, count: usize) -> Vec<Event> {
    (0..count)
        .map(|number| {
            let content = json!({ "body": number });
            room.remote
                .sign(room.remote.template(&eve(), "m.room.message", None, content))
        })
        .collect()
}

/// Attack 9: many forward extremities. A local member merges them by events that no client sees and all servers get.
#[test]
fn many_branches_are_merged() {
    let mut room = Foreign::new(RoomVersion::V11);
    let events = branches(&room, 200);
    for piece in events.chunks(50) {
        room.accept(&piece.iter().collect::<Vec<_>>());
        assert!(room.missing().extremities.len() <= MERGED_ABOVE);
    }
    assert_eq!(
        room.timeline(ALICE)
            .iter()
            .filter(|id| events
                .iter()
                .any(|event| event.event_id().as_str() == id.as_str()))
            .count(),
        events.len(),
        "all are shown"
    );
    let outgoing = crate::foreign::outgoing(0, 500);
    let sent = room.server.ask(&room.room, outgoing).unwrap().events;
    let dummies: Vec<_> = sent
        .iter()
        .map(selvage_sim::asks::parsed)
        .filter(|event| event["type"] == "org.matrix.dummy_event")
        .collect();
    assert!(!dummies.is_empty());
    for dummy in &dummies {
        assert_eq!(dummy["sender"], ALICE);
        assert_eq!(dummy["content"], json!({}));
    }
    let of_alice = room.timeline(ALICE).len();
    let others = room.count("SELECT count(*) FROM room_events WHERE pos > 0");
    assert_eq!(
        others,
        of_alice as u64 + dummies.len() as u64,
        "and clients see none of them"
    );
}

/// Where nobody here may merge them, forward extremities have an end, and who follows one always finds room.
#[test]
fn branches_that_nobody_may_merge_have_an_end() {
    let mut room = Foreign::new(RoomVersion::V11);
    let quiet = levels(
        &room.remote,
        &json!({ "events_default": 50, "users": {
        creator().as_str(): 100, moderator().as_str(): 50, eve().as_str(): 50 } }),
    );
    room.local_state(ALICE, "m.room.power_levels", "", &quiet);
    let events = branches(&room, KEPT_MAX + 1);
    let (last, all_but_last) = events.split_last().unwrap();
    for piece in all_but_last.chunks(50) {
        room.accept(&piece.iter().collect::<Vec<_>>());
    }
    assert_eq!(room.missing().extremities.len(), KEPT_MAX);
    room.refuses(
        "one branch too many",
        last,
        Outcome::Dropped,
        "500 forward extremities",
    );
    room.remote.take(&all_but_last[0]);
    let follower = room.message(&ann(), "no power");
    assert_eq!(room.take(&follower).outcome, Outcome::Rejected);
    let follower = {
        room.remote.take(&all_but_last[0]);
        room.message(&moderator(), "finds room")
    };
    room.accept(&[&follower]);
    assert_eq!(room.missing().extremities.len(), KEPT_MAX);
}

/// Attack 9: branches that each change other state, with nobody here to merge them. What one more takes to resolve is in
/// proportion to the branches.
#[test]
fn branches_that_differ_in_everything_are_resolved_in_proportion() {
    let mut room = Foreign::new(RoomVersion::V11);
    let quiet = levels(
        &room.remote,
        &json!({ "events_default": 50, "users": {
        creator().as_str(): 100, eve().as_str(): 50 } }),
    );
    room.local_state(ALICE, "m.room.power_levels", "", &quiet);
    let shard = room.server.shard_of(&room.room);
    for number in 0..100 {
        let key = number.to_string();
        let event =
            room.remote.sign(
                room.remote
                    .template(&eve(), "org.example.state", Some(&key), json!({})),
            );
        room.server.take_read(&shard);
        let verdict = room.receive_json(EVIL, vec![raw(&event)]).verdicts.remove(0);
        assert_eq!(verdict.outcome, Outcome::Accepted, "{number}: {verdict:?}");
    }
    let read = room.server.take_read(&shard);
    let events =
        read.get("room_events").copied().unwrap_or(0) + read.get("room_others").copied().unwrap_or(0);
    assert!(events <= READ_A_BRANCH_MAX * 100, "{read:?}");
    assert!(
        read.get("room_nodes").copied().unwrap_or(0) <= READ_A_BRANCH_MAX * 100,
        "{read:?}"
    );
    assert_eq!(room.missing().extremities.len(), 100);
    // One moderator's event ends the branches that it follows.
    let known = room.missing().extremities;
    let mut template =
        room.remote
            .template(&creator(), "m.room.topic", Some(""), json!({ "topic": "order" }));
    template.prev_events = known.iter().take(20).map(|id| id.parse().unwrap()).collect();
    let event = room.remote.sign(template);
    room.accept(&[&event]);
    assert_eq!(room.missing().extremities.len(), 81);
    assert_eq!(room.content("m.room.topic", "")["topic"], "order");
}

/// Attack 9: depth and time are whatever the sender says, and decide nothing.
#[test]
fn absurd_depths_and_times_decide_nothing() {
    let mut room = Foreign::new(RoomVersion::V11);
    let deepest = 9_007_199_254_740_991;
    for (depth, ts) in [(deepest, i64::from(u32::MAX) * 1_000_000), (0, 0), (1, -1)] {
        let mut template = room.remote.template(&ann(), "m.room.message", None, json!({}));
        template.depth = depth;
        template.origin_server_ts = ts;
        let event = room.remote.sign(template);
        room.accept(&[&event]);
        room.remote.take(&event);
        let reply = room.local(ALICE, &format!("after {depth}"));
        assert!(reply.depth() <= deepest, "{}", reply.depth());
        assert_eq!(reply.prev_events(), [event.event_id().clone()]);
        let timeline = room.timeline(ALICE);
        let order: Vec<&String> = timeline.iter().rev().take(2).collect();
        assert_eq!(order, [reply.event_id().as_str(), event.event_id().as_str()]);
    }
}

/// An event that follows nothing is refused before anything is resolved for it.
#[test]
fn an_event_that_follows_nothing_costs_no_resolution() {
    let mut room = Foreign::new(RoomVersion::V11);
    for number in 0..200 {
        let key = number.to_string();
        let event = room.state(&moderator(), "org.example.state", &key, json!({}));
        room.accept(&[&event]);
    }
    let mut template = room.remote.template(&eve(), "m.room.message", None, json!({}));
    template.prev_events = Vec::new();
    let event = room.remote.sign(template);
    let shard = room.server.shard_of(&room.room);
    room.server.restart();
    room.missing();
    room.server.take_read(&shard);
    let verdict = room.take(&event);
    assert_eq!(verdict.outcome, Outcome::Rejected);
    assert!(verdict.why.unwrap().contains("NoPrevEvents"));
    let read = room.server.take_read(&shard);
    assert!(read.get("room_nodes").copied().unwrap_or(0) <= 4, "{read:?}");
}
