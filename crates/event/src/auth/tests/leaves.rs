//! The rules about memberships `leave` and `ban`.

use super::*;

fn leave<'a>(sender: &'a str, target: &'a str) -> Try<'a> {
    member(sender, target, "leave")
}

#[test]
fn leave_1_oneself() {
    for version in RoomVersion::ALL {
        let mut world = World::new(version);
        world.allows(leave(USER, USER));
        world.allows(leave(INVITED, INVITED));
        for user in [BANNED, LEFT, STRANGER] {
            world.refuses(leave(user, user), Rule::LeaveNotIn);
        }
        world.set(member(LEFT, LEFT, "knock"));
        let expected = if version >= RoomVersion::V7 {
            Ok(())
        } else {
            Err(Rule::LeaveNotIn)
        };
        assert_eq!(
            world.check(leave(LEFT, LEFT)),
            expected,
            "{version}: a knock can be taken back"
        );
    }
}

#[test]
fn leave_2_kicker_must_be_joined() {
    for version in RoomVersion::ALL {
        for sender in [INVITED, BANNED, LEFT, STRANGER] {
            World::new(version).refuses(leave(sender, USER), Rule::KickSender);
        }
    }
}

#[test]
fn leave_3_unbanning_takes_the_power_to_ban() {
    for version in RoomVersion::ALL {
        let mut levels = usual_levels(version);
        levels["ban"] = json!(75);
        let world = World::new(version).levels(levels.clone());
        world.refuses(leave(MOD, BANNED), Rule::UnbanPower);
        world.allows(leave(CREATOR, BANNED));
        levels["ban"] = json!(50);
        World::new(version)
            .levels(levels.clone())
            .allows(leave(MOD, BANNED));
        levels["kick"] = json!(75);
        World::new(version)
            .levels(levels)
            .refuses(leave(MOD, BANNED), Rule::KickPower);
    }
}

#[test]
fn leave_4_and_5_kicking() {
    for version in RoomVersion::ALL {
        let world = World::new(version);
        for target in [USER, INVITED, LEFT] {
            world.allows(leave(MOD, target));
        }
        world.allows(leave(CREATOR, MOD));
        world.refuses(leave(MOD, PEER), Rule::KickPower);
        world.refuses(leave(MOD, CREATOR), Rule::KickPower);
        world.refuses(leave(USER, INVITED), Rule::KickPower);
        world.refuses(leave(USER, LEFT), Rule::KickPower);
    }
}

#[test]
fn ban_1_sender_must_be_joined() {
    for version in RoomVersion::ALL {
        for sender in [INVITED, BANNED, LEFT, STRANGER] {
            World::new(version).refuses(member(sender, USER, "ban"), Rule::BanSender);
        }
    }
}

#[test]
fn ban_2_and_3_power() {
    for version in RoomVersion::ALL {
        let world = World::new(version);
        for target in [USER, INVITED, LEFT, STRANGER, BANNED] {
            world.allows(member(MOD, target, "ban"));
        }
        world.refuses(member(MOD, PEER, "ban"), Rule::BanPower);
        world.refuses(member(MOD, CREATOR, "ban"), Rule::BanPower);
        world.refuses(member(MOD, MOD, "ban"), Rule::BanPower);
        world.refuses(member(USER, LEFT, "ban"), Rule::BanPower);
        world.allows(member(CREATOR, MOD, "ban"));
    }
}

/// A creator of version 12 has no less power than another, so neither can be removed.
#[test]
fn creators_cannot_remove_each_other() {
    let mut world = World::new(RoomVersion::V12);
    let content = json!({"room_version": "12", "additional_creators": [PEER]});
    world.set(Try {
        prev: vec![],
        ..state(CREATOR, "m.room.create", "", content)
    });
    world.set(state(
        CREATOR,
        "m.room.power_levels",
        "",
        json!({"users": {MOD: 9_007_199_254_740_991_i64}}),
    ));
    for (sender, target) in [(CREATOR, PEER), (PEER, CREATOR)] {
        world.refuses(leave(sender, target), Rule::KickPower);
        world.refuses(member(sender, target, "ban"), Rule::BanPower);
    }
    world.refuses(member(MOD, PEER, "ban"), Rule::BanPower);
    world.allows(member(PEER, MOD, "ban"));
}
