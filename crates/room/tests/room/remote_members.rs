//! Users of other servers who join, leave and knock through this one (spec: server-server-api §joining-rooms, §leaving-rooms,
//! §knocking-upon-a-room, §restricted-rooms; attacks 6 and 11).

use selvage_event::{Map, RoomVersion, ServerName, SigningKey};
use selvage_object::Failure;
use selvage_protocol::Json;
use selvage_protocol::federation::{
    EventForServer, MakeMembership, MakeMembershipReply, SendMembership, SendMembershipReply, ServerKey,
};
use selvage_protocol::room::MembershipAction;
use selvage_protocol::user::Membership;
use selvage_sim::asks::{self, errcode, parsed};
use serde_json::{Value, json};

use crate::fixture::{ALICE, BOB, Fixture};

const PEER: &str = "peer.test";
const DAN: &str = "@dan:peer.test";
const KEY_ID: &str = "ed25519:peer";

fn key() -> SigningKey {
    SigningKey::from_seed(KEY_ID, &[5; 32]).expect("a key")
}

fn keys() -> Vec<ServerKey> {
    let public = key().public_key(i64::MAX).to_base64();
    vec![ServerKey {
        server: PEER.to_owned(),
        key_id: KEY_ID.to_owned(),
        public_key: public,
        valid_until_ts: i64::MAX,
    }]
}

fn all_versions() -> Vec<String> {
    RoomVersion::ALL.map(|version| version.as_str().to_owned()).into()
}

fn make(user: &str, membership: Membership) -> MakeMembership {
    MakeMembership {
        server: PEER.to_owned(),
        user_id: user.to_owned(),
        membership,
        versions: all_versions(),
        is_in_allowed_room: false,
    }
}

fn send(event: Json, membership: Membership) -> SendMembership {
    SendMembership {
        server: PEER.to_owned(),
        membership,
        event,
        keys: keys(),
        is_in_allowed_room: false,
    }
}

/// Hashes and signs an event as Dan's server does. Versions whose events are hashed alike are signed alike.
fn signed(version: RoomVersion, event: &Json, change: impl FnOnce(&mut Map)) -> Json {
    let mut event = parsed(event);
    change(&mut event);
    if version <= RoomVersion::V2 {
        let id = format!("${}:peer.test", event["depth"]);
        event.insert("event_id".into(), Value::from(id));
    }
    let hash = selvage_event::hash::content_hash(version, &event).expect("a hash");
    let hash = base64::Engine::encode(&base64::engine::general_purpose::STANDARD_NO_PAD, hash);
    event.insert("hashes".into(), json!({ "sha256": hash }));
    let mut redacted = selvage_event::redact(version, &event);
    redacted.remove("unsigned");
    key()
        .sign_json(&ServerName::parse(PEER).expect("a name"), &mut redacted)
        .expect("signed");
    event.insert("signatures".into(), redacted["signatures"].clone());
    asks::raw(&Value::Object(event))
}

/// A room of this server that anybody may join.
fn room(version: RoomVersion, join_rule: &str) -> Fixture {
    Fixture::of_version_named(version, join_rule, "shared")
}

impl Fixture {
    fn make(&mut self, ask: MakeMembership) -> Result<MakeMembershipReply, Failure> {
        self.server.ask(&self.room, ask)
    }

    fn send(&mut self, ask: SendMembership) -> Result<SendMembershipReply, Failure> {
        let reply = self.server.ask(&self.room, ask);
        self.server.settle();
        reply
    }

    /// Dan joins, or does what else he may.
    fn dan(&mut self, version: RoomVersion, membership: Membership) -> SendMembershipReply {
        let template = self.make(make(DAN, membership)).expect("a template").event;
        self.send(send(signed(version, &template, |_| {}), membership))
            .expect("let in")
    }

