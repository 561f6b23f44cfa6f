//! What hostile servers try: attacks 4 to 7 and 17 of those that homeservers have fallen for. Each comes to nothing, names the
//! rule that it broke, and leaves the room as it was (spec: server-server-api §checks-performed-on-receipt-of-a-pdu).

use selvage_event::{RoomVersion, Template, UserId};
use selvage_protocol::federation::Outcome;
use selvage_sim::remote::raw;
use serde_json::{Value, json};

use crate::fixture::{ALICE, CAROL};
use crate::foreign::{EVIL, Foreign, ann, creator, eve, levels, moderator, user};
use crate::forged::{VERSIONS, json_of, object};

#[test]
fn attack_4_create_events() {
    for version in VERSIONS {
        let mut room = Foreign::new(version);
        let content = json!({ "room_version": version.as_str(), "creator": eve().as_str() });
        let second = |room: &Foreign, sender: &UserId, follows: bool| {
            let mut template = room
                .remote
                .template(sender, "m.room.create", Some(""), content.clone());
            if !follows {
                template.prev_events = Vec::new();
            }
            room.remote.sign(template)
        };
        let (by_eve, rule) = if version == RoomVersion::V12 {
            (second(&room, &eve(), false), "CreateRoomId")
        } else {
            (second(&room, &eve(), false), "CreateRoomIdDomain")
        };
        room.refuses(
            "a second create event of another server",
            &by_eve,
            Outcome::Rejected,
            rule,
        );
        let follows = second(&room, &creator(), true);
        room.refuses(
            "a create event that follows",
            &follows,
            Outcome::Rejected,
            "CreatePrevEvents",
        );
        if version < RoomVersion::V12 {
            let second = second(&room, &creator(), false);
            room.refuses(
                "a second create event",
                &second,
                Outcome::Rejected,
                "CreateSecond",
            );
        } else {
            let mut template = room
                .remote
                .template(&eve(), "m.room.create", Some(""), content.clone());
            template.prev_events = Vec::new();
            template.room_id = None;
            let another = room.remote.sign(template);
            room.refuses(
                "the create event of another room",
                &another,
                Outcome::Dropped,
                "another room",
            );
        }
    }
}

/// The server that the room is named after, or whoever has that name today, begins the room anew with itself in power.
#[test]
fn attack_4_a_room_that_is_begun_anew() {
    for version in RoomVersion::ALL
        .into_iter()
        .filter(|version| *version < RoomVersion::V12)
    {
        for supplied in [false, true] {
            let mut room = Foreign::new(version);
            let thief = user("@thief:remote.test");
            let content = json!({ "room_version": version.as_str(), "creator": thief.as_str() });
            let mut anew = room.remote.fork();
            let mut template = anew.template(&thief, "m.room.create", Some(""), content);
            template.prev_events = Vec::new();
            template.auth_events = Vec::new();
            // Later and, by its id, last: resolution would take it.
            template.depth = 1;
            let create = anew.sign(template);
            anew.take(&create);
            let mut events = vec![create.clone()];
            for (kind, key, content) in [
                ("m.room.member", thief.as_str(), json!({ "membership": "join" })),
                (
                    "m.room.power_levels",
                    "",
                    json!({ "users": { thief.as_str(): 100 } }),
                ),
                (
                    "m.room.member",
                    creator().as_str(),
                    json!({ "membership": "ban" }),
                ),
            ] {
                let mut template = anew.template(&thief, kind, Some(key), content);
                template
                    .auth_events
                    .retain(|id| events.iter().any(|event| event.event_id() == id));
                let event = anew.sign(template);
                anew.take(&event);
                events.push(event);
            }
            let before = room.seen();
            if supplied {
                room.supply(events.iter().map(raw).collect());
            }
            let outcomes: Vec<Outcome> = room
                .receive(&events.iter().collect::<Vec<_>>())
                .verdicts
                .iter()
                .map(|verdict| verdict.outcome)
                .collect();
            assert!(
                outcomes
                    .iter()
                    .all(|outcome| matches!(outcome, Outcome::Rejected | Outcome::Known)),
                "version {version}: {outcomes:?}"
            );
            assert_eq!(room.seen(), before, "version {version}");
            assert_eq!(room.membership(creator().as_str()), "join");
        }
    }
}

