//! What hostile servers send: attacks 1 to 8 of those that homeservers have fallen for. Each comes to nothing, names the rule
//! that it broke, and leaves the room as it was (spec: server-server-api §checks-performed-on-receipt-of-a-pdu).

use selvage_event::{Event, Map, RoomVersion, ServerName, SigningKey, Template, UserId};
use selvage_protocol::Json;
use selvage_protocol::federation::{Outcome, Receive, ServerKey};
use selvage_sim::asks;
use selvage_sim::remote::raw;
use serde_json::{Value, json};

use crate::fixture::{ALICE, CAROL};
use crate::foreign::{EVIL, Foreign, ann, creator, eve, levels, moderator, user};

/// Versions of each event format, each way to name redactions, and each form of room id.
const VERSIONS: [RoomVersion; 5] = [
    RoomVersion::V1,
    RoomVersion::V3,
    RoomVersion::V6,
    RoomVersion::V11,
    RoomVersion::V12,
];

fn object(event: &Event) -> Map {
    serde_json::from_str(event.json()).expect("an object")
}

fn json_of(object: Map) -> Json {
    asks::raw(&Value::Object(object))
}

/// An event with something changed after it was signed.
fn changed(event: &Event, change: impl FnOnce(&mut Map)) -> Json {
    let mut object = object(event);
    change(&mut object);
    json_of(object)
}

impl Foreign {
    /// What somebody would send next: nothing has come of it yet.
    fn would(&self, sender: &UserId, kind: &str, key: Option<&str>, content: Value) -> Event {
        self.remote.sign(self.remote.template(sender, kind, key, content))
    }

    fn would_say(&self, sender: &UserId) -> Event {
        self.would(
            sender,
            "m.room.message",
            None,
            json!({ "body": "hello", "msgtype": "m.text" }),
        )
    }

    /// What somebody would send with a template of their own.
    fn would_with(&self, sender: &UserId, key: Option<&str>, change: impl FnOnce(&mut Template)) -> Event {
        let kind = if key.is_some() {
            "m.room.topic"
        } else {
            "m.room.message"
        };
        let mut template = self.remote.template(sender, kind, key, json!({}));
        change(&mut template);
        self.remote.sign(template)
    }
}

#[test]
fn attack_1_signatures() {
    for version in VERSIONS {
        let mut room = Foreign::new(version);
        let event = room.would_say(&eve());
        let unsigned = changed(&event, |event| drop(event.insert("signatures".into(), json!({}))));
        room.refuses_json("no signature", unsigned, Outcome::Dropped, "evil.test");
        let by_another = changed(&event, |event| {
            let signature = event["signatures"][EVIL].clone();
            event["signatures"] = json!({ "third.test": signature });
        });
        room.refuses_json(
            "signed by another server",
            by_another,
            Outcome::Dropped,
            "evil.test",
        );
        let forged = changed(&event, |event| {
            let signature = "A".repeat(86);
            event["signatures"][EVIL]["ed25519:remote"] = Value::from(signature);
        });
        room.refuses_json("a forged signature", forged, Outcome::Dropped, "evil.test");
        room.accept(&[&event]);
    }
}

/// A signature of a key that is not the one which the server published under that name.
#[test]
fn attack_1_the_wrong_key() {
    let mut room = Foreign::new(RoomVersion::V11);
    let template = room.remote.template(&eve(), "m.room.message", None, json!({}));
    let other = SigningKey::from_seed("ed25519:remote", &[9; 32]).unwrap();
    let evil = ServerName::parse(EVIL).unwrap();
    let event = template.build(RoomVersion::V11, &evil, &other).unwrap();
    room.refuses("the wrong key", event.event(), Outcome::Dropped, "evil.test");
}

/// From version 5 on, a key signs nothing after its validity has ended (spec: rooms/v5 §Signing key validity period).
#[test]
fn attack_1_an_expired_key() {
    for version in RoomVersion::ALL {
        let mut room = Foreign::new(version);
        let event = room.would_say(&eve());
        let expired = ServerKey {
            valid_until_ts: event.origin_server_ts() - 1,
            ..room.remote.key_of(EVIL)
        };
        let receive = Receive {
            origin: EVIL.to_owned(),
            events: vec![raw(&event)],
            keys: vec![expired],
            history_before: None,
        };
        let before = room.seen();
        let verdict = room.server.ask(&room.room, receive).unwrap().verdicts.remove(0);
        let expected = if version < RoomVersion::V5 {
            Outcome::Accepted
        } else {
            Outcome::Dropped
        };
        assert_eq!(verdict.outcome, expected, "version {version}");
        assert_eq!(
            room.seen() == before,
            expected == Outcome::Dropped,
            "version {version}"
        );
    }
}

