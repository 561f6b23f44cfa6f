//! Who has how much power.

use super::*;

fn power(world: &World) -> PowerLevels {
    PowerLevels::of_state(&world.state).unwrap().unwrap()
}

/// spec: `client-server-api §m.room.power_levels`, `server-server-api §Definitions`
#[test]
fn defaults() {
    for version in RoomVersion::ALL {
        let none = power(&World::founded(version));
        let creator = if version == RoomVersion::V12 {
            UserPower::Infinite
        } else {
            UserPower::Level(100)
        };
        assert_eq!(
            (none.user(CREATOR), none.user(USER)),
            (creator, UserPower::Level(0)),
            "{version}"
        );
        assert_eq!((none.event("x", true), none.event("x", false)), (50, 0));
        let empty = power(&World::founded(version).levels(json!({})));
        let creator = if version == RoomVersion::V12 {
            UserPower::Infinite
        } else {
            UserPower::Level(0)
        };
        assert_eq!(
            (empty.user(CREATOR), empty.user(USER)),
            (creator, UserPower::Level(0)),
            "{version}"
        );
        for power in [none, empty] {
            assert_eq!(
                (power.invite(), power.kick(), power.ban(), power.redact()),
                (0, 50, 50, 50)
            );
            assert_eq!(
                (
                    power.event("x", true),
                    power.event("x", false),
                    power.notification("room")
                ),
                (50, 0, 50)
            );
        }
    }
}

#[test]
fn stated() {
    let content = json!({
        "users": {MOD: 60}, "users_default": 5, "events": {"x": 7}, "events_default": 1, "state_default": 2,
        "invite": 3, "kick": 4, "ban": 6, "redact": 8, "notifications": {"room": 9},
    });
    let power = power(&World::founded(RoomVersion::V11).levels(content));
    assert_eq!(
        (power.user(MOD), power.user(USER)),
        (UserPower::Level(60), UserPower::Level(5))
    );
    assert_eq!(
        (
            power.event("x", true),
            power.event("y", true),
            power.event("y", false)
        ),
        (7, 2, 1)
    );
    assert_eq!(
        (power.invite(), power.kick(), power.ban(), power.redact()),
        (3, 4, 6, 8)
    );
    assert_eq!(power.notification("room"), 9);
}

#[test]
fn infinite_is_more_than_any_level() {
    assert!(UserPower::Infinite > UserPower::Level(i64::MAX));
    assert!(UserPower::Infinite.reaches(i64::MAX));
    assert!(UserPower::Level(5).reaches(5) && !UserPower::Level(4).reaches(5));
}

#[test]
fn malformed_levels_in_the_state_give_nobody_power() {
    let world = World::new(RoomVersion::V11).levels(json!({"users": 5}));
    assert!(PowerLevels::of_state(&world.state).unwrap().is_none());
    world.refuses(message(CREATOR, "m.room.message"), Rule::StateLevels);
    world.refuses(member(CREATOR, USER, "ban"), Rule::StateLevels);
}