#[test]
fn attack_5_power_levels() {
    for version in VERSIONS {
        let mut room = Foreign::new(version);
        let usual = levels(&room.remote, &json!({}));
        let with = |change: &dyn Fn(&mut Value)| {
            let mut levels = usual.clone();
            change(&mut levels);
            levels
        };
        let me = moderator();
        let attacks: [(&str, UserId, Value, &str); 6] = [
            (
                "levels by a user without power",
                eve(),
                usual.clone(),
                "RequiredPower",
            ),
            (
                "a level above one's own",
                me.clone(),
                with(&|levels| levels["users"][me.as_str()] = json!(51)),
                "LevelUserNew",
            ),
            (
                "an equal's level",
                me.clone(),
                with(&|levels| levels["users"][ALICE] = json!(0)),
                "LevelUserOld",
            ),
            (
                "a default above one's own",
                me.clone(),
                with(&|levels| levels["users_default"] = json!(100)),
                "LevelChange",
            ),
            (
                "a type above one's own",
                me.clone(),
                with(&|levels| levels["events"] = json!({ "x": 100 })),
                "LevelEntryNew",
            ),
            (
                "no levels at all",
                me.clone(),
                json!({ "users": { me.as_str(): "all" } }),
                "Level",
            ),
        ];
        for (what, sender, content, rule) in attacks {
            let event = room.would(&sender, "m.room.power_levels", Some(""), content);
            room.refuses(
                &format!("version {version}: {what}"),
                &event,
                Outcome::Rejected,
                rule,
            );
        }
        let mut removed = usual.clone();
        removed["users"].as_object_mut().unwrap().remove(ALICE);
        let event = room.would(&moderator(), "m.room.power_levels", Some(""), removed);
        room.refuses("a higher user removed", &event, Outcome::Rejected, "LevelUserOld");
    }
}

/// spec: rooms/v10 §Values in m.room.power_levels events must be integers; rooms/v12 §Authorisation rules 10.4
#[test]
fn attack_5_by_version() {
    for version in RoomVersion::ALL {
        let mut room = Foreign::new(version);
        let mut stringy = levels(&room.remote, &json!({}));
        stringy["users"][ann().as_str()] = json!("10");
        let event = room.would(&moderator(), "m.room.power_levels", Some(""), stringy);
        if version < RoomVersion::V10 {
            room.accept(&[&event]);
        } else {
            room.refuses("a level as text", &event, Outcome::Rejected, "LevelUsers");
        }
        if version == RoomVersion::V12 {
            let mut listed = levels(&room.remote, &json!({}));
            listed["users"][creator().as_str()] = json!(100);
            let event = room.would(&creator(), "m.room.power_levels", Some(""), listed);
            room.refuses("a creator listed", &event, Outcome::Rejected, "LevelCreators");
        }
    }
}