/// Nobody tells this server what its own keys are.
#[test]
fn attack_1_a_key_of_this_server() {
    let mut room = Foreign::new(RoomVersion::V11);
    let event = room.would_say(&user(ALICE));
    let receive = Receive {
        origin: EVIL.to_owned(),
        events: vec![raw(&event)],
        keys: vec![room.remote.key_of("test")],
        history_before: None,
    };
    let before = room.seen();
    let verdict = room.server.ask(&room.room, receive).unwrap().verdicts.remove(0);
    assert_eq!(verdict.outcome, Outcome::Dropped, "{verdict:?}");
    assert_eq!(room.seen(), before);
}

/// A signature covers the redacted form, and one over the whole is none (spec: server-server-api §signing-events).
#[test]
fn attack_1_signed_unredacted() {
    let mut room = Foreign::new(RoomVersion::V11);
    let event = room.would_say(&eve());
    let evil = ServerName::parse(EVIL).unwrap();
    let key = SigningKey::from_seed("ed25519:remote", &[7; 32]).unwrap();
    let mut whole = object(&event);
    whole.remove("signatures");
    key.sign_json(&evil, &mut whole).unwrap();
    room.refuses_json("signed unredacted", json_of(whole), Outcome::Dropped, "evil.test");
}

#[test]
fn attack_2_hashes() {
    for version in VERSIONS {
        let mut room = Foreign::new(version);
        let event = room.would_say(&eve());
        let without = changed(&event, |event| drop(event.remove("hashes")));
        room.refuses_json("no hash", without, Outcome::Dropped, "hashes");
        // A wrong hash leaves the redacted form, which is what the signature covers.
        let edited = changed(&event, |event| event["content"]["body"] = json!("something else"));
        let reply = room.receive_json(EVIL, vec![edited]);
        assert_eq!(reply.verdicts[0].outcome, Outcome::Accepted, "version {version}");
        let kept = room.event(event.event_id().as_str());
        assert_eq!(kept.content(), &Map::new(), "version {version}");
        assert_eq!(
            room.take(&event).outcome,
            Outcome::Known,
            "version {version}: the first form counts"
        );
    }
}

/// A redacted membership is not allowed by what its content had said.
#[test]
fn attack_2_a_wrong_hash_gains_nothing() {
    let mut room = Foreign::new(RoomVersion::V11);
    let power = levels(&room.remote, &json!({ "users": { eve().as_str(): 100 } }));
    let event = room.would(
        &moderator(),
        "m.room.power_levels",
        Some(""),
        levels(&room.remote, &json!({})),
    );
    let edited = changed(&event, |event| event["content"] = power);
    room.refuses_json("levels that were edited", edited, Outcome::Dropped, "remote.test");
}

#[test]
fn attack_3_senders_and_rooms() {
    for version in VERSIONS {
        let mut room = Foreign::new(version);
        let of_local = room.would_say(&user(ALICE));
        room.refuses("a sender of this server", &of_local, Outcome::Dropped, "test");
        let other = format!("!elsewhere:{EVIL}").parse().unwrap();
        let elsewhere = room.would_with(&eve(), None, |template| template.room_id = Some(other));
        room.refuses("another room", &elsewhere, Outcome::Dropped, "another room");
        let without = room.would_with(&eve(), None, |_| {});
        let without = changed(&without, |event| drop(event.remove("room_id")));
        room.refuses_json("no room", without, Outcome::Dropped, "room_id");
    }
}

/// In a server of a third party's name nothing is sent without that server's signature.
#[test]
fn attack_3_a_sender_of_a_third_server() {
    let mut room = Foreign::new(RoomVersion::V11);
    let template = room.remote.template(&ann(), "m.room.message", None, json!({}));
    let key = SigningKey::from_seed("ed25519:remote", &[7; 32]).unwrap();
    let evil = ServerName::parse(EVIL).unwrap();
    let event = template.build(RoomVersion::V11, &evil, &key).unwrap();
    room.refuses(
        "signed by the sender of the transaction",
        event.event(),
        Outcome::Dropped,
        "remote.test",
    );
}

/// From version 3 on an event's id is its hash, and what the body says counts for nothing.
#[test]
fn attack_3_an_event_id_in_the_body() {
    let mut room = Foreign::new(RoomVersion::V11);
    let known = room.message(&ann(), "known");
    room.accept(&[&known]);
    let event = room.would_say(&eve());
    let posing = changed(&event, |event| {
        event.insert("event_id".into(), Value::from(known.event_id().as_str()));
    });
    let reply = room.receive_json(EVIL, vec![posing]);
    let verdict = &reply.verdicts[0];
    assert_ne!(verdict.event_id.as_deref(), Some(known.event_id().as_str()));
    assert_eq!(room.event(known.event_id().as_str()).content(), known.content());
}

