//! The rules about `auth_events` (2, in version 12 3), about the room id (version 12, 2), and their selection.

use super::*;

/// A room's state by event id, and an event citing what the rules select.
struct Cited {
    world: World,
    known: BTreeMap<EventId, KnownEvent>,
    ids: Vec<String>,
}

fn cited(version: RoomVersion, what: &Try<'_>) -> Cited {
    let world = World::new(version);
    let known: BTreeMap<_, _> = world
        .state
        .values()
        .map(|event| {
            (
                event.event_id().clone(),
                KnownEvent {
                    event: event.clone(),
                    rejected: false,
                },
            )
        })
        .collect();
    let keys = auth_types_for(
        version,
        what.kind,
        what.sender,
        what.state_key,
        what.content.as_object().unwrap(),
    );
    let ids = keys
        .iter()
        .filter_map(|key| world.state.get(key))
        .map(|event| event.event_id().to_string())
        .collect();
    // In version 12 the room id names the create event.
    let mut cited = Cited { world, known, ids };
    if version == RoomVersion::V12 {
        let create = cited.world.state[&("m.room.create".into(), String::new())].clone();
        let id = EventId::parse("$create:a").unwrap();
        cited.known.insert(
            id,
            KnownEvent {
                event: create,
                rejected: false,
            },
        );
    }
    cited
}

impl Cited {
    fn check(&self, what: Try<'_>) -> Result<(), Rule> {
        let auth = self.ids.iter().map(String::as_str).collect();
        match check_auth_events(&self.world.event(Try { auth, ..what }), &self.known) {
            Ok(_) => Ok(()),
            Err(ChainRefusal::Refused(refusal)) => Err(refusal.rule),
            Err(other) => panic!("{other:?}"),
        }
    }

    fn id_of(&self, kind: &str, state_key: &str) -> String {
        self.world.state[&(kind.to_owned(), state_key.to_owned())]
            .event_id()
            .to_string()
    }
}

fn topic() -> Try<'static> {
    state(MOD, "m.room.topic", "", json!({}))
}

#[test]
fn allowed() {
    for version in RoomVersion::ALL {
        for what in [
            topic(),
            message(USER, "m.room.message"),
            member(MOD, USER, "ban"),
            member(MOD, LEFT, "invite"),
        ] {
            assert_eq!(cited(version, &what).check(what), Ok(()), "{version}");
        }
    }
}

#[test]
fn an_event_must_follow_something() {
    for version in RoomVersion::ALL {
        let what = Try {
            prev: vec![],
            ..topic()
        };
        assert_eq!(
            cited(version, &what).check(what),
            Err(Rule::NoPrevEvents),
            "{version}"
        );
    }
}

#[test]
fn duplicates() {
    for version in RoomVersion::ALL {
        let mut room = cited(version, &topic());
        room.ids.push(room.ids[0].clone());
        assert_eq!(
            room.check(topic()),
            Err(Rule::AuthDuplicate),
            "{version}: the same event"
        );
        let mut room = cited(version, &topic());
        let other = room.world.event(member(MOD, MOD, "join"));
        room.ids.push(other.event_id().to_string());
        room.known.insert(
            other.event_id().clone(),
            KnownEvent {
                event: other,
                rejected: false,
            },
        );
        assert_eq!(
            room.check(topic()),
            Err(Rule::AuthDuplicate),
            "{version}: the same key"
        );
    }
}

#[test]
fn not_selected() {
    for version in RoomVersion::ALL {
        for (kind, state_key) in [("m.room.join_rules", ""), ("m.room.member", USER)] {
            let mut room = cited(version, &topic());
            room.ids.push(room.id_of(kind, state_key));
            assert_eq!(
                room.check(topic()),
                Err(Rule::AuthNotSelected),
                "{version} {kind}"
            );
        }
        let mut room = cited(version, &topic());
        let message = room.world.event(message(MOD, "m.room.message"));
        room.ids.push(message.event_id().to_string());
        room.known.insert(
            message.event_id().clone(),
            KnownEvent {
                event: message,
                rejected: false,
            },
        );
        assert_eq!(
            room.check(topic()),
            Err(Rule::AuthNotSelected),
            "{version}: no state event"
        );
    }
    let mut room = cited(RoomVersion::V12, &topic());
    room.ids.push("$create:a".into());
    assert_eq!(
        room.check(topic()),
        Err(Rule::AuthNotSelected),
        "version 12 does not cite the create event"
    );
}

#[test]
fn rejected() {
    for version in RoomVersion::ALL {
        let mut room = cited(version, &topic());
        let id = EventId::parse(room.id_of("m.room.member", MOD)).unwrap();
        room.known.get_mut(&id).unwrap().rejected = true;
        assert_eq!(room.check(topic()), Err(Rule::AuthRejected), "{version}");
    }
}