#[test]
fn attack_6_memberships() {
    for version in VERSIONS {
        let mut room = Foreign::new(version);
        let ban = room.member(&moderator(), eve().as_str(), "ban");
        room.accept(&[&ban]);
        let membership = |room: &Foreign, sender: &UserId, target: &str, membership: &str| {
            room.would(
                sender,
                "m.room.member",
                Some(target),
                json!({ "membership": membership }),
            )
        };
        let carol = CAROL;
        for (what, event, rule) in [
            (
                "a banned user rejoins",
                membership(&room, &eve(), eve().as_str(), "join"),
                "JoinBanned",
            ),
            ("a banned user speaks", room.would_say(&eve()), "SenderNotJoined"),
            (
                "a banned user leaves the ban",
                membership(&room, &eve(), eve().as_str(), "leave"),
                "LeaveNotIn",
            ),
            (
                "a banned user is invited",
                membership(&room, &ann(), eve().as_str(), "invite"),
                "InviteTarget",
            ),
            (
                "a join of someone else",
                membership(&room, &ann(), carol, "join"),
                "JoinOther",
            ),
            (
                "a leave of someone else",
                membership(&room, &ann(), ALICE, "leave"),
                "KickPower",
            ),
            (
                "a ban without power",
                membership(&room, &ann(), ALICE, "ban"),
                "BanPower",
            ),
            (
                "an invite by one who is not joined",
                membership(&room, &user("@new:evil.test"), carol, "invite"),
                "InviteSender",
            ),
            (
                "an unban without power",
                membership(&room, &ann(), eve().as_str(), "leave"),
                "UnbanPower",
            ),
            (
                "a membership that there is not",
                membership(&room, &ann(), ann().as_str(), "owner"),
                "MembershipUnknown",
            ),
        ] {
            room.refuses(
                &format!("version {version}: {what}"),
                &event,
                Outcome::Rejected,
                rule,
            );
        }
    }
}

#[test]
fn attack_6_knocks() {
    for version in RoomVersion::ALL {
        let mut room = Foreign::new(version);
        let new = user("@new:evil.test");
        let knock = room.would(
            &new,
            "m.room.member",
            Some(new.as_str()),
            json!({ "membership": "knock" }),
        );
        let rule = if version < RoomVersion::V7 {
            "MembershipUnknown"
        } else {
            "KnockJoinRule"
        };
        room.refuses("a knock at an open door", &knock, Outcome::Rejected, rule);
    }
}

#[test]
fn attack_6_restricted_joins() {
    for version in [RoomVersion::V8, RoomVersion::V10, RoomVersion::V12] {
        let mut room = Foreign::new(version);
        let allow = json!([{ "type": "m.room_membership", "room_id": "!other:remote.test" }]);
        let rule = json!({ "join_rule": "restricted", "allow": allow });
        let mut quiet = levels(&room.remote, &json!({ "invite": 50 }));
        quiet["users"][moderator().as_str()] = json!(50);
        let change = room.state(&creator(), "m.room.power_levels", "", quiet);
        let rules = room.state(&creator(), "m.room.join_rules", "", rule);
        room.accept(&[&change, &rules]);
        let new = user("@new:evil.test");
        let join = |authoriser: Option<&str>| {
            let mut content = json!({ "membership": "join" });
            if let Some(authoriser) = authoriser {
                content["join_authorised_via_users_server"] = json!(authoriser);
            }
            content
        };
        let target = Some(new.as_str());
        let without = room.would(&new, "m.room.member", target, join(None));
        room.refuses("no authoriser", &without, Outcome::Rejected, "JoinAuthoriser");
        let forged = room.would(&new, "m.room.member", target, join(Some(moderator().as_str())));
        room.refuses(
            "without the authoriser's signature",
            &forged,
            Outcome::Dropped,
            "remote.test",
        );
        let local = room.would(&new, "m.room.member", target, join(Some(ALICE)));
        room.refuses("in the name of a local user", &local, Outcome::Dropped, "test");
        let mut weak = object(&room.would(&new, "m.room.member", target, join(Some(ann().as_str()))));
        let signature = weak["signatures"][EVIL].clone();
        // All servers here sign with one key, so that its signature is the other's too.
        weak["signatures"]["remote.test"] = signature;
        room.refuses_json(
            "an authoriser without power",
            json_of(weak),
            Outcome::Rejected,
            "JoinAuthoriser",
        );
        let mut good = object(&room.would(&new, "m.room.member", target, join(Some(moderator().as_str()))));
        let signature = good["signatures"][EVIL].clone();
        good["signatures"]["remote.test"] = signature;
        let reply = room.receive_json(EVIL, vec![json_of(good)]);
        assert_eq!(
            reply.verdicts[0].outcome,
            Outcome::Accepted,
            "{:?}",
            reply.verdicts
        );
    }
}