    /// An attack: refused, with this in the reason, and the room as before.
    #[track_caller]
    fn refuses_to_send(&mut self, what: &str, ask: SendMembership, code: &str, why: &str) {
        let before = (self.events(), self.states());
        let failure = self.server.ask(&self.room, ask).map(|_| ()).expect_err(what);
        let Failure::Refusal(refusal) = failure else {
            panic!("{what}: {failure:?}");
        };
        assert_eq!(refusal.errcode, code, "{what}: {refusal:?}");
        assert!(
            refusal.message.contains(why),
            "{what}: {:?} does not name {why:?}",
            refusal.message
        );
        assert_eq!((self.events(), self.states()), before, "{what}");
        assert_eq!(self.server.undelivered(), 0, "{what} told somebody");
    }
}

#[test]
fn a_user_of_another_server_joins_speaks_and_leaves() {
    for version in RoomVersion::ALL {
        let mut fixture = room(version, "public");
        let synced = fixture.sync(ALICE, None);
        let reply = fixture.make(make(DAN, Membership::Join)).unwrap();
        assert_eq!(reply.version, version.as_str());
        let template = parsed(&reply.event);
        assert_eq!(template["type"], "m.room.member");
        assert_eq!(
            (&template["sender"], &template["state_key"]),
            (&json!(DAN), &json!(DAN))
        );
        assert_eq!(template["content"], json!({ "membership": "join" }));
        for made_by_signer in ["hashes", "signatures", "event_id"] {
            assert!(
                !template.contains_key(made_by_signer),
                "version {version}: {made_by_signer}"
            );
        }
        let joined = fixture.dan(version, Membership::Join);
        assert_eq!(fixture.membership(DAN), "join", "version {version}");
        let next = fixture.sync(ALICE, Some(&synced));
        let room_id = fixture.room_id().to_owned();
        assert_eq!(next.slice(&room_id).timeline.len(), 1, "Alice hears of it");
        let again = fixture
            .send(send(joined.event.clone(), Membership::Join))
            .unwrap();
        assert_eq!(again.event_id, joined.event_id, "a repetition changes nothing");
        let see = EventForServer {
            server: PEER.to_owned(),
            event_id: joined.event_id,
        };
        assert!(
            fixture.server.ask(&fixture.room, see).is_ok(),
            "his server is in the room"
        );
        fixture.dan(version, Membership::Leave);
        assert_eq!(fixture.membership(DAN), "leave", "version {version}");
    }
}

#[test]
fn templates_are_made_for_those_who_may_alone() {
    let mut fixture = room(RoomVersion::V11, "invite");
    let code = |fixture: &mut Fixture, ask| errcode(fixture.make(ask));
    assert_eq!(
        code(&mut fixture, make(DAN, Membership::Join)),
        "M_FORBIDDEN",
        "a closed room"
    );
    assert_eq!(
        code(&mut fixture, make(DAN, Membership::Leave)),
        "M_FORBIDDEN",
        "not in it"
    );
    assert_eq!(
        code(&mut fixture, make(DAN, Membership::Knock)),
        "M_FORBIDDEN",
        "no knocking"
    );
    assert_eq!(
        code(&mut fixture, make(ALICE, Membership::Leave)),
        "M_FORBIDDEN",
        "another's user"
    );
    assert_eq!(
        code(&mut fixture, make("dan", Membership::Join)),
        "M_INVALID_PARAM",
        "no user"
    );
    assert_eq!(
        code(&mut fixture, make(DAN, Membership::Ban)),
        "M_INVALID_PARAM",
        "no such request"
    );
    let old = MakeMembership {
        versions: vec!["1".into(), "10".into()],
        ..make(DAN, Membership::Join)
    };
    assert_eq!(code(&mut fixture, old), "M_INCOMPATIBLE_ROOM_VERSION");
    let nowhere = selvage_protocol::room_key("!nowhere:test");
    let reply = fixture.server.ask(&nowhere, make(DAN, Membership::Join));
    assert_eq!(errcode(reply), "M_NOT_FOUND");
    fixture.change(ALICE, MembershipAction::Invite, DAN).unwrap();
    fixture.dan(RoomVersion::V11, Membership::Join);
    fixture.change(ALICE, MembershipAction::Ban, DAN).unwrap();
    assert_eq!(
        code(&mut fixture, make(DAN, Membership::Join)),
        "M_FORBIDDEN",
        "banned"
    );
}

