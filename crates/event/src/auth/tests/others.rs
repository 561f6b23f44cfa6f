//! The rules about federation, aliases, senders, required power, state keys and redactions.

use super::*;

fn with_create(version: RoomVersion, more: &Value) -> World {
    let mut world = World::new(version);
    let mut content = json!({"room_version": version.as_str(), "creator": CREATOR});
    for (key, value) in more.as_object().unwrap() {
        content[key.as_str()] = value.clone();
    }
    world.set(Try {
        prev: vec![],
        ..state(CREATOR, "m.room.create", "", content)
    });
    world
}

#[test]
fn a_state_without_create_event_allows_nothing() {
    for version in RoomVersion::ALL {
        let mut world = World::new(version);
        world.state.remove(&("m.room.create".into(), String::new()));
        world.refuses(message(CREATOR, "m.room.message"), Rule::NoCreate);
    }
}

/// Anything but `true` keeps other servers out, and memberships of their users too, as in Synapse.
#[test]
fn federation() {
    for version in RoomVersion::ALL {
        for (value, open) in [
            (json!(true), true),
            (json!(false), false),
            (json!("false"), false),
            (json!(null), false),
        ] {
            let world = with_create(version, &json!({"m.federate": value}));
            let expected = if open { Ok(()) } else { Err(Rule::NotFederated) };
            assert_eq!(
                world.check(message(USER, "m.room.message")),
                expected,
                "{version} {value}"
            );
            assert_eq!(
                world.check(member(STRANGER, STRANGER, "join")),
                expected,
                "{version} {value}"
            );
            assert_eq!(
                world.check(member(MOD, STRANGER, "invite")),
                expected,
                "{version} {value}"
            );
            assert_eq!(
                world.check(message(MOD, "m.room.message")),
                Ok(()),
                "{version} {value}"
            );
            assert_eq!(
                world.check(member(MOD, "@new:a", "invite")),
                Ok(()),
                "{version} {value}"
            );
        }
        with_create(version, &json!({})).allows(message(USER, "m.room.message"));
    }
}

#[test]
fn aliases_up_to_version_5() {
    for version in RoomVersion::ALL {
        let world = World::new(version);
        let own = state(STRANGER, "m.room.aliases", "b", json!({}));
        let other = state(CREATOR, "m.room.aliases", "b", json!({}));
        if version <= RoomVersion::V5 {
            world.allows(own);
            world.refuses(other, Rule::AliasesDomain);
            world.refuses(message(CREATOR, "m.room.aliases"), Rule::AliasesStateKey);
        } else {
            world.refuses(own, Rule::SenderNotJoined);
            world.allows(other);
        }
    }
}

#[test]
fn sender_must_be_joined() {
    for version in RoomVersion::ALL {
        let world = World::new(version);
        for sender in [INVITED, BANNED, LEFT, STRANGER] {
            world.refuses(message(sender, "m.room.message"), Rule::SenderNotJoined);
            world.refuses(
                state(sender, "m.room.topic", "", json!({})),
                Rule::SenderNotJoined,
            );
        }
        world.allows(message(USER, "m.room.message"));
    }
}

#[test]
fn required_power() {
    for version in RoomVersion::ALL {
        let world = World::new(version);
        world.refuses(state(USER, "m.room.topic", "", json!({})), Rule::RequiredPower);
        world.allows(state(MOD, "m.room.topic", "", json!({})));
        let mut levels = usual_levels(version);
        levels["events_default"] = json!(10);
        levels["state_default"] = json!(60);
        levels["events"] = json!({"m.room.name": 50, "m.reaction": 0});
        let world = World::new(version).levels(levels);
        world.refuses(message(USER, "m.room.message"), Rule::RequiredPower);
        world.allows(message(USER, "m.reaction"));
        world.allows(message(MOD, "m.room.message"));
        world.refuses(state(MOD, "m.room.topic", "", json!({})), Rule::RequiredPower);
        world.allows(state(MOD, "m.room.name", "", json!({})));
        world.allows(state(CREATOR, "m.room.topic", "", json!({})));
    }
}

#[test]
fn state_keys_that_are_users() {
    for version in RoomVersion::ALL {
        let world = World::new(version);
        world.allows(state(MOD, "org.example", MOD, json!({})));
        world.refuses(state(MOD, "org.example", USER, json!({})), Rule::StateKeyUser);
        world.refuses(state(CREATOR, "org.example", "@", json!({})), Rule::StateKeyUser);
        world.allows(state(MOD, "org.example", "not@user:b", json!({})));
    }
}

fn redaction(world: &World, sender: &'static str, target: &str) -> Event {
    let content = json!({"redacts": target});
    let what = Try {
        content,
        ..message(sender, "m.room.redaction")
    };
    world.event_with(what, &json!({"redacts": target, "event_id": "$redaction:b"}))
}

/// Rule 11 of versions 1 and 2; later, whether a redaction counts is decided when it is applied.
#[test]
fn redactions_by_rule() {
    for version in RoomVersion::ALL {
        let world = World::new(version);
        let by_rule = version <= RoomVersion::V2;
        let expected = if by_rule { Err(Rule::Redaction) } else { Ok(()) };
        assert_eq!(
            world.check_event(&redaction(&world, USER, "$any:b")),
            expected,
            "ids here are of server a"
        );
        assert_eq!(
            world.check_event(&redaction(&world, USER, "$any:a")),
            Ok(()),
            "{version}"
        );
        assert_eq!(
            world.check_event(&redaction(&world, MOD, "$any:b")),
            Ok(()),
            "{version}"
        );
    }
}

/// spec: `rooms/v3 §Handling redactions`
#[test]
fn redactions_when_applied() {
    for version in from(RoomVersion::V3) {
        let world = World::new(version);
        let target = world.event(message(PEER, "m.room.message"));
        let may = |sender, target: &Event| {
            let redaction = redaction(&world, sender, target.event_id().as_str());
            may_redact(&redaction, target, &world.state).unwrap()
        };
        assert!(may(MOD, &target), "{version}: power");
        assert!(may(USER, &target), "{version}: same server");
        let foreign = world.event(message(MOD, "m.room.message"));
        assert!(!may(USER, &foreign), "{version}: neither");
        let other = redaction(&world, MOD, "$another");
        assert!(
            !may_redact(&other, &target, &world.state).unwrap(),
            "{version}: another target"
        );
        let elsewhere = world.event_with(message(PEER, "m.room.message"), &json!({"room_id": "!other:a"}));
        assert!(!may(MOD, &elsewhere), "{version}: another room");
    }
}