#[test]
fn no_create_event() {
    for version in before(RoomVersion::V12) {
        let mut room = cited(version, &topic());
        room.ids.retain(|id| id != "$create:a");
        assert_eq!(room.check(topic()), Err(Rule::NoCreate), "{version}");
    }
}

/// A user with power in one room must not use it in another.
#[test]
fn another_room() {
    for version in RoomVersion::ALL {
        let mut room = cited(version, &topic());
        let id = EventId::parse(room.id_of("m.room.power_levels", "")).unwrap();
        let what = state(CREATOR, "m.room.power_levels", "", usual_levels(version));
        let event = room.world.event_with(what, &json!({"room_id": "!other:a"}));
        room.known.insert(
            id,
            KnownEvent {
                event,
                rejected: false,
            },
        );
        assert_eq!(room.check(topic()), Err(Rule::AuthOtherRoom), "{version}");
    }
}

#[test]
fn v12_rule_2_room_id() {
    let create = EventId::parse("$create:a").unwrap();
    let mut room = cited(RoomVersion::V12, &topic());
    room.known.get_mut(&create).unwrap().rejected = true;
    assert_eq!(room.check(topic()), Err(Rule::RoomIdUnknown), "rejected");
    let other = room.world.event(member(MOD, MOD, "join"));
    room.known.insert(
        create.clone(),
        KnownEvent {
            event: other,
            rejected: false,
        },
    );
    assert_eq!(
        room.check(topic()),
        Err(Rule::RoomIdUnknown),
        "not a create event"
    );
    room.known.remove(&create);
    let event = room.world.event(topic());
    let missing = check_auth_events(&event, &room.known).unwrap_err();
    assert_eq!(missing, ChainRefusal::Missing(vec![create]));
}

#[test]
fn unknown_auth_events_are_asked_for() {
    let room = cited(RoomVersion::V11, &topic());
    let event = room.world.event(Try {
        auth: vec!["$create:a", "$x", "$y"],
        ..topic()
    });
    let ids = ["$x", "$y"].map(|id| EventId::parse(id).unwrap()).to_vec();
    assert_eq!(
        check_auth_events(&event, &room.known).unwrap_err(),
        ChainRefusal::Missing(ids)
    );
}

#[test]
fn long_names_are_refused_before_version_11() {
    for version in before(RoomVersion::V11) {
        let kind = "é".repeat(200);
        let what = state(MOD, &kind, "", json!({}));
        assert_eq!(
            cited(version, &what).check(what),
            Err(Rule::Oversized),
            "{version}"
        );
    }
}

fn selected(version: RoomVersion, what: &Try<'_>) -> Vec<String> {
    let keys = auth_types_for(
        version,
        what.kind,
        what.sender,
        what.state_key,
        what.content.as_object().unwrap(),
    );
    keys.into_iter()
        .map(|(kind, key)| format!("{} {key}", kind.trim_start_matches("m.room.")))
        .collect()
}

/// spec: `server-server-api §Auth events selection`
#[test]
fn selection() {
    let create = || state(CREATOR, "m.room.create", "", json!({}));
    assert_eq!(selected(RoomVersion::V11, &create()), Vec::<String>::new());
    for version in RoomVersion::ALL {
        let check = |what: Try<'_>, more: &[&str]| {
            let mut expected = vec![
                "create ".to_owned(),
                "power_levels ".to_owned(),
                format!("member {}", what.sender),
            ];
            if version == RoomVersion::V12 {
                expected.remove(0);
            }
            expected.extend(more.iter().map(|key| (*key).to_owned()));
            assert_eq!(selected(version, &what), expected, "{version} {:?}", what.content);
        };
        let with = |membership: &str, key: &str, value: Value| {
            state(
                MOD,
                "m.room.member",
                USER,
                json!({"membership": membership, key: value}),
            )
        };
        check(message(USER, "m.room.message"), &[]);
        check(member(USER, USER, "join"), &["join_rules "]);
        check(member(MOD, USER, "invite"), &["member @user:b", "join_rules "]);
        check(member(USER, USER, "knock"), &["join_rules "]);
        check(member(MOD, USER, "leave"), &["member @user:b"]);
        check(member(MOD, USER, "ban"), &["member @user:b"]);
        let signed = json!({"signed": {"token": "tok"}});
        let token = ["member @user:b", "join_rules ", "third_party_invite tok"];
        check(with("invite", "third_party_invite", signed.clone()), &token);
        check(
            with("invite", "third_party_invite", json!({"signed": 5})),
            &["member @user:b", "join_rules "],
        );
        check(with("ban", "third_party_invite", signed), &["member @user:b"]);
        let authoriser = "join_authorised_via_users_server";
        let restricted: &[&str] = if version >= RoomVersion::V8 {
            &["member @user:b", "join_rules ", "member @peer:b"]
        } else {
            &["member @user:b", "join_rules "]
        };
        check(with("join", authoriser, json!(PEER)), restricted);
        check(
            with("invite", authoriser, json!(PEER)),
            &["member @user:b", "join_rules "],
        );
    }
}
