//! The rules about `m.room.power_levels`.

use super::*;

/// Someone changes the usual levels.
fn change(sender: &'static str, version: RoomVersion, change: impl FnOnce(&mut Value)) -> Try<'static> {
    let mut levels = usual_levels(version);
    change(&mut levels);
    state(sender, "m.room.power_levels", "", levels)
}

/// A room where everybody may send power levels, so that only the rules about levels refuse.
fn room(version: RoomVersion) -> World {
    let mut levels = usual_levels(version);
    levels["state_default"] = json!(0);
    levels["users"][USER] = json!(10);
    World::new(version).levels(levels)
}

/// Changes what [`room`] has.
fn changed(sender: &'static str, version: RoomVersion, path: &[&str], value: Option<i64>) -> Try<'static> {
    change(sender, version, |levels| {
        levels["state_default"] = json!(0);
        levels["users"][USER] = json!(10);
        let (last, path) = path.split_last().unwrap();
        let parent = path.iter().fold(&mut *levels, |at, key| &mut at[*key]);
        match value {
            Some(value) => parent[*last] = json!(value),
            None => drop(parent.as_object_mut().unwrap().remove(*last)),
        }
    })
}

#[test]
fn nothing_changed() {
    for version in RoomVersion::ALL {
        room(version).allows(changed(USER, version, &["invite"], Some(0)));
    }
}

#[test]
fn levels_must_be_integers() {
    for version in RoomVersion::ALL {
        for (value, from_string) in [
            (json!("50"), true),
            (json!([]), false),
            (json!("x"), false),
            (json!(null), false),
        ] {
            let good = from_string && version < RoomVersion::V10;
            for name in [
                "users_default",
                "events_default",
                "state_default",
                "ban",
                "redact",
                "kick",
                "invite",
            ] {
                let what = change(CREATOR, version, |levels| levels[name] = value.clone());
                let expected = if good { Ok(()) } else { Err(Rule::LevelType) };
                assert_eq!(
                    World::new(version).check(what),
                    expected,
                    "{version} {name} {value}"
                );
            }
            let what = change(CREATOR, version, |levels| levels["users"][USER] = value.clone());
            let expected = if good { Ok(()) } else { Err(Rule::LevelUsers) };
            assert_eq!(World::new(version).check(what), expected, "{version} {value}");
            let what = change(CREATOR, version, |levels| levels["events"]["x"] = value.clone());
            let expected = if good { Ok(()) } else { Err(Rule::LevelMap) };
            assert_eq!(World::new(version).check(what), expected, "{version} {value}");
        }
    }
}

#[test]
fn maps_must_be_objects() {
    for version in RoomVersion::ALL {
        let world = World::new(version);
        world.refuses(
            change(CREATOR, version, |levels| levels["events"] = json!([])),
            Rule::LevelMap,
        );
        world.refuses(
            change(CREATOR, version, |levels| levels["users"] = json!("x")),
            Rule::LevelUsers,
        );
        let odd = change(CREATOR, version, |levels| {
            levels["notifications"] = json!({"room": []})
        });
        let expected = if version >= RoomVersion::V6 {
            Err(Rule::LevelMap)
        } else {
            Ok(())
        };
        assert_eq!(
            world.check(odd),
            expected,
            "{version}: notifications are bound from version 6 on"
        );
    }
}

#[test]
fn users_must_be_users() {
    for version in RoomVersion::ALL {
        let with = |user: &str| change(CREATOR, version, |levels| levels["users"][user] = json!(1));
        for user in ["@x:y", "@Old User!:y", "@:y", "@x:y_z"] {
            World::new(version).allows(with(user));
        }
        for user in ["x:y", "@x", "", "#x:y"] {
            World::new(version).refuses(with(user), Rule::LevelUsers);
        }
    }
}

#[test]
fn v12_rule_10_4_creators_are_not_listed() {
    let mut world = World::new(RoomVersion::V12);
    let content = json!({"room_version": "12", "additional_creators": [PEER]});
    world.set(Try {
        prev: vec![],
        ..state(CREATOR, "m.room.create", "", content)
    });
    for user in [CREATOR, PEER] {
        let content = json!({"users": {user: 100}});
        world.refuses(
            state(CREATOR, "m.room.power_levels", "", content),
            Rule::LevelCreators,
        );
    }
    world.allows(state(
        PEER,
        "m.room.power_levels",
        "",
        json!({"users": {MOD: 100}}),
    ));
}

#[test]
fn the_first_levels_may_be_any() {
    for version in RoomVersion::ALL {
        let mut world = World::founded(version);
        world.set(member(CREATOR, CREATOR, "join"));
        world.allows(state(
            CREATOR,
            "m.room.power_levels",
            "",
            json!({"users": {USER: 1_000}, "ban": 1_000}),
        ));
        world.set(member(USER, USER, "join"));
        world.refuses(
            state(USER, "m.room.power_levels", "", json!({})),
            Rule::RequiredPower,
        );
    }
}

#[test]
fn single_levels() {
    for version in RoomVersion::ALL {
        let world = World::new(version)
            .levels(json!({"users": usual_levels(version)["users"], "kick": 75, "ban": 50}));
        let with = |kick: Option<i64>, ban: i64| {
            let mut levels = json!({"users": usual_levels(version)["users"], "ban": ban});
            if let Some(kick) = kick {
                levels["kick"] = json!(kick);
            }
            state(MOD, "m.room.power_levels", "", levels)
        };
        world.allows(with(Some(75), 0));
        world.allows(with(Some(75), 50));
        world.refuses(with(Some(75), 51), Rule::LevelChange);
        world.refuses(with(Some(50), 50), Rule::LevelChange);
        world.refuses(with(None, 50), Rule::LevelChange);
    }
}

/// What is not stated is nothing, and not its default, when it is added or removed: as Synapse has it, unlike ruma.
#[test]
fn a_level_that_is_not_stated_is_below_everyone() {
    for version in RoomVersion::ALL {
        let world = room(version);
        world.allows(changed(USER, version, &["ban"], Some(10)));
        world.refuses(changed(USER, version, &["ban"], Some(11)), Rule::LevelChange);
    }
}

#[test]
fn event_levels() {
    for version in RoomVersion::ALL {
        let world = room(version);
        let name = ["events", "m.room.name"];
        world.refuses(changed(USER, version, &name, Some(5)), Rule::LevelEntryOld);
        world.refuses(changed(USER, version, &name, None), Rule::LevelEntryOld);
        world.allows(changed(MOD, version, &name, Some(50)));
        world.allows(changed(MOD, version, &name, None));
        world.refuses(changed(MOD, version, &name, Some(51)), Rule::LevelEntryNew);
        world.allows(changed(USER, version, &["events", "x"], Some(10)));
        world.refuses(
            changed(USER, version, &["events", "x"], Some(11)),
            Rule::LevelEntryNew,
        );
    }
}

#[test]
fn notification_levels_from_version_6() {
    for version in RoomVersion::ALL {
        let with = |level: i64| {
            let mut levels = usual_levels(version);
            levels["notifications"] = json!({"room": level});
            levels
        };
        let world = World::new(version).levels(with(75));
        let bound = version >= RoomVersion::V6;
        let expected = |rule| if bound { Err(rule) } else { Ok(()) };
        let sent = |level| world.check(state(MOD, "m.room.power_levels", "", with(level)));
        assert_eq!(sent(50), expected(Rule::LevelEntryOld), "{version}");
        assert_eq!(sent(75), Ok(()));
        let world = World::new(version).levels(with(10));
        let sent = |level| world.check(state(MOD, "m.room.power_levels", "", with(level)));
        assert_eq!(sent(51), expected(Rule::LevelEntryNew), "{version}");
        assert_eq!(sent(50), Ok(()));
    }
}

#[test]
fn user_levels() {
    for version in RoomVersion::ALL {
        let world = room(version);
        let user = |user: &'static str| ["users", user];
        world.allows(changed(MOD, version, &user(USER), Some(50)));
        world.allows(changed(MOD, version, &user(USER), None));
        world.refuses(changed(MOD, version, &user(USER), Some(51)), Rule::LevelUserNew);
        world.refuses(
            changed(MOD, version, &user(STRANGER), Some(51)),
            Rule::LevelUserNew,
        );
        world.refuses(changed(MOD, version, &user(PEER), Some(0)), Rule::LevelUserOld);
        world.refuses(changed(MOD, version, &user(PEER), None), Rule::LevelUserOld);
        world.allows(changed(MOD, version, &user(MOD), Some(0)));
        world.allows(changed(MOD, version, &user(MOD), None));
        world.refuses(changed(MOD, version, &user(MOD), Some(51)), Rule::LevelUserNew);
        world.allows(changed(CREATOR, version, &user(PEER), Some(0)));
        if version < RoomVersion::V12 {
            world.refuses(changed(MOD, version, &user(CREATOR), Some(0)), Rule::LevelUserOld);
        }
    }
}

/// spec: `rooms/v1 §Deprecated event content schemas`
#[test]
fn levels_as_strings_and_floats() {
    let parse = |version: RoomVersion, value: Value| {
        let content = json!({"ban": value});
        Levels::parse(&version.rules().auth, content.as_object().unwrap())
            .map(|levels| levels.single("ban").unwrap())
    };
    for (text, level) in [
        ("100", 100),
        ("000100", 100),
        ("+100", 100),
        ("-100", -100),
        (" 100 ", 100),
        ("\n+0", 0),
    ] {
        for version in before(RoomVersion::V10) {
            assert_eq!(parse(version, json!(text)), Ok(level), "{version} {text:?}");
        }
        assert!(parse(RoomVersion::V10, json!(text)).is_err());
    }
    for text in ["", " ", "+", "1.0", "1e3", "0x1", "1_000", "+-1", "1 0"] {
        assert!(parse(RoomVersion::V1, json!(text)).is_err(), "{text:?}");
    }
    assert_eq!(
        parse(RoomVersion::V1, json!("99999999999999999999")),
        Ok(i64::MAX)
    );
    assert_eq!(
        parse(RoomVersion::V1, json!("-99999999999999999999")),
        Ok(i64::MIN)
    );
    for (float, level) in [(50.57, 50), (5.114_698E4, 51_146), (-1.9, -1), (1e300, i64::MAX)] {
        assert_eq!(parse(RoomVersion::V5, json!(float)), Ok(level));
        assert!(parse(RoomVersion::V6, json!(float)).is_err());
    }
}