#[test]
fn attack_7_auth_events() {
    for version in VERSIONS {
        let mut room = Foreign::new(version);
        let topic = room.would(&eve(), "m.room.topic", Some(""), json!({}));
        assert_eq!(room.take(&topic).outcome, Outcome::Rejected);
        let rejected = topic.event_id().clone();
        let rules = room.remote_state("m.room.join_rules", "");
        let power = room.remote_state("m.room.power_levels", "");
        let says = |room: &Foreign, change: &dyn Fn(&mut Template)| {
            room.would_with(&ann(), None, |template| change(template))
        };
        for (what, event, rule) in [
            (
                "duplicated",
                says(&room, &|template| template.auth_events.push(power.clone())),
                "AuthDuplicate",
            ),
            (
                "not selected",
                says(&room, &|template| template.auth_events.push(rules.clone())),
                "AuthNotSelected",
            ),
            (
                "rejected",
                says(&room, &|template| template.auth_events.push(rejected.clone())),
                "Auth",
            ),
        ] {
            room.refuses(
                &format!("version {version}: {what}"),
                &event,
                Outcome::Rejected,
                rule,
            );
        }
        let bare = room.would_with(&ann(), None, |template| template.auth_events.clear());
        let rule = if version < RoomVersion::V12 {
            "NoCreate"
        } else {
            "SenderNotJoined"
        };
        room.refuses("none", &bare, Outcome::Rejected, rule);
        let never = "$never:sent".parse().unwrap();
        let missing = room.would_with(&ann(), None, |template| template.auth_events.push(never));
        room.refuses("missing for ever", &missing, Outcome::Waiting, "");
    }
}

/// Attack 7: power of another room.
#[test]
fn attack_7_auth_events_of_another_room() {
    for version in [RoomVersion::V6, RoomVersion::V11, RoomVersion::V12] {
        let mut room = Foreign::new(version);
        // The same room as another server could have begun it: only the ids differ.
        let mut other = selvage_sim::remote::RemoteRoom::new("evil.test", version);
        other.join(&eve());
        let supplied = room.supply(other.sent.iter().map(|(_, event)| event.clone()).collect());
        for verdict in supplied.verdicts {
            assert_eq!(verdict.outcome, Outcome::Dropped, "{verdict:?}");
            assert!(verdict.why.unwrap().contains("another room"));
        }
        let foreign_power = other.sent[2].0.clone();
        let event = room.would_with(&eve(), Some(""), |template| {
            template.auth_events.retain(|id| id.as_str() != "");
            template.auth_events[usize::from(version < RoomVersion::V12)] = foreign_power;
        });
        room.refuses("power of another room", &event, Outcome::Waiting, "");
    }
}

/// Attack 17, from outside: what a remote user has no power for.
#[test]
fn attack_17_from_other_servers() {
    let mut room = Foreign::new(RoomVersion::V11);
    for (kind, key, content) in [
        ("m.room.server_acl", "", json!({ "deny": ["*"] })),
        (
            "m.room.tombstone",
            "",
            json!({ "replacement_room": "!x:evil.test" }),
        ),
        ("m.room.join_rules", "", json!({ "join_rule": "invite" })),
        (
            "m.room.history_visibility",
            "",
            json!({ "history_visibility": "world_readable" }),
        ),
        ("m.room.encryption", "", json!({})),
    ] {
        let event = room.would(&eve(), kind, Some(key), content);
        room.refuses(kind, &event, Outcome::Rejected, "RequiredPower");
    }
    let event = room.would(&moderator(), "org.example", Some(ALICE), json!({}));
    room.refuses("state of another user", &event, Outcome::Rejected, "StateKeyUser");
}