/// An invite is taken up or declined through this server.
#[test]
fn the_invited_join_or_decline() {
    for (membership, ends) in [(Membership::Join, "join"), (Membership::Leave, "leave")] {
        let mut fixture = room(RoomVersion::V12, "invite");
        fixture.change(ALICE, MembershipAction::Invite, DAN).unwrap();
        fixture.dan(RoomVersion::V12, membership);
        assert_eq!(fixture.membership(DAN), ends);
    }
}

/// Attack 11: what comes back is not what was asked for.
#[test]
fn what_is_sent_is_what_was_asked_for() {
    for version in [RoomVersion::V1, RoomVersion::V11, RoomVersion::V12] {
        let mut fixture = room(version, "public");
        let template = fixture.make(make(DAN, Membership::Join)).unwrap().event;
        let changes: [(&str, &str, Value, &str, &str); 4] = [
            (
                "another's membership",
                "state_key",
                json!(BOB),
                "M_INVALID_PARAM",
                "not the membership",
            ),
            (
                "another membership",
                "content",
                json!({ "membership": "leave" }),
                "M_INVALID_PARAM",
                "not the membership",
            ),
            (
                "no membership event",
                "type",
                json!("m.room.topic"),
                "M_INVALID_PARAM",
                "not the membership",
            ),
            (
                "another's user",
                "sender",
                json!(ALICE),
                "M_FORBIDDEN",
                "its own users",
            ),
        ];
        for (what, field, value, code, why) in changes {
            let event = signed(version, &template, |event| event[field] = value);
            let ask = send(event, Membership::Join);
            fixture.refuses_to_send(&format!("version {version}: {what}"), ask, code, why);
        }
        if version != RoomVersion::V12 {
            let elsewhere = signed(version, &template, |event| {
                event["room_id"] = json!("!other:test")
            });
            let ask = send(elsewhere, Membership::Join);
            fixture.refuses_to_send("another room", ask, "M_INVALID_PARAM", "another room");
        }
        let good = send(signed(version, &template, |_| {}), Membership::Join);
        let as_leave = SendMembership {
            membership: Membership::Leave,
            ..good.clone()
        };
        fixture.refuses_to_send(
            "sent as a leave",
            as_leave,
            "M_INVALID_PARAM",
            "not the membership",
        );
        let by_another = SendMembership {
            server: "evil.test".into(),
            ..good.clone()
        };
        fixture.refuses_to_send(
            "sent by another server",
            by_another,
            "M_FORBIDDEN",
            "its own users",
        );
        fixture.send(good).unwrap();
        assert_eq!(fixture.membership(DAN), "join");
    }
}

#[test]
fn what_is_sent_is_checked_as_any_event() {
    for version in [RoomVersion::V1, RoomVersion::V11, RoomVersion::V12] {
        let mut fixture = room(version, "public");
        let template = fixture.make(make(DAN, Membership::Join)).unwrap().event;
        let unknown = match version {
            RoomVersion::V1 => json!([["$x:peer.test", {}]]),
            _ => json!(["$x"]),
        };
        for (what, field, value, why) in [
            ("unknown predecessors", "prev_events", unknown, "does not have"),
            ("no predecessors", "prev_events", json!([]), "NoPrevEvents"),
            ("no auth events", "auth_events", json!([]), "Authorisation rules"),
        ] {
            let event = signed(version, &template, |event| event[field] = value);
            let ask = send(event, Membership::Join);
            fixture.refuses_to_send(&format!("version {version}: {what}"), ask, "M_FORBIDDEN", why);
        }
        let junk = send(asks::raw(&json!({})), Membership::Join);
        fixture.refuses_to_send("no fields", junk, "M_BAD_JSON", "missing");
        let good = send(signed(version, &template, |_| {}), Membership::Join);
        let unsigned = SendMembership {
            keys: Vec::new(),
            ..good.clone()
        };
        fixture.refuses_to_send("no signature that is known", unsigned, "M_FORBIDDEN", PEER);
        fixture.send(good).unwrap();
        assert_eq!(fixture.membership(DAN), "join");
    }
}