/// In versions 1 and 2 an event says its id; one that is taken stays what it is, and the id's server must have signed.
#[test]
fn attack_3_an_event_id_of_another() {
    for version in [RoomVersion::V1, RoomVersion::V2] {
        let mut room = Foreign::new(version);
        let known = room.message(&eve(), "known");
        room.accept(&[&known]);
        let key = SigningKey::from_seed("ed25519:remote", &[7; 32]).unwrap();
        let evil = ServerName::parse(EVIL).unwrap();
        let mut posing = object(&room.would_say(&eve()));
        posing.remove("signatures");
        posing.insert("event_id".into(), Value::from("$posing:remote.test"));
        // The hash is wrong now, and the signature covers the redacted form.
        let mut redacted = selvage_event::redact(version, &posing);
        redacted.remove("unsigned");
        key.sign_json(&evil, &mut redacted).unwrap();
        posing.insert("signatures".into(), redacted["signatures"].clone());
        room.refuses_json(
            "an id of another server",
            json_of(posing.clone()),
            Outcome::Dropped,
            "remote.test",
        );
        posing.insert("event_id".into(), Value::from(known.event_id().as_str()));
        let before = room.seen();
        let reply = room.receive_json(EVIL, vec![json_of(posing)]);
        assert!(matches!(
            reply.verdicts[0].outcome,
            Outcome::Known | Outcome::Dropped
        ));
        assert_eq!(room.seen(), before);
        assert_eq!(room.event(known.event_id().as_str()).content(), known.content());
    }
}

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

impl Foreign {
    pub(crate) fn remote_state(&mut self, kind: &str, key: &str) -> selvage_event::EventId {
        let ask = selvage_protocol::room::GetStateEvent {
            viewer: asks::viewer(ALICE),
            kind: kind.to_owned(),
            state_key: key.to_owned(),
        };
        let event = self.server.ask(&self.room, ask).expect("a state event");
        asks::parsed(&event)["event_id"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap()
    }
}

/// Format and size (attack 20 as far as servers send it): what is no event is not kept.
#[test]
fn malformed_events() {
    let mut room = Foreign::new(RoomVersion::V11);
    let event = room.would_say(&eve());
    let big = "x".repeat(65_536);
    let long = "x".repeat(256);
    let cases: [(&str, &str, Value, &str); 12] = [
        ("a float", "content", json!({ "n": 1.5 }), "integer"),
        (
            "a big integer",
            "content",
            json!({ "n": 9_007_199_254_740_992_i64 }),
            "out of range",
        ),
        ("too large", "content", json!({ "body": big }), "too large"),
        ("a long type", "type", json!(long), "type is too long"),
        (
            "a content that is none",
            "content",
            json!([]),
            "content is of the wrong type",
        ),
        ("a negative depth", "depth", json!(-1), "depth"),
        ("a deep depth", "depth", json!(9_007_199_254_740_992_i64), ""),
        ("a sender that is none", "sender", json!("eve"), "sender"),
        (
            "a time that is none",
            "origin_server_ts",
            json!("now"),
            "origin_server_ts",
        ),
        (
            "21 predecessors",
            "prev_events",
            json!(vec!["$a"; 21]),
            "prev_events",
        ),
        (
            "11 auth events",
            "auth_events",
            json!(vec!["$a"; 11]),
            "auth_events",
        ),
        (
            "pairs as predecessors",
            "prev_events",
            json!([["$a", {}]]),
            "prev_events",
        ),
    ];
    for (what, field, value, why) in cases {
        let bad = changed(&event, |event| event[field] = value);
        room.refuses_json(what, bad, Outcome::Dropped, why);
    }
    let list: Json = serde_json::from_str("[1]").unwrap();
    room.refuses_json("no object", list, Outcome::Dropped, "not a JSON object");
    let surrogate: Json = serde_json::from_str(r#"{"type":"\ud800"}"#).unwrap();
    room.refuses_json("a lone surrogate", surrogate, Outcome::Dropped, "");
}

/// What a server says in `unsigned` beyond the few things it may say is nobody's to see (row E14).
#[test]
fn unsigned_data_is_not_believed() {
    let mut room = Foreign::new(RoomVersion::V11);
    let event = room.would_say(&ann());
    let with = changed(&event, |event| {
        event.insert(
            "unsigned".into(),
            json!({ "transaction_id": "m1", "redacted_because": {}, "m.relations": {}, "membership": "ban", "age": 5 }),
        );
    });
    assert_eq!(
        room.receive_json(EVIL, vec![with]).verdicts[0].outcome,
        Outcome::Accepted
    );
    let ask = selvage_protocol::room::GetEvent {
        viewer: asks::viewer(ALICE),
        event_id: event.event_id().as_str().to_owned(),
    };
    let shown = asks::parsed(&room.server.ask(&room.room, ask).unwrap().event);
    let unsigned = shown["unsigned"].as_object().unwrap();
    assert_eq!(unsigned["membership"], "join");
    let mut keys: Vec<&String> = unsigned.keys().collect();
    keys.sort();
    assert_eq!(keys, ["age", "membership"]);
    assert!(!room.event(event.event_id().as_str()).json().contains("unsigned"));
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
