//! Rule 1: `m.room.create`.

use super::*;

fn create(version: RoomVersion, content: Value, fields: &Value) -> Result<(), Rule> {
    let world = World::founded(version);
    let what = Try {
        prev: vec![],
        ..state(CREATOR, "m.room.create", "", content)
    };
    check(&world.event_with(what, fields))
}

fn check(event: &Event) -> Result<(), Rule> {
    let none: BTreeMap<EventId, KnownEvent> = BTreeMap::new();
    match check_auth_events(event, &none) {
        Ok(_) => Ok(()),
        Err(ChainRefusal::Refused(refusal)) => Err(refusal.rule),
        Err(other) => panic!("{other:?}"),
    }
}

fn usual(version: RoomVersion) -> Value {
    json!({"room_version": version.as_str(), "creator": CREATOR})
}

#[test]
fn allowed() {
    for version in RoomVersion::ALL {
        assert_eq!(create(version, usual(version), &json!({})), Ok(()), "{version}");
    }
    assert_eq!(
        create(RoomVersion::V1, json!({"creator": CREATOR}), &json!({})),
        Ok(()),
        "no version is version 1"
    );
}

#[test]
fn rule_1_1_prev_events() {
    for version in RoomVersion::ALL {
        let what = state(CREATOR, "m.room.create", "", usual(version));
        assert_eq!(
            check(&World::founded(version).event(what)),
            Err(Rule::CreatePrevEvents),
            "{version}"
        );
    }
}

#[test]
fn rule_1_2_room_id() {
    for version in before(RoomVersion::V12) {
        let other = create(version, usual(version), &json!({"room_id": "!create:b"}));
        assert_eq!(other, Err(Rule::CreateRoomIdDomain), "{version}");
        let none = create(version, usual(version), &json!({"room_id": "!create"}));
        assert_eq!(none, Err(Rule::CreateRoomIdDomain), "{version}");
    }
    let with = create(
        RoomVersion::V12,
        usual(RoomVersion::V12),
        &json!({"room_id": "!create:a"}),
    );
    assert_eq!(with, Err(Rule::CreateRoomId));
}

#[test]
fn rule_1_3_room_version() {
    for version in RoomVersion::ALL {
        for stated in [json!("org.example"), json!("13"), json!(12), json!(null)] {
            let content = json!({"room_version": stated, "creator": CREATOR});
            assert_eq!(
                create(version, content, &json!({})),
                Err(Rule::CreateRoomVersion),
                "{version}"
            );
        }
    }
    let other = create(RoomVersion::V12, usual(RoomVersion::V11), &json!({}));
    assert_eq!(
        other,
        Err(Rule::CreateRoomVersion),
        "known, but not the one it is judged by"
    );
    assert_eq!(
        create(RoomVersion::V11, json!({}), &json!({})),
        Err(Rule::CreateRoomVersion)
    );
}

#[test]
fn rule_1_4_creator() {
    for version in RoomVersion::ALL {
        let expected = if version <= RoomVersion::V10 {
            Err(Rule::CreateCreator)
        } else {
            Ok(())
        };
        let content = json!({"room_version": version.as_str()});
        assert_eq!(create(version, content, &json!({})), expected, "{version}");
    }
}

#[test]
fn rule_1_4_additional_creators() {
    for (additional, good) in [
        (json!([]), true),
        (json!(["@a:b", "@Old User:b"]), true),
        (json!("@a:b"), false),
        (json!(["@a:b", 5]), false),
        (json!(["a"]), false),
        (json!(["@a"]), false),
        (json!({}), false),
        (json!(null), false),
    ] {
        for version in [RoomVersion::V11, RoomVersion::V12] {
            let mut content = usual(version);
            content["additional_creators"] = additional.clone();
            let expected = good || version == RoomVersion::V11;
            assert_eq!(
                create(version, content, &json!({})).is_ok(),
                expected,
                "{version} {additional}"
            );
        }
    }
}

#[test]
fn no_state_speaks_against_a_create_event() {
    for version in RoomVersion::ALL {
        World::new(version).allows(state(STRANGER, "m.room.create", "", usual(version)));
    }
}