/// Attack 6 and row J7: a join that was fine when its template was made and is not any more is refused, and not kept in
/// silence.
#[test]
fn a_join_that_comes_too_late_is_refused() {
    for version in [
        RoomVersion::V1,
        RoomVersion::V6,
        RoomVersion::V11,
        RoomVersion::V12,
    ] {
        let mut fixture = room(version, "public");
        let template = fixture.make(make(DAN, Membership::Join)).unwrap().event;
        let join = send(signed(version, &template, |_| {}), Membership::Join);
        fixture.change(ALICE, MembershipAction::Ban, DAN).unwrap();
        fixture.refuses_to_send("banned meanwhile", join.clone(), "M_FORBIDDEN", "JoinBanned");
        assert_eq!(fixture.membership(DAN), "ban");
        fixture.change(ALICE, MembershipAction::Unban, DAN).unwrap();
        // What was changed later counts, where nothing else decides.
        fixture.server.tick(1_000);
        fixture
            .put(ALICE, "m.room.join_rules", "", &json!({ "join_rule": "invite" }))
            .unwrap();
        fixture.refuses_to_send("closed meanwhile", join, "M_FORBIDDEN", "JoinRule");
    }
}

/// A room whose join rule lets in the members of another.
fn restricted(version: RoomVersion, rule: &str) -> Fixture {
    let mut fixture = room(version, "invite");
    let allow = json!([{ "type": "m.room_membership", "room_id": "!other:test" }]);
    fixture
        .put(
            ALICE,
            "m.room.join_rules",
            "",
            &json!({ "join_rule": rule, "allow": allow }),
        )
        .unwrap();
    fixture
}

/// spec: server-server-api §restricted-rooms: this server signs for one of its users who may invite.
#[test]
fn a_restricted_join_is_signed_by_its_authoriser() {
    for (version, rule) in [
        (RoomVersion::V8, "restricted"),
        (RoomVersion::V9, "restricted"),
        (RoomVersion::V10, "knock_restricted"),
        (RoomVersion::V11, "restricted"),
        (RoomVersion::V12, "knock_restricted"),
    ] {
        let mut fixture = restricted(version, rule);
        assert_eq!(
            errcode(fixture.make(make(DAN, Membership::Join))),
            "M_FORBIDDEN",
            "in no allowed room"
        );
        let ask = MakeMembership {
            is_in_allowed_room: true,
            ..make(DAN, Membership::Join)
        };
        let template = fixture.make(ask).unwrap().event;
        assert_eq!(
            parsed(&template)["content"]["join_authorised_via_users_server"],
            ALICE
        );
        let join = signed(version, &template, |_| {});
        let forged = send(join.clone(), Membership::Join);
        fixture.refuses_to_send(
            "no member of an allowed room",
            forged,
            "M_FORBIDDEN",
            "none of the rooms",
        );
        let unnamed = signed(version, &template, |event| {
            event["content"]
                .as_object_mut()
                .unwrap()
                .remove("join_authorised_via_users_server");
            event["auth_events"].as_array_mut().unwrap().pop();
        });
        let unnamed = SendMembership {
            is_in_allowed_room: true,
            ..send(unnamed, Membership::Join)
        };
        fixture.refuses_to_send("no authoriser", unnamed, "M_FORBIDDEN", "JoinAuthoriser");
        let reply = fixture
            .send(SendMembership {
                is_in_allowed_room: true,
                ..send(join, Membership::Join)
            })
            .unwrap();
        let event = parsed(&reply.event);
        let signers: Vec<&String> = event["signatures"].as_object().unwrap().keys().collect();
        assert_eq!(
            signers,
            [PEER, "test"],
            "version {version}: and the answer has this server's signature"
        );
        assert_eq!(fixture.membership(DAN), "join");
    }
}

/// Attack 6: authorisers who have no power, or are not in the room, or of a server that has not signed.
#[test]
fn forged_authorisers_let_nobody_in() {
    let version = RoomVersion::V11;
    let mut fixture = restricted(version, "restricted");
    let levels = json!({ "users": { ALICE: 100 }, "invite": 50 });
    fixture.enter(BOB);
    fixture.put(ALICE, "m.room.power_levels", "", &levels).unwrap();
    let ask = MakeMembership {
        is_in_allowed_room: true,
        ..make(DAN, Membership::Join)
    };
    let template = fixture.make(ask).unwrap().event;
    for (what, authoriser, why) in [
        ("without power", BOB, "Auth"),
        ("not in the room", "@nobody:test", "Auth"),
        ("of another server", "@eve:evil.test", "evil.test"),
        ("oneself", DAN, "Auth"),
    ] {
        let member = fixture.member_event(authoriser);
        let join = signed(version, &template, |event| {
            event["content"]["join_authorised_via_users_server"] = json!(authoriser);
            let cited = event["auth_events"].as_array_mut().unwrap();
            cited.truncate(cited.len() - 1);
            cited.extend(member.map(Value::from));
        });
        let join = SendMembership {
            is_in_allowed_room: true,
            ..send(join, Membership::Join)
        };
        fixture.refuses_to_send(what, join, "M_FORBIDDEN", why);
    }
}

#[test]
fn where_nobody_here_may_invite_nobody_is_let_in() {
    let mut fixture = restricted(RoomVersion::V11, "restricted");
    let levels = json!({ "users": { ALICE: 100 }, "invite": 101 });
    fixture
        .put(ALICE, "m.room.power_levels", "", &levels)
        .unwrap_err();
    let levels = json!({ "users": { ALICE: 50 }, "invite": 75 });
    fixture.put(ALICE, "m.room.power_levels", "", &levels).unwrap();
    let ask = MakeMembership {
        is_in_allowed_room: true,
        ..make(DAN, Membership::Join)
    };
    assert_eq!(errcode(fixture.make(ask)), "M_UNABLE_TO_GRANT_JOIN");
}

#[test]
fn knocks_from_other_servers() {
    for (version, rule, lets) in [
        (RoomVersion::V6, "knock", false),
        (RoomVersion::V7, "knock", true),
        (RoomVersion::V9, "knock_restricted", false),
        (RoomVersion::V10, "knock_restricted", true),
        (RoomVersion::V12, "knock", true),
        (RoomVersion::V12, "public", false),
    ] {
        let mut fixture = room(version, "invite");
        fixture
            .put(ALICE, "m.room.join_rules", "", &json!({ "join_rule": rule }))
            .unwrap();
        if !lets {
            assert_eq!(
                errcode(fixture.make(make(DAN, Membership::Knock))),
                "M_FORBIDDEN",
                "version {version}"
            );
            continue;
        }
        let reply = fixture.dan(version, Membership::Knock);
        assert_eq!(fixture.membership(DAN), "knock", "version {version}");
        let shown: Vec<Value> = reply
            .stripped_state
            .iter()
            .map(|event| parsed(event)["type"].clone())
            .collect();
        assert!(shown.contains(&json!("m.room.create")) && shown.contains(&json!("m.room.join_rules")));
        assert!(
            !shown.contains(&json!("m.room.history_visibility")),
            "and no more than is shown to strangers"
        );
        let see = EventForServer {
            server: PEER.to_owned(),
            event_id: reply.event_id,
        };
        assert_eq!(
            errcode(fixture.server.ask(&fixture.room, see)),
            "M_FORBIDDEN",
            "knocking is not being in"
        );
        fixture.dan(version, Membership::Leave);
        assert_eq!(fixture.membership(DAN), "leave", "a knock is taken back");
    }
}
